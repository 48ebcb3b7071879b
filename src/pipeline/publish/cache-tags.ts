import { whyNoCache } from '../../cache/cached-layers.ts'
import { cacheTagsOf } from '../../cache/key-tags.ts'
import { failureOf } from '../../docker/errors.ts'
import { describeLateness, timeOf } from '../../lib/bounds.ts'
import { settle } from '../../lib/settle.ts'
import { within } from '../../lib/within.ts'
import { isRefreshed } from '../../plan/no-cache.ts'
import type { Run } from '../../plan/run-context.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import type { Answer, RegistryFailure } from '../../registry/failure.ts'
import { sameImage } from '../../registry/image-reference.ts'
import { look } from '../../registry/look.ts'
import type { Build } from '../../result/result.ts'
import type { CacheSources, Caches } from '../cache-sources.ts'
import { Pushes } from './push.ts'
import { isTaken } from './verify.ts'

/** The part of a run that cache tags need. */
export type CacheTagsRun = Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>

/** Returns whether a run may write cache tags: never one that may not push. */
export function mayWriteCacheTags({ inputs, decision }: Run['plan']): boolean {
  if (!decision.push) return false
  return inputs.cacheTags === 'all' || (inputs.cacheTags === 'publish-branch' && decision.publish)
}

/** Returns the base image that moved after the keys were read: then the keys are not those of what was built. */
export function whichMoved(builds: readonly Build[], { digests }: Caches): string | undefined {
  const bases = builds.flatMap((build) => build.bases)
  const moved = bases.find(({ reference, digest }) =>
    [...digests].some(([other, known]) => sameImage(other, reference) && known !== digest)
  )
  return moved?.reference
}

/** Returns whether no other image contains the layers of a stage. */
function hasOwnImage({ kind, moving }: StageBuild): boolean {
  return kind === 'production' || moving !== undefined
}

/**
 * Gives the images of a run their cache tags, except those that exist, unless the run has refreshed what they name. The images
 * need not have passed their tests: a cache tag only says of what an image was made. A failure never fails the run.
 *
 * @param digests of the images that the run pushed under other tags, by reference in the engine; it adds those that it pushes
 * @returns the added tags
 */
export async function writeCacheTags(
  run: CacheTagsRun,
  builds: readonly Build[],
  caches: Caches,
  digests: Map<string, string>
): Promise<string[]> {
  if (!mayWriteCacheTags(run.plan)) return []
  const added: string[] = []
  // one after the other: the engine uploads layers that two images share only once
  for (const stage of run.plan.builds.toReversed()) {
    const build = builds.find(({ image }) => image === stage.reference)
    if (build === undefined || build.failure !== undefined || !hasOwnImage(stage)) continue
    // a cancellation must not hide which tags are added
    await settle([writeForOne(run, stage, build, caches, { digests, added })])
    if (run.signal.aborted) break
  }
  return added
}

async function writeForOne(
  run: CacheTagsRun,
  stage: StageBuild,
  build: Build,
  { keys, sources }: Caches,
  { digests, added }: { digests: Map<string, string>; added: string[] }
): Promise<void> {
  const { plan, registry } = run
  const { image } = plan.inputs
  const wanted = cacheTagsOf(image, stage, keys)
  const [longest] = wanted
  if (longest === undefined) return
  const outdated = isRefreshed(plan, stage) ? wanted : []
  const { value: missing, failure: unread } = await whichMissing(run, wanted, sources, outdated)
  if (unread) return tell(run, longest, unread)
  if (missing.length === 0) return
  const isNew = missing.includes(longest)
  const pushed = digests.get(stage.reference) ?? ''
  // the checks of a run that failed may have taken the name
  if (isNew && pushed === '' && (await isTaken(run, stage, build))) {
    run.log.warning(
      `No cache tags for stage ${stage.name}: ${stage.reference} names another image than the one that this run built`
    )
    return
  }
  const { digest, failure } = isNew ? await digestOfNew(run, stage, longest, pushed) : { digest: '' }
  if (failure !== undefined) return tell(run, longest, failure)
  if (digest !== '') digests.set(stage.reference, digest)
  if (isNew && pushed === '') added.push(longest)
  const source = isNew ? `${image}@${digest}` : longest
  const { image: record } = await look(registry, source)
  if (record?.ids !== undefined && isNew && !record.ids.includes(build.imageId)) {
    run.log.warning(
      `${longest} was pushed with another image than the one that this run built: another run on the same engine has taken the name`
    )
    return
  }
  const why = record && plan.strategy.capabilities.cacheMetadata ? whyNoCache(record, stage) : undefined
  if (record === undefined || why !== undefined) {
    run.log.info(
      `No cache tags for stage ${stage.name}: its image cannot serve as a cache (${why ?? 'it cannot be inspected'})`
    )
    return
  }
  for (const reference of missing.filter((one) => !added.includes(one))) {
    const { failure: notTagged } = await registry.tag(source, [reference])
    if (notTagged) return tell(run, reference, notTagged)
    added.push(reference)
  }
}

/** Returns those of the tags that do not exist in the registry, are outdated, or whose image cannot serve as a cache. */
async function whichMissing(
  { registry }: CacheTagsRun,
  references: readonly string[],
  sources: CacheSources,
  outdated: readonly string[]
): Promise<Answer<string[]>> {
  const exists = async (reference: string): Promise<Answer<boolean>> => {
    const known = outdated.includes(reference) ? false : sources.exists(reference)
    if (known !== undefined) return { value: known }
    const answer = await within(timeOf('look'), registry.digest(reference))
    if (answer === undefined) return { failure: { kind: 'unreachable', message: describeLateness('look') } }
    // a tag that cannot be read now may exist
    const { failure, value } = answer
    return failure?.kind === 'unreachable' ? { failure } : { value: value !== undefined }
  }
  const answers = await Promise.all(references.map(exists))
  const failed = answers.find(({ failure }) => failure !== undefined)
  return failed?.failure ? failed : { value: references.filter((_, index) => answers[index]?.value === false) }
}

/** Returns the digest of an image in the registry, and pushes it under its cache tag if the run has pushed it under no other. */
async function digestOfNew(
  run: CacheTagsRun,
  stage: StageBuild,
  reference: string,
  pushed: string
): Promise<{ digest: string; failure?: RegistryFailure }> {
  if (pushed !== '') return { digest: pushed }
  const { docker, signal } = run
  const failed = failureOf(await docker.call(['tag', stage.reference, reference], { signal, bound: 'image' }))
  if (failed !== undefined) return { digest: '', failure: { kind: 'unknown', message: failed } }
  const pushes = new Pushes(run, new Map())
  await pushes.push(reference)
  // a local name would hide the image in the registry from later builds on this engine
  await settle([docker.call(['image', 'rm', reference], { signal, bound: 'image' })])
  const [failure] = pushes.failures
  const digest = pushes.digests.get(reference) ?? ''
  if (failure?.kind === 'push') return { digest, failure: failure.failure }
  return digest === '' ? { digest, failure: { kind: 'unknown', message: 'docker reported no digest' } } : { digest }
}

function tell({ log }: CacheTagsRun, reference: string, { kind, message }: RegistryFailure): void {
  if (kind === 'immutable') {
    log.info(`${reference} keeps its image, because the registry does not let this tag change (${message})`)
    return
  }
  log.warning(
    `The cache tag ${reference} could not be written, so later runs may build these layers again (${message})`
  )
}
