import { isDeepStrictEqual } from 'node:util'
import { type ContentKeys, chainOfKeys, shortKey } from '../cache/key-tags.ts'
import { readKeysLabel } from '../cache/keys-label.ts'
import { CancelledError } from '../lib/errors.ts'
import { secondsSince } from '../lib/timeline.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Run } from '../plan/run-context.ts'
import { VARIANT_LABEL } from '../plan/variant.ts'
import type { Failure, PlatformResult, Publication, RunResult, Unchanged } from '../result/result.ts'
import { warnOfOtherVariant, warnOfReplacement } from './publish/promote.ts'
import { tagUnchanged } from './publish/publish.ts'

/** The image of one platform in the registry. */
export type PlatformImage = Pick<PlatformResult, 'platform' | 'digest'>

/**
 * Publishes one index of the images of all platforms: under the commit's tag first, then under all other tags, by the same rules
 * as an image of one platform.
 *
 * @param run its plan is that of the whole image
 */
export async function joinPlatforms(
  run: Run,
  images: readonly PlatformImage[],
  result: Pick<RunResult, 'publication' | 'failures'>
): Promise<void> {
  if (!run.plan.decision.push) return
  result.publication = await run.timeline.measure('publish', 'Join the platforms', () => publishIndex(run, images))
  result.failures.push(...result.publication.failures)
  if (run.signal.aborted) throw new CancelledError()
  if (result.failures.length === 0) await warnOfReplacement(run, result.publication.digest)
}

async function publishIndex(run: Run, images: readonly PlatformImage[]): Promise<Publication> {
  const { plan } = run
  const start = performance.now()
  await warnOfOtherVariant(run)
  const made = await makeIndex(run, images)
  if (typeof made !== 'string') {
    const nothing = { pushed: [], published: false, digest: '', digests: {}, held: [] }
    return { ...nothing, seconds: secondsSince(start), failures: [made] }
  }
  const { sha: commit } = plan.commit
  const index: Unchanged = { image: `${plan.inputs.image}@${made}`, digest: made, commit, builderCommit: commit }
  const tagged = new Map([[plan.refs.production, made]])
  const published = await tagUnchanged(run, index, new Map(), new Map(), tagged)
  return { ...published, seconds: secondsSince(start) }
}

/** Returns the digest of the index, which the commit's tag names then, or the failure. */
async function makeIndex(run: Run, images: readonly PlatformImage[]): Promise<string | Failure> {
  const { plan, registry } = run
  const { production } = plan.refs
  const references = images.map(({ digest }) => `${plan.inputs.image}@${digest}`)
  const contents = await Promise.all(references.map((reference) => registry.content(reference)))
  const unread = contents.findIndex(({ failure }) => failure !== undefined)
  if (unread !== -1) {
    const message = `The image of ${images[unread]?.platform} (${references[unread]}) cannot be read: ${contents[unread]?.failure?.message}`
    return { kind: 'error', message }
  }
  for (const [index, { platform }] of images.entries()) {
    const { image } = await registry.current(references[index] ?? '')
    if (image?.platform === undefined || platform === image.platform || platform.startsWith(`${image.platform}/`))
      continue
    const message = `The image of ${platform} (${references[index]}) is one for ${image.platform}, so nothing is joined; let the production stage have no other --platform than $TARGETPLATFORM`
    return { kind: 'error', message }
  }
  const wanted = contents.flatMap(({ value }) => value?.images ?? [])
  const before = await registry.content(production)
  // a run that is repeated must not need the right to change a tag
  if (before.value && isSame(before.value.images, wanted)) return before.value.digest
  const labels = plan.builds.at(-1)?.labels ?? []
  const failure = await registry.join(production, references, labels)
  if (failure) {
    const holds = failure.kind === 'immutable' ? 'another image' : undefined
    return { kind: 'push', reference: production, failure, ...(holds !== undefined && { holds }) }
  }
  const after = await registry.content(production)
  if (after.failure) return { kind: 'push', reference: production, failure: after.failure }
  if (isSame(after.value.images, wanted)) return after.value.digest
  const message = `${production} does not name the images that this run joined (${images.map(({ digest }) => digest).join(', ')}), so no other tag is set: another run has set it; run this job again`
  return { kind: 'error', message }
}

function isSame(images: readonly string[], wanted: readonly string[]): boolean {
  return isDeepStrictEqual(new Set(images), new Set(wanted))
}

/**
 * Returns why an image is not what a run of this commit has pushed for its platform, as one clause; undefined if it is. The tag of
 * the platform counts, which only runs set that passed all tests.
 *
 * @param run its plan is that of the platform
 * @param digest what another machine tells
 */
export async function whyOtherImage(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  digest: string,
  keys: ContentKeys
): Promise<string | undefined> {
  const { production } = plan.refs
  const { image, failure } = await registry.current(production)
  if (failure) return `${production} cannot be inspected (${failure.message})`
  if (image.digest !== digest) return `${production} names another image (${image.digest ?? 'unknown'})`
  const { [REVISION_LABEL]: revision = '', [VARIANT_LABEL]: variant = '' } = image.labels
  if (variant !== plan.variant) return `${production} is another variant of the image of this commit`
  if (revision === plan.commit.sha) return undefined
  // a run that had nothing to do has only tagged the image of another commit
  const build = plan.builds.at(-1)
  const own = build && chainOfKeys(build, keys).map(({ key }) => (key === undefined ? '' : shortKey(key)))
  const recorded = readKeysLabel(image.labels)?.chain.map(({ key }) => key)
  if (own?.length && !own.includes('') && own.join() === recorded?.join()) return undefined
  return `${production} is an image of commit ${revision || 'unknown'}, and it is not known to have the content of this one`
}
