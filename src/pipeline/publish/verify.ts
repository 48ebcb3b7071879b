import { missingRecords, whyNoCache } from '../../cache/cached-layers.ts'
import { failureOf } from '../../docker/errors.ts'
import { keptCacheOf } from '../../plan/references.ts'
import type { Run } from '../../plan/run-context.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import type { Build, Failure, Publication, TestResult } from '../../result/result.ts'
import type { Pushes } from './push.ts'

/**
 * Returns the failure if the images to push are not those that this run built and tested; undefined if they are. A push goes by
 * name, and another run on the same engine sets the same names.
 */
export async function whyTaken(
  { plan, docker, signal }: Pick<Run, 'plan' | 'docker' | 'signal'>,
  stages: readonly StageBuild[],
  tests: readonly TestResult[]
): Promise<Failure | undefined> {
  const names = stages.flatMap(({ tags }) => tags)
  const result = await docker.call(['image', 'inspect', '--format', '{{.Id}}', ...names], { signal })
  const failure = failureOf(result)
  if (failure !== undefined) return { kind: 'images-gone', message: failure }
  const ids = new Map(result.stdout.split('\n').map((id, index) => [names[index], id.trim()]))
  const builder = ids.get(plan.refs.builder)
  const isOther = (id: string | undefined): boolean => id !== undefined && builder !== undefined && id !== builder
  const taken =
    stages.flatMap(({ reference, tags }) => tags.filter((tag) => ids.get(tag) !== ids.get(reference)))[0] ??
    (tests.some(({ imageId }) => isOther(imageId)) ? plan.refs.builder : undefined)
  return taken === undefined ? undefined : { kind: 'name-taken', reference: taken }
}

/** A pushed image, compared with the published one. */
export interface Judged {
  stage: StageBuild
  /** Digest of the pushed image; '' if it was not pushed, or the digest is unknown. */
  digest: string
  /** Why it is a worse cache source than the published one; undefined if it is not. */
  why: string | undefined
}

/** Pushes an image of the run under a tag that no build uses as its cache source, and inspects it there. */
export async function pushForLook(
  run: Pick<Run, 'plan' | 'registry' | 'log'>,
  pushes: Pushes,
  stage: StageBuild,
  builds: readonly Build[]
): Promise<Judged> {
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

/** Returns the failure if a push, by name, pushed another image than this run built; undefined if not, or if it cannot be inspected. */
async function whyOther(
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
  const published = (await registry.published(cacheSource)).image
  const cached = steps.filter((step) => step.cached).length
  // from the published image, a run executes what this run executed; from the new one, what this run found cached
  if (missingRecords(image, stage) <= missingRecords(published, stage) || cached < steps.length - cached) {
    log.warning(`The next run will rebuild stage ${stage.name}: ${stage.reference} cannot serve as a cache (${why})`)
    return undefined
  }
  return why
}

/** Keeps the published cache source if the new one is worse: under its moving tag, or that of production as the kept cache. */
export async function hold(
  run: Pick<Run, 'plan' | 'registry'>,
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
      reason: `${reference} is not updated: the new image would be a worse cache (${why})`
    }
  }
  const kept = keptCacheOf(refs.movingProduction)
  const reason = `${reference} is updated, but would be a worse cache than before (${why}); the next run uses ${kept}`
  if (builds.find(({ image }) => image === stage.reference)?.cacheSource === kept) return { reference, reason }
  const { failure } = await run.registry.tag(refs.movingProduction, [kept])
  if (failure === undefined) return { reference, reason }
  return {
    reference,
    reason: `${reference} is updated, although it is a worse cache than before (${why}): cannot write ${kept} (${failure.message})`
  }
}
