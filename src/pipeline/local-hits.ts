import { type ContentKeys, chainOfKeys, shortKey } from '../cache/key-tags.ts'
import { readKeysLabel } from '../cache/keys-label.ts'
import { makesLayer } from '../dockerfile/steps.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build } from '../result/result.ts'

/**
 * Counts the cached steps of a build that neither its cache source nor an earlier build of the run has: the engine had them in its
 * local cache. Counts nothing if the content of the cache source is unknown.
 *
 * @param before the stages that this run built earlier
 */
export function countLocalHits(
  stage: StageBuild,
  { steps }: Pick<Build, 'steps'>,
  { image, failure }: ReadImage,
  keys: ContentKeys,
  before: readonly StageBuild[]
): number {
  const recorded = image && readKeysLabel(image.labels)?.chain.map(({ key }) => key)
  if (recorded === undefined && failure?.kind !== 'absent') return 0
  const earlier = before.flatMap((one) => chainOfKeys(one, keys)).flatMap(({ key }) => (key ? [shortKey(key)] : []))
  const known = new Set([...(recorded ?? []), ...earlier])
  const local = chainOfKeys(stage, keys).filter(
    (one) => one.key !== undefined && makesLayer(one) && !known.has(shortKey(one.key))
  )
  const lines = new Set(local.map(({ line }) => line))
  return steps.filter(({ cached, line }) => cached && line !== undefined && lines.has(line)).length
}
