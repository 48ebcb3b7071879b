import { missingRecords, whyNoCache } from '../../cache/cached-layers.ts'
import { failureOf } from '../../docker/errors.ts'
import { callInSection } from '../../docker/transfer.ts'
import { CancelledError } from '../../lib/errors.ts'
import type { ExecResult } from '../../lib/exec.ts'
import { retry } from '../../lib/retry.ts'
import { cacheTagOf } from '../../plan/plan.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import { describeFailedPush, failureOfWords, transientFailure } from '../../registry/client-words.ts'
import type { RegistryFailure } from '../../registry/failure.ts'
import { sameRepository } from '../../registry/image-reference.ts'
import {
  type Build,
  type Publication,
  type Run,
  retryOf,
  secondsSince,
  type TestResult,
  type Unchanged
} from '../../result/run.ts'
import { type GivenBack, giveBack, mayMove } from './promote.ts'
import { type PullSize, weigh } from './pull-size.ts'

/**
 * Pushes the commit's tag first, then the further tags, and the moving tags last: whatever a moving tag names can also be
 * had by its commit. Pushes that need no order overlap. After a failure or a cancellation nothing further is pushed.
 *
 * Before a moving tag moves, the image is looked at in the registry: one that cannot serve as a cache replaces none that can.
 *
 */
export async function publish(
  run: Run,
  builds: readonly Build[],
  tests: readonly TestResult[]
): Promise<{ publication: Publication; pullSize?: PullSize }> {
  const { refs, decision, inputs } = run.plan
  // an image that was tested earlier keeps the label that says for which commit
  const keepsBuilder = tests.some(({ status }) => status === 'unchanged')
  const stageBuilds = run.plan.builds.filter(({ kind }) => !(keepsBuilder && kind === 'builder'))
  const start = performance.now()
  const taken = await whyTaken(run, stageBuilds, tests)
  if (taken !== undefined) {
    const nothing = { pushed: [], published: false, digest: '', digests: {}, held: [] }
    return { publication: { ...nothing, seconds: secondsSince(start), failures: [taken] } }
  }
  const pushes = new Pushes(run)
  const pushed = new Map<StageBuild, Promise<Judged>>()
  // production first; layers that the registry has none of are uploaded once only if the other pushes begin after it
  for (const stage of stageBuilds.toReversed()) {
    const [production] = pushed.values()
    if (production && builds.some(({ unreadableCaches }) => unreadableCaches.length > 0)) await settle([production])
    pushed.set(stage, pushForLook(run, pushes, stage, builds))
  }
  // as late as it costs no time: what it answers may be old by the time the tags move
  const question = settle([pushes.push(refs.production)]).then(() =>
    decision.publish && pushes.mayGoOn() ? mayMove(run) : undefined
  )
  const weight = settle([pushes.push(refs.production)]).then(async () => {
    const digest = pushes.digests.get(refs.production) ?? ''
    return digest === '' ? undefined : weigh(run, `${inputs.image}@${digest}`)
  })
  const looks = settle(stageBuilds.flatMap((stage) => pushed.get(stage) ?? []))
  // what is weighed is weighed against what is published until then
  const [judged, [moves], [size]] = await Promise.all([looks, settle([question]), settle([weight])])
  if (moves?.notice !== undefined) run.log.notice(moves.notice)
  if (moves?.warning !== undefined) run.log.warning(moves.warning)
  if (moves?.failure !== undefined) pushes.failures.push(moves.failure)
  const { moving, held, newer } =
    moves?.move && pushes.mayGoOn()
      ? await move(run, pushes, judged, builds, moves.warning !== undefined)
      : { moving: [], held: [], newer: undefined }
  // the candidates are ours alone, and of no use to anyone who reads what was pushed
  const references = [refs.production, ...refs.further, ...moving].filter(
    (one) => pushes.digests.has(one) && !newer?.references.includes(one)
  )
  const stays = moves?.notice ?? (newer && describeGivenBack(newer, moving))
  const publication = {
    pushed: references,
    published: [refs.movingProduction, ...moving].every((reference) => references.includes(reference)),
    digest: pushes.digests.get(refs.production) ?? '',
    digests: Object.fromEntries(references.map((one) => [one, pushes.digests.get(one) ?? ''])),
    held,
    ...(stays !== undefined && { stays }),
    seconds: secondsSince(start),
    failures: pushes.failures
  }
  return { publication, ...(size && { pullSize: size }) }
}

