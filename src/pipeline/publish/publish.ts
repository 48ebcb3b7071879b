import type { ContentKeys } from '../../cache/key-tags.ts'
import { settle } from '../../lib/settle.ts'
import { secondsSince } from '../../lib/timeline.ts'
import { partOf, productionRefs, tagsOfCommit } from '../../plan/references.ts'
import type { Run } from '../../plan/run-context.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import type { Build, Failure, Publication, PullSize, TestResult, Unchanged } from '../../result/result.ts'
import { branchTagsToSet } from './branch-tags.ts'
import { describeKept, findCommitImage } from './commit-image.ts'
import { type GivenBack, giveBack, giveTagsBack, mayMove, type PromoteRun, warnOfOtherVariant } from './promote.ts'
import { weigh } from './pull-size.ts'
import { Pushes } from './push.ts'
import { hold, type Judged, pushForLook, whyNotOurTag, whyTaken } from './verify.ts'

/**
 * Pushes the commit tag first, then the further tags, and the moving tags last: the image of a moving tag is also available
 * under its commit tag. Pushes that need no order overlap. After a failure or a cancellation it pushes nothing more.
 *
 * Before promotion it inspects the image in the registry: one that cannot serve as a cache must not replace one that can.
 *
 * @returns also the digests of the pushed images, by reference in the engine; '' if unknown
 */
