import { missingRecords, whyNoCache } from '../../cache/cached-layers.ts'
import { failureOf } from '../../docker/errors.ts'
import { at, list, parseJson, text } from '../../lib/json.ts'
import { splitAtEquals } from '../../lib/text.ts'
import { isOfAction, isProduction } from '../../plan/labels.ts'
import { tagsOfCommit } from '../../plan/references.ts'
import type { Run } from '../../plan/run-context.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import { stringsOf } from '../../registry/image.ts'
import { look } from '../../registry/look.ts'
import { keptCacheOf } from '../../registry/reserved-tags.ts'
import type { Build, Failure, Publication, TestResult } from '../../result/result.ts'
import type { Pushes } from './push.ts'

/**
 * Returns the failure if the images to push are not those that this run built and tested; undefined if they are. A push goes by
 * name, and another run on the same engine sets the same names; a check may set or remove them.
 *
 * @param stages the images to push; of the others, only the name counts by which later builds started from them
 */
export async function whyTaken(
  { plan, docker, signal }: Pick<Run, 'plan' | 'docker' | 'signal'>,
  stages: readonly StageBuild[],
  builds: readonly Build[],
  tests: readonly TestResult[]
): Promise<Failure | undefined> {
  const namesOf = (stage: StageBuild): string[] => (stages.includes(stage) ? stage.tags : [stage.reference])
  const names = plan.builds.flatMap(namesOf)
  const result = await docker.call(['image', 'inspect', ...names], { signal, bound: 'image' })
  const failure = failureOf(result)
  if (failure !== undefined) return { kind: 'images-gone', message: failure }
  const images = new Map(list(parseJson(result.stdout)).map((image, index) => [names[index], imageOf(image)]))
  const taken = plan.builds.flatMap((stage) => {
    const build = builds.find(({ image }) => image === stage.reference)
    const [first] = namesOf(stage)
    return namesOf(stage).filter(
      (name) =>
        images.get(name)?.id !== images.get(first)?.id || !isBuilt(images.get(name), build, stage, plan.engine.store)
    )
  })
  const tested = tests.find(({ kind, imageId }) => {
    const expected = images.get(testedName(plan, kind))?.id
    return imageId !== undefined && expected !== undefined && imageId !== expected
  })
  const reference = taken[0] ?? (tested && testedName(plan, tested.kind))
  return reference === undefined ? undefined : { kind: 'name-taken', reference }
}

/** Returns the name in the engine of the image in which tests run. */
function testedName({ refs }: Run['plan'], kind: TestResult['kind']): string {
  return kind === undefined ? refs.builder : refs.production
}

/** The engine's data about an image. */
interface EngineImage {
  id: string
  /** Digest of its config, if the engine tells it: the containerd store of Docker 28. */
  config: string
  labels: Record<string, string>
}

function imageOf(image: unknown): EngineImage {
  return {
    id: text(at(image, 'Id')),
    config: text(at(image, 'Descriptor', 'annotations', 'config.digest')),
    labels: stringsOf(at(image, 'Config', 'Labels'))
  }
}

/**
 * Returns whether an image in the engine is the one that a build made. With the containerd store, buildx writes the digest of
 * the config to --iidfile, and the engine's ID is that of the manifest: Docker 28.5 tells both, but not of an image with an
 * attestation, and Docker 26.1 neither finds the image by its config nor tells it. Then the labels tell the images of other commits
 * and inputs apart. An image that a check builds on this one has the same labels: `whyTaken` compares its ID.
 */
function isBuilt(
  image: EngineImage | undefined,
  build: Build | undefined,
  { labels }: StageBuild,
  store: string
): boolean {
  if (image === undefined || build === undefined || [image.id, image.config].includes(build.imageId)) return true
  if (store !== 'containerd' || image.config !== '') return false
  return labels.map(splitAtEquals).every(([key, value]) => image.labels[key] === value)
}

/** Returns whether the name of a stage's image in the engine names another image than the one that this run built. */
export async function isTaken(
  { plan, docker, signal }: Pick<Run, 'plan' | 'docker' | 'signal'>,
  stage: StageBuild,
  build: Build
): Promise<boolean> {
  const { stdout } = await docker.call(['image', 'inspect', stage.reference], { signal, bound: 'image' })
  const [image] = list(parseJson(stdout))
  return image !== undefined && !isBuilt(imageOf(image), build, stage, plan.engine.store)
}

/** A pushed image, compared with the published one. */
export interface Judged {
  stage: StageBuild
  /** Digest of the pushed image; '' if it was not pushed, or the digest is unknown. */
  digest: string
  /** Why it is a worse cache source than the published one; undefined if it is not. */
  why: string | undefined
  /** Why the moving tag must stay whatever the image is. */
  stays?: string
}

/**
 * Returns why a tag of a stage must not be set: it names an image that this action did not make for that purpose, so somebody
 * may deploy it. The first branch's moving tag of the builder image has a name that users chose, and may have been set by other means before.
 */
export async function whyNotOurTag(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  reference: string
): Promise<string | undefined> {
  const labels = (await registry.published(reference)).image?.labels
  if (labels === undefined) return undefined
  const isOurs = reference === `${plan.inputs.image}:${plan.inputs.builderTag}` || isOfAction(labels)
  if (isOurs && !isProduction(labels)) return undefined
  const what = isProduction(labels) ? 'a production image' : 'an image that this action did not make'
  return `${reference} names ${what}; delete that tag, or set the input builder-tag`
}