/**
 * Why what would be pushed is not what this run built and tested; undefined if it is. A push goes by name, and another run on the
 * same engine gives the same names.
 */
async function whyTaken(
  { plan, docker, signal }: Run,
  stages: readonly StageBuild[],
  tests: readonly TestResult[]
): Promise<string | undefined> {
  const names = stages.flatMap(({ tags }) => tags)
  const result = await docker.call(['image', 'inspect', '--format', '{{.Id}}', ...names], { signal })
  const failure = failureOf(result)
  if (failure !== undefined) return `What was built is not in the engine any more (${failure})`
  const ids = new Map(result.stdout.split('\n').map((id, index) => [names[index], id.trim()]))
  const builder = ids.get(plan.refs.builder)
  const isOther = (id: string | undefined): boolean => id !== undefined && builder !== undefined && id !== builder
  const taken =
    stages.flatMap(({ reference, tags }) => tags.filter((tag) => ids.get(tag) !== ids.get(reference)))[0] ??
    (tests.some(({ imageId }) => isOther(imageId)) ? plan.refs.builder : undefined)
  return (
    taken &&
    `${taken} names another image than the one that this run built, so nothing is pushed: another run on the same engine has taken the name; give each runner an engine of its own`
  )
}

/** Moves the moving tags, but for those whose image would be a worse cache. */
async function move(
  run: Run,
  pushes: Pushes,
  judged: readonly Judged[],
  builds: readonly Build[],
  isUnsure: boolean
): Promise<{ moving: string[]; held: Publication['held']; newer: GivenBack | undefined }> {
  const holds = await settle(judged.map(({ stage, why }) => hold(run, stage, builds, why)))
  const held = holds.flatMap((one) => one ?? [])
  for (const { reason } of held) run.log.warning(reason)
  // production moves all the same: hosts deploy it
  const moving = judged.flatMap(({ stage: { kind, moving: reference } }) =>
    kind !== 'production' && held.some((one) => one.reference === reference) ? [] : (reference ?? [])
  )
  await settle(
    judged.flatMap(({ stage: { moving: reference }, digest }) =>
      reference !== undefined && moving.includes(reference) ? [pushes.tag(reference, digest)] : []
    )
  )
  const moved = moving.filter((reference) => pushes.digests.has(reference))
  const isMoved = moved.includes(run.plan.refs.movingProduction)
  // whatever becomes of this, what was pushed is told
  const [newer] = await settle(isMoved ? [giveBackAndTell(run, moved, isUnsure)] : [])
  return { moving, held, newer }
}

/** @param isUnsure whether a warning has said already that nobody could be asked */
async function giveBackAndTell(run: Run, moved: readonly string[], isUnsure: boolean): Promise<GivenBack | undefined> {
  const newer = await giveBack(run, moved)
  if (newer === 'unknown') {
    if (!isUnsure) sayUnknown(run)
    return undefined
  }
  if (newer) run.log.notice(describeGivenBack(newer, moved))
  return newer
}

function sayUnknown({ plan, log }: Run): void {
  const { build, refs, inputs } = plan
  const sentence = `Nobody could be asked whether a commit newer than ${build.shortSha} was published at the same time, so ${refs.movingProduction} may be of the older one until the next run`
  // without a token nobody was meant to be asked
  if (inputs.githubToken === undefined) log.info(sentence)
  else log.warning(sentence)
}

function describeGivenBack({ commit, references }: GivenBack, moved: readonly string[]): string {
  const others = moved.filter((reference) => !references.includes(reference))
  const rest =
    others.length === 0
      ? ''
      : `; ${others.join(', ')} ${others.length === 1 ? 'is' : 'are'} of this commit until the next run`
  return `The newer commit ${commit.slice(0, 7)} was published at the same time, so ${references.join(', ')} ${references.length === 1 ? 'names' : 'name'} its image${rest}`
}

/** Gives the image of an earlier commit the tags of this one, in the registry: no layer moves. */
export async function tagUnchanged(run: Run, unchanged: Unchanged): Promise<Publication> {
  const { refs, decision } = run.plan
  const start = performance.now()
  const { tagged, failure } = await run.registry.tag(unchanged.image, [refs.production, ...refs.further])
  const isTagged = failure === undefined
  const moving = isTagged && decision.publish ? await keepMovingTag(run, unchanged) : { published: false }
  const [failed] = [refs.production, ...refs.further].filter((reference) => !tagged.has(reference))
  return {
    ...{ pushed: [...tagged.keys()], digest: tagged.has(refs.production) ? unchanged.digest : '', held: [] },
    digests: Object.fromEntries(tagged),
    failures: failure && failed !== undefined ? [describeFailedPush(failed, failure)] : [],
    ...moving,
    seconds: secondsSince(start)
  }
}