export async function publish(
  run: Run,
  builds: readonly Build[],
  tests: readonly TestResult[],
  keys: ContentKeys
): Promise<{ publication: Publication; digests: Map<string, string>; pullSize?: PullSize }> {
  const { refs, decision, inputs, builds: stageBuilds } = run.plan
  const start = performance.now()
  const [taken] = await Promise.all([whyTaken(run, stageBuilds, builds, tests), warnOfOtherVariant(run)])
  if (taken !== undefined) {
    const nothing = { pushed: [], published: false, digest: '', digests: {}, held: [] }
    return { publication: { ...nothing, seconds: secondsSince(start), failures: [taken] }, digests: new Map() }
  }
  const pushes = new Pushes(run, keys)
  const pushed = new Map<StageBuild, Promise<Judged>>()
  // production first: layers that the registry lacks are uploaded only once if the other pushes start after it
  for (const stage of stageBuilds.toReversed()) {
    const [production] = pushed.values()
    if (production && builds.some(({ unreadableCaches }) => unreadableCaches.length > 0)) await settle([production])
    pushed.set(stage, pushForLook(run, pushes, stage, builds))
  }
  // as late as possible without a delay: the answer may be outdated when the tags move
  const question = settle([pushes.push(refs.production)]).then(() =>
    decision.publish && pushes.mayGoOn() ? mayMove(run) : undefined
  )
  const weight = settle([pushes.push(refs.production)]).then(async () => {
    const digest = pushes.digests.get(refs.production) ?? ''
    return digest === '' ? undefined : weigh(run, `${inputs.image}@${digest}`)
  })
  const looks = settle(stageBuilds.flatMap((stage) => pushed.get(stage) ?? []))
  // also before promotion: the pull size compares with the image that is published until then
  const [judged, [moves], [size]] = await Promise.all([looks, settle([question]), settle([weight])])
  if (moves?.notice !== undefined) run.log.notice(moves.notice)
  if (moves?.warning !== undefined) run.log.warning(moves.warning)
  if (moves?.failure !== undefined) pushes.failures.push(moves.failure)
  if (decision.publish && !moves && pushes.mayGoOn()) {
    // never green without an answer
    pushes.failures.push({ kind: 'error', message: 'The guard of the moving tags gave no answer; run it again' })
  }
  await pushBranchTags(run, pushes)
  const { moving, held, newer } =
    moves?.move && pushes.mayGoOn()
      ? await move(run, pushes, judged, builds, moves.warning !== undefined)
      : { moving: [], held: [], newer: undefined }
  // without the candidate tags, which are internal and of no use to readers of the list
  const references = [...productionRefs(refs), ...moving].filter(
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
  // a kept tag names another image than the one that this run built
  const built = judged.filter(({ stage }) => !pushes.kept.has(stage.reference))
  const digests = new Map(built.map(({ stage, digest }) => [stage.reference, digest]))
  return { publication, digests, ...(size && { pullSize: size }) }
}

/** Sets the further tags that are named after a branch, unless the run is late. */
async function pushBranchTags(run: Run, pushes: Pushes): Promise<void> {
  if (run.plan.refs.branch.length === 0 || !pushes.mayGoOn()) return
  // a cancellation here must not hide what was pushed
  const [{ references, failures } = { references: [], failures: [] }] = await settle([branchTagsToSet(run)])
  pushes.failures.push(...failures)
  if (!pushes.mayGoOn()) return
  const digest = pushes.digests.get(run.plan.refs.production) ?? ''
  await settle(references.map((reference) => pushes.tag(reference, digest)))
  await settle([giveBranchTagsBack(run, pushes.digests)])
}

/**
 * Sets the tags that are named after the branch to the image of a newer commit, if its run has set them at the same time.
 *
 * @param set the digests of the tags that this run has set; loses those that name the newer commit then
 */
async function giveBranchTagsBack(run: PromoteRun, set: Map<string, string>): Promise<void> {
  const references = run.plan.refs.branch.filter((reference) => set.has(reference))
  const newer = references.length === 0 ? undefined : await giveTagsBack(run, references)
  if (newer === undefined) return
  if (newer === 'unknown') return sayUnknown(run, references)
  run.log.notice(describeGivenBack(newer, references))
  for (const reference of newer.references) set.delete(reference)
}

/** Sets the moving tags, except those whose image would be a worse cache source. */
async function move(
  run: PromoteRun,
  pushes: Pushes,
  judged: readonly Judged[],
  builds: readonly Build[],
  isUnsure: boolean
): Promise<{ moving: string[]; held: Publication['held']; newer: GivenBack | undefined }> {
  const holds = await settle(judged.map((one) => hold(run, one, builds)))
  const held = holds.flatMap((one) => one ?? [])
  for (const { reason } of held) run.log.warning(reason)
  // production moves anyway: hosts deploy it
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
  // a cancellation here must not hide what was pushed
  const [newer] = await settle(isMoved ? [giveBackAndTell(run, moved, isUnsure)] : [])
  return { moving, held, newer }
}

/** @param isUnsure whether a warning about an unknown order of commits was already logged */
async function giveBackAndTell(
  run: PromoteRun,
  moved: readonly string[],
  isUnsure: boolean
): Promise<GivenBack | undefined> {
  const newer = await giveBack(run, moved)
  if (newer === 'unknown') {
    if (!isUnsure) sayUnknown(run, [run.plan.refs.movingProduction])
    return undefined
  }
  if (newer) run.log.notice(describeGivenBack(newer, moved))
  return newer
}

function sayUnknown({ plan, log, github }: Pick<Run, 'plan' | 'github' | 'log'>, references: readonly string[]): void {
  const { commit } = plan
  const sentence = `Cannot determine whether a commit newer than ${commit.shortSha} was published at the same time; ${references.join(', ')} may name the older image until the next run`
  // without a token, the user did not intend queries to GitHub
  if (!github.hasToken) log.info(sentence)
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

/**
 * Sets the tags of this commit on the image of an earlier one, in the registry: without a transfer of layers.
 *
 * @param images by the moving tags of the other stages, the images of the same content
 * @param tagged the digests of the tags that are set already, by reference
 */
export async function tagUnchanged(
  run: PromoteRun & Pick<Run, 'signal'>,
  unchanged: Unchanged,
  images: ReadonlyMap<string, string>,
  keys: ContentKeys,
  tagged = new Map<string, string>()
): Promise<Publication> {
  const { refs, decision, inputs } = run.plan
  const start = performance.now()
  const [branch] = await Promise.all([branchTagsToSet(run), warnOfOtherVariant(run)])
  const failures: Failure[] = []
  // a cancellation here must not hide which tags were set before
  const tag = async (reference: string, image: string): Promise<void> => {
    if (failures.length > 0 || run.signal.aborted) return
    const [failure] = await settle([tagOne(run, image, reference, keys, tagged)])
    if (failure) failures.push(failure)
  }
  if (!tagged.has(refs.production)) await tag(refs.production, unchanged.image)
  const digest = tagged.get(refs.production) ?? ''
  // a kept commit tag names another image of the same content: all tags name that one
  const published = digest === '' ? unchanged : { ...unchanged, digest, image: `${inputs.image}@${digest}` }
  const others = [...tagsOfCommit(refs), ...branch.references]
  for (const reference of others) await tag(reference, published.image)
  const isTagged = [refs.production, ...others].every((one) => tagged.has(one)) && branch.failures.length === 0
  const moved = new Map<string, string>()
  await settle([giveBranchTagsBack(run, tagged)])
  const mayPromote = decision.publish && partOf(inputs) === undefined
  const [kept] = await settle(isTagged && mayPromote ? [keepMovingTag(run, published, moved)] : [])
  if (kept?.published) await settle([moveOthers(run, images, moved)])
  return {
    pushed: [...tagged.keys(), ...moved.keys()],
    ...{ digest, held: [] },
    digests: Object.fromEntries([...tagged, ...moved]),
    published: moved.has(refs.movingProduction),
    ...kept,
    failures: [...failures, ...branch.failures, ...(kept?.failures ?? [])],
    seconds: secondsSince(start)
  }
}

/** Sets one tag of this commit, unless it already names an image of the same content and cannot change. */
async function tagOne(
  run: PromoteRun,
  image: string,
  reference: string,
  keys: ContentKeys,
  tagged: Map<string, string>
): Promise<Failure | undefined> {
  const { failure, ...set } = await run.registry.tag(image, [reference])
  for (const [one, digest] of set.tagged) tagged.set(one, digest)
  if (failure === undefined) return undefined
  // a registry may refuse to set a tag that cannot change even to what it names
  const now = await run.registry.digest(reference)
  if (now.value !== undefined && image.endsWith(`@${now.value}`)) {
    tagged.set(reference, now.value)
    return undefined
  }
  const { production, further } = run.plan.refs
  if (failure.kind !== 'immutable' || ![production, ...further].includes(reference))
    return { kind: 'push', reference, failure }
  const { digest, holds } = await findCommitImage(run, reference, keys)
  if (digest === undefined) return { kind: 'push', reference, failure, holds }
  run.log.notice(describeKept(reference, digest))
  tagged.set(reference, digest)
  return undefined
}

/** Sets the other moving tags to the images of the same content, as far as they exist; a failure never fails the run. */
async function moveOthers(
  run: PromoteRun,
  images: ReadonlyMap<string, string>,
  moved: Map<string, string>
): Promise<void> {
  const { registry, log } = run
  for (const [moving, image] of images) {
    const notOurs = await whyNotOurTag(run, moving)
    if (notOurs !== undefined) {
      log.warning(`${moving} is not updated: ${notOurs}`)
      continue
    }
    const [now, other] = await Promise.all([registry.digest(moving), registry.digest(image)])
    if (other.value === undefined || other.value === now.value) continue
    const { tagged, failure } = await registry.tag(image, [moving])
    for (const [reference, digest] of tagged) moved.set(reference, digest)
    if (failure) log.warning(`${moving} could not be set to ${image} (${failure.message})`)
  }
}

/**
 * Ensures that production's moving tag names the image: that may be of another branch, or a run of an older commit may have set
 * the tag meanwhile.
 *
 * @param moved gets the tag, if the run sets it
 */
async function keepMovingTag(
  run: PromoteRun,
  { image, digest }: Unchanged,
  moved: Map<string, string>
): Promise<Pick<Publication, 'published'> & Partial<Publication>> {
  const { movingProduction } = run.plan.refs
  if ((await run.registry.current(movingProduction)).image?.digest === digest) return { published: true }
  const { move: mayMoveIt, notice, warning, failure } = await mayMove(run)
  if (failure !== undefined) return { published: false, failures: [failure] }
  if (warning !== undefined) run.log.warning(warning)
  const notTagged = mayMoveIt ? (await run.registry.tag(image, [movingProduction])).failure : undefined
  if (notTagged)
    return { published: false, failures: [{ kind: 'push', reference: movingProduction, failure: notTagged }] }
  if (notice !== undefined) {
    run.log.notice(notice)
    return { published: false, stays: notice }
  }
  moved.set(movingProduction, digest)
  const newer = await giveBackAndTell(run, [movingProduction], warning !== undefined)
  if (newer === undefined) return { published: true }
  moved.delete(movingProduction)
  return { published: false, stays: describeGivenBack(newer, [movingProduction]) }
}