/** Pushes an image of the run under a tag that no build uses as its cache source, and inspects it there. */
export async function pushForLook(
  run: Pick<Run, 'plan' | 'registry' | 'log'>,
  pushes: Pushes,
  stage: StageBuild,
  builds: readonly Build[]
): Promise<Judged> {
  const { refs, decision } = run.plan
  const isTarget = stage.kind === 'production'
  const reference = isTarget ? stage.reference : stage.candidate
  const stays = isTarget || !decision.publish ? undefined : await whyStays(run, stage)
  if (stays !== undefined) return { stage, digest: '', why: undefined, stays }
  if (reference !== undefined && pushes.mayGoOn()) await pushes.push(reference)
  const digest = reference === undefined ? '' : (pushes.digests.get(reference) ?? '')
  if (!pushes.mayGoOn()) return { stage, digest, why: undefined }
  const build = builds.find(({ image }) => image === stage.reference)
  if (reference !== undefined && build !== undefined && digest !== '' && !pushes.kept.has(reference)) {
    const other = await whyOther(run, reference, digest, build)
    if (other !== undefined) pushes.failures.push(other)
    if (!pushes.mayGoOn()) return { stage, digest, why: undefined }
  }
  const isJudged = decision.publish && stage.moving !== undefined && build !== undefined && digest !== ''
  const [why] = await Promise.all([
    isJudged ? whyWorse(run, stage, build, digest) : undefined,
    ...(isTarget ? tagsOfCommit(refs).map((further) => pushes.tag(further, digest)) : [])
  ])
  return { stage, digest, why }
}

async function whyStays(
  run: Pick<Run, 'plan' | 'registry'>,
  { moving, candidate }: StageBuild
): Promise<string | undefined> {
  const own = [candidate ?? [], moving ?? []].flat()
  const reasons = await Promise.all(own.map((reference) => whyNotOurTag(run, reference)))
  return reasons.find((reason) => reason !== undefined)
}

/** Returns the failure if a push, by name, pushed another image than this run built; undefined if not, or if it cannot be inspected. */
export async function whyOther(
  { plan, registry, log }: Pick<Run, 'plan' | 'registry' | 'log'>,
  reference: string,
  digest: string,
  { imageId }: Build
): Promise<Failure | undefined> {
  const { image, failure } = await registry.published(`${plan.inputs.image}@${digest}`)
  if (failure) {
    log.warning(
      `Cannot inspect the pushed image ${reference}, so it is unknown whether it can serve as a cache, and whether another run on the same engine has taken its name (${failure.message})`
    )
  }
  if (image?.ids === undefined || image.ids.includes(imageId)) return undefined
  return { kind: 'other-image', reference, pushed: digest, built: imageId }
}

/** Returns why the pushed image is a worse cache source than the published one; undefined if it is not. */
async function whyWorse(
  { plan, registry, log }: Pick<Run, 'plan' | 'registry' | 'log'>,
  stage: StageBuild,
  { steps, cacheSource }: Build,
  digest: string
): Promise<string | undefined> {
  // the legacy builder needs no cache metadata
  if (!plan.strategy.capabilities.cacheMetadata) return undefined
  const { image } = await registry.published(`${plan.inputs.image}@${digest}`)
  const why = image && whyNoCache(image, stage)
  if (image === undefined || why === undefined) return undefined
  const published = (await look(registry, cacheSource)).image
  const cached = steps.filter((step) => step.cached).length
  // from the published image, a run executes what this run executed; from the new one, what this run found cached
  if (missingRecords(image, stage) <= missingRecords(published, stage) || cached < steps.length - cached) {
    log.warning(`The next run will rebuild stage ${stage.name}: ${stage.reference} cannot serve as a cache (${why})`)
    return undefined
  }
  return why
}

/**
 * Keeps the published cache source if the new one is worse: under its moving tag, or that of production as the kept cache. Also
 * says if the moving tag stays for another reason.
 */
export async function hold(
  run: Pick<Run, 'plan' | 'registry'>,
  { stage, why, stays }: Judged,
  builds: readonly Build[]
): Promise<Publication['held'][number] | undefined> {
  const { refs } = run.plan
  const reference = stage.moving
  if (reference === undefined) return undefined
  if (stays !== undefined) return { reference, reason: `${reference} is not updated: ${stays}` }
  if (why === undefined) return undefined
  if (stage.kind !== 'production') {
    return {
      reference,
      reason: `${reference} is not updated: the new image would be a worse cache (${why})`
    }
  }
  const kept = keptCacheOf(refs.movingProduction)
  const source = builds.find(({ image }) => image === stage.reference)?.cacheSource
  // the image of a cache tag stays where it is, and so does the kept cache
  const isKept = source !== undefined && source !== refs.movingProduction
  const next = isKept ? source : kept
  const reason = `${reference} is updated, but would be a worse cache than before (${why}); the next run uses ${next}`
  if (isKept) return { reference, reason }
  const notOurs = await whyNotKept(run, kept)
  if (notOurs !== undefined) {
    return {
      reference,
      reason: `${reference} is updated, although it is a worse cache than before (${why}): ${notOurs}`
    }
  }
  const { failure } = await run.registry.tag(refs.movingProduction, [kept])
  if (failure === undefined) return { reference, reason }
  return {
    reference,
    reason: `${reference} is updated, although it is a worse cache than before (${why}): cannot write ${kept} (${failure.message})`
  }
}

/** Returns why the tag of the kept cache, which is a production image, must not be set. */
async function whyNotKept({ registry }: Pick<Run, 'registry'>, kept: string): Promise<string | undefined> {
  const labels = (await registry.published(kept)).image?.labels
  if (labels === undefined || isOfAction(labels)) return undefined
  return `${kept} names an image that this action did not make; delete that tag, or set the input latest-tag`
}
