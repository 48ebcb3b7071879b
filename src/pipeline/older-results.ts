import { type ContentKeys, chainOfKeys } from '../cache/key-tags.ts'
import { isRecorded, readKeysLabel } from '../cache/keys-label.ts'
import { findStage } from '../dockerfile/model.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { Build } from '../result/result.ts'

/**
 * Returns whether a build may find results in its cache source that an earlier run made from other images than those just built
 * and tested: a stage that it reads executed steps in this run, because its own cache was lost, but the cache source has the
 * result of the same content keys. Commands may have another result each time.
 */
export async function hasOlderResults(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  stage: StageBuild,
  cacheSource: string,
  builds: readonly Build[],
  keys: ContentKeys
): Promise<boolean> {
  const indexOf = (name = ''): number | undefined =>
    (plan.dockerfile.stages.find((one) => nameOf(one) === name) ?? findStage(plan.dockerfile, name))?.index
  const executed = new Set(
    builds.flatMap(({ steps }) => steps.filter(({ cached }) => !cached).flatMap((step) => indexOf(step.stage) ?? []))
  )
  const isExecuted = (name: string | undefined): boolean => executed.has(indexOf(name) ?? -1)
  const reading = chainOfKeys(stage, keys).map(({ key, ingredients }) => ({
    key,
    readsExecuted: ingredients.some(({ kind, name }) => kind === 'stage' && isExecuted(name))
  }))
  if (stage.images.length === 0 || !reading.some(({ readsExecuted }) => readsExecuted)) return false
  const { image } = await registry.published(cacheSource)
  const recorded = readKeysLabel(image?.labels ?? {})?.chain
  return reading.some((one, index) => one.readsExecuted && isRecorded(one, recorded?.[index]))
}