/** Sees to it that production's moving tag still names the image: a run of an older commit may have moved it meanwhile. */
async function keepMovingTag(
  run: Run,
  { image, digest }: Unchanged
): Promise<Pick<Publication, 'published'> & Partial<Publication>> {
  const { movingProduction } = run.plan.refs
  if ((await run.registry.current(movingProduction)).image?.digest === digest) return { published: true }
  const { move: mayMoveIt, notice, warning, failure } = await mayMove(run)
  if (failure !== undefined) return { published: false, failures: [failure] }
  if (warning !== undefined) run.log.warning(warning)
  const notTagged = mayMoveIt ? (await run.registry.tag(image, [movingProduction])).failure : undefined
  if (notTagged) return { published: false, failures: [describeFailedPush(movingProduction, notTagged)] }
  if (notice !== undefined) {
    run.log.notice(notice)
    return { published: false, stays: notice }
  }
  const newer = await giveBackAndTell(run, [movingProduction], warning !== undefined)
  return newer ? { published: false, stays: describeGivenBack(newer, [movingProduction]) } : { published: true }
}

/** The results of what went well; waits for all of it, also if something no one expects goes wrong. */
async function settle<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  const unexpected = outcomes.find(
    (outcome) => outcome.status === 'rejected' && !(outcome.reason instanceof CancelledError)
  )
  if (unexpected?.status === 'rejected') throw unexpected.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

/** The pushes of a run, and how they went. */
class Pushes {
  /** As the engine told them, by reference, of what was pushed; '' where it did not. */
  readonly digests = new Map<string, string>()
  /** One sentence each. */
  readonly failures: string[] = []
  readonly #begun = new Map<string, Promise<void>>()
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  mayGoOn(): boolean {
    return this.failures.length === 0 && !this.#run.signal.aborted
  }

  /** Once, however often it is asked for. */
  push(reference: string): Promise<void> {
    return this.#once(reference, () => this.#push(reference))
  }

  /**
   * Gives an image that was pushed a further tag. The engine pushes it only where the registry cannot be accessed from here.
   *
   * @param digest of the image in the repository of the input `image`; '' if it is not known
   */
  tag(reference: string, digest: string): Promise<void> {
    return this.#once(reference, () => this.#tag(reference, digest))
  }

