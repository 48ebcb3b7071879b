import { createHash } from 'node:crypto'
import { type ContentKeys, chainOfKeys } from '../cache/key-tags.ts'
import { isRecorded, readKeysLabel } from '../cache/keys-label.ts'
import { failureOf } from '../docker/errors.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { look } from '../registry/look.ts'
import type { Build } from '../result/result.ts'

/** Label of an image that was built on the images of other stages: a hash of their layers. */
export const BUILT_ON_LABEL = 'shared-docker-layers.built-on'

/**
 * Returns a hash of the layers of the images on which a build builds; '' if there are none, undefined if the engine does not
 * have them.
 */
export async function hashOfImages(
  { docker, signal }: Pick<Run, 'docker' | 'signal'>,
  { images }: Pick<StageBuild, 'images'>
): Promise<string | undefined> {
  if (images.length === 0) return ''
  const names = images.map(({ image }) => image)
  const result = await docker.call(['image', 'inspect', '--format', '{{json .RootFS.Layers}}', ...names], {
    ...{ signal, bound: 'image' }
  })
  if (failureOf(result) !== undefined) return undefined
  return createHash('sha256').update(result.stdout.trim()).digest('hex').slice(0, 16)
}

/**
 * Returns whether a build may find results in its cache source that another run made from other images than those just built
 * and tested. Commands may have another result each time, so equal content keys do not prove equal content.
 *
 * @param builtOn `hashOfImages` of the build
 */
export async function hasOlderResults(
  { registry }: Pick<Run, 'registry'>,
  stage: StageBuild,
  cacheSource: string,
  builtOn: string | undefined,
  keys: ContentKeys
): Promise<boolean> {
  if (builtOn === '') return false
  const { image, failure } = await look(registry, cacheSource)
  if (failure?.kind === 'absent' || (image && image.labels[BUILT_ON_LABEL] === builtOn)) return false
  const recorded = readKeysLabel(image?.labels ?? {})?.chain
  const chain = chainOfKeys(stage, keys)
  if (builtOn === undefined || recorded === undefined || chain.length === 0) return true
  return chain.some(
    ({ key, ingredients }, index) =>
      key === undefined || (ingredients.some(({ kind }) => kind === 'stage') && isRecorded({ key }, recorded[index]))
  )
}

/**
 * Returns whether a build may have taken results from another image than the one that `hasOlderResults` judged, because a run has
 * set the tag of the cache source meanwhile.
 */
export async function hasMoved(
  { registry }: Pick<Run, 'registry'>,
  cacheSource: string,
  { failure, steps }: Pick<Build, 'failure' | 'steps'>
): Promise<boolean> {
  if (failure !== undefined || !steps.some(({ cached }) => cached)) return false
  const [{ image }, now] = await Promise.all([registry.published(cacheSource), registry.digest(cacheSource)])
  // of a registry that only the docker client can access, nothing else is known
  if (now.failure) return now.failure.kind !== 'absent' && !now.failure.clientMaySucceed
  return now.value !== image?.digest
}