  #once(reference: string, work: () => Promise<void>): Promise<void> {
    const begun = this.#begun.get(reference) ?? work()
    this.#begun.set(reference, begun)
    return begun
  }

  async #tag(reference: string, digest: string): Promise<void> {
    const { plan, registry, log } = this.#run
    const { image } = plan.inputs
    if (digest === '' || !sameRepository(image, reference)) return this.#push(reference)
    const { failure } = await registry.tag(`${image}@${digest}`, [reference])
    if (failure === undefined) {
      log.info(`Tagged ${image}@${digest} as ${reference}`)
      this.digests.set(reference, digest)
    } else if (failure.kind === 'unreachable' && !failure.clientMaySucceed) {
      this.failures.push(describeFailedPush(reference, failure))
    } else {
      await this.#push(reference)
      const pushed = this.digests.get(reference) ?? ''
      if (pushed !== '' && pushed !== digest) this.failures.push(describeOther(reference, pushed, digest))
    }
  }

  async #push(reference: string): Promise<void> {
    const title = `Push ${reference}`
    const whyFailed = (one: ExecResult): RegistryFailure | undefined => {
      const text = failureOf(one)
      return text === undefined ? undefined : failureOfWords(text, reference)
    }
    const result = await retry(
      retryOf(this.#run),
      title,
      () => callInSection(this.#run, 'publish', title, ['push', reference], this.#run.signal),
      (one) => transientFailure(whyFailed(one))
    )
    const failure = whyFailed(result)
    // the engine's own last line, the same since Docker 1.6 (moby/moby daemon/internal/distribution/push_v2.go)
    const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(result.stdout)?.[1] ?? ''
    // docker 28 may end with 0 although a signal ended it before the push was done (docker/cli cmd/docker/docker.go)
    if (failure === undefined && digest === '' && this.#run.signal.aborted) throw new CancelledError()
    if (failure === undefined) this.digests.set(reference, digest)
    else this.failures.push(describeFailedPush(reference, failure))
  }
}

interface Judged {
  stage: StageBuild
  /** Digest of the image as pushed; '' if it was not, or is not known. */
  digest: string
  /** Why its image is a worse cache than the one that is published; undefined if it is not. */
  why: string | undefined
}

/** Pushes an image of the run under a name that nobody's cache is read from, and inspects it there. */
async function pushForLook(run: Run, pushes: Pushes, stage: StageBuild, builds: readonly Build[]): Promise<Judged> {
  const { refs, decision } = run.plan
  const isProduction = stage.kind === 'production'
  const reference = isProduction ? stage.reference : stage.candidate
  if (reference !== undefined && pushes.mayGoOn()) await pushes.push(reference)
  const digest = reference === undefined ? '' : (pushes.digests.get(reference) ?? '')
  if (!pushes.mayGoOn()) return { stage, digest, why: undefined }
  const build = builds.find(({ image }) => image === stage.reference)
  if (reference !== undefined && build !== undefined && digest !== '') {
    const other = await whyOther(run, reference, digest, build)
    if (other !== undefined) pushes.failures.push(other)
    if (!pushes.mayGoOn()) return { stage, digest, why: undefined }
  }
  const isJudged = decision.publish && stage.moving !== undefined && build !== undefined && digest !== ''
  const [why] = await Promise.all([
    isJudged ? whyWorse(run, stage, build, digest) : undefined,
    ...(isProduction ? refs.further.map((further) => pushes.tag(further, digest)) : [])
  ])
  return { stage, digest, why }
}

/** Why what was pushed is not the image that this run built: a push goes by name. undefined if it is, or cannot be inspected. */
async function whyOther(
  { plan, registry, log }: Run,
  reference: string,
  digest: string,
  { imageId }: Build
): Promise<string | undefined> {
  const { image, failure } = await registry.published(`${plan.inputs.image}@${digest}`)
  if (failure) {
    log.warning(
      `Cannot inspect the pushed image ${reference}, so it is unknown whether it can serve as a cache, and whether another run on the same engine has taken its name (${failure.message})`
    )
  }
  if (image?.ids === undefined || image.ids.includes(imageId)) return undefined
  return describeOther(reference, digest, imageId)
}

function describeOther(reference: string, pushed: string, built: string): string {
  return `${reference} was pushed with another image (${pushed}) than the one that this run built (${built}), so no other tag is set: another run on the same engine has taken the name; give each runner an engine of its own`
}

/** Why the image that was pushed is a worse cache than the one that is published; undefined if it is not. */
async function whyWorse(
  { plan, registry, log }: Run,
  stage: StageBuild,
  { steps, cacheSource }: Build,
  digest: string
): Promise<string | undefined> {
  // the legacy builder needs no metadata
  if (plan.strategy.name === 'legacy') return undefined
  const { image } = await registry.published(`${plan.inputs.image}@${digest}`)
  const why = image && whyNoCache(image, stage)
  if (image === undefined || why === undefined) return undefined
  const published = (await registry.published(cacheSource)).image
  const cached = steps.filter((step) => step.cached).length
  // a run from the published one executes what this run executed, a run from the new one what this run found cached
  if (missingRecords(image, stage) <= missingRecords(published, stage) || cached < steps.length - cached) {
    log.warning(`The next run will build stage ${stage.name} again: of ${stage.reference} ${why}`)
    return undefined
  }
  return why
}

/** Leaves the cache that is published where it is, or if it is that of production keeps it under another name. */
async function hold(
  run: Run,
  stage: StageBuild,
  builds: readonly Build[],
  why: string | undefined
): Promise<Publication['held'][number] | undefined> {
  const { refs } = run.plan
  if (why === undefined || stage.moving === undefined) return undefined
  const reference = stage.moving
  if (stage.kind !== 'production') {
    return {
      reference,
      reason: `${reference} was left where it is, because the new image would be a worse cache: ${why}`
    }
  }
  const kept = cacheTagOf(refs.movingProduction)
  const reason = `${reference} moves, but would be a worse cache than before (${why}), so the next run takes ${kept}`
  if (builds.find(({ image }) => image === stage.reference)?.cacheSource === kept) return { reference, reason }
  const { failure } = await run.registry.tag(refs.movingProduction, [kept])
  if (failure === undefined) return { reference, reason }
  return {
    reference,
    reason: `${reference} moves, although it is a worse cache than before (${why}): ${kept} could not be written (${failure.message})`
  }
}
