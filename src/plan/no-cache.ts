import type { PublicInputs } from '../action/secrets.ts'
import { type Dockerfile, findStage, listStages, type Stage } from '../dockerfile/model.ts'
import { chainOf, nameOf, neededStages, stageAt, stagesNeededFor } from '../dockerfile/stage-graph.ts'
import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import type { Plan } from './plan.ts'
import type { StageBuild } from './stage-builds.ts'

type NoCacheInputs = Pick<PublicInputs, 'noCache' | 'noCacheFilters'>
type NoCachePlan = Pick<Plan, 'dockerfile' | 'builds'> & { inputs: NoCacheInputs }

/**
 * Validates the names in the input `no-cache-filters`.
 *
 * @throws UserError
 */
export function checkNoCacheFilters(dockerfile: Dockerfile, { noCacheFilters }: NoCacheInputs, needed: Stage[]): void {
  for (const name of noCacheFilters) {
    const stage = findStage(dockerfile, name)
    const input = `Input no-cache-filters names ${quote(name)}`
    if (!stage) throw new UserError(`${input}, but there is no such stage; the stages are: ${listStages(dockerfile)}`)
    if (stage.name === undefined) {
      // moby/buildkit frontend/dockerui, IsNoCache
      throw new UserError(`${input}, a stage without a name, which docker cannot select; give it one: FROM … AS NAME`)
    }
    if (!needed.some(({ index }) => index === stage.index)) {
      throw new UserError(`${input}, which neither the builder nor the production stage needs; remove that line`)
    }
  }
}

/** Returns the indices of the stages that a run builds without any cache: those that the inputs name, and those that are built on them. */
export function stagesWithoutCache({ dockerfile, inputs }: Pick<NoCachePlan, 'dockerfile' | 'inputs'>): Set<number> {
  const { noCache, noCacheFilters } = inputs
  const named = new Set(noCacheFilters.map((name) => findStage(dockerfile, name)?.index))
  const isWithout = (stage: Stage): boolean => noCache || chainOf(dockerfile, stage).some((index) => named.has(index))
  return new Set(dockerfile.stages.filter(isWithout).map(({ index }) => index))
}

/** Returns whether a run builds anything without a cache, so that what earlier runs have published is not to be reused. */
export function isRefreshing({ noCache, noCacheFilters }: NoCacheInputs): boolean {
  return noCache || noCacheFilters.length > 0
}

/** Returns whether the image of a build is newer than all that earlier runs have made of the same content. */
export function isRefreshed(
  plan: Pick<NoCachePlan, 'dockerfile' | 'inputs'>,
  { stage }: Pick<StageBuild, 'stage'>
): boolean {
  const without = stagesWithoutCache(plan)
  return stagesNeededFor(plan.dockerfile, stageAt(plan.dockerfile, stage)).some((index) => without.has(index))
}

/** Returns whether a build can reuse anything of its cache source: the lowest of its own stages may have a cache. */
export function usesCacheSource(
  plan: Pick<NoCachePlan, 'dockerfile' | 'inputs'>,
  { own }: Pick<StageBuild, 'own'>
): boolean {
  const without = stagesWithoutCache(plan)
  return own.some(({ stage }) => !without.has(stage))
}

/**
 * Returns the names of the stages that a build must execute without a cache: none that an earlier build of the run has executed,
 * because all images of a run have the same result of a stage. The name of a stage without one is `stage-N`.
 */
export function uncachedStages(
  plan: NoCachePlan,
  { stage: index, images }: Pick<StageBuild, 'stage' | 'images'>
): string[] {
  const { dockerfile, builds } = plan
  const without = stagesWithoutCache(plan)
  if (without.size === 0) return []
  const given = new Set(images.map(({ stage }) => stage))
  const earlier = builds.slice(
    0,
    builds.findIndex(({ stage }) => stage === index)
  )
  const built = neededStages(
    dockerfile,
    earlier.map(({ stage }) => stageAt(dockerfile, stage))
  )
  return stagesNeededFor(dockerfile, stageAt(dockerfile, index), given)
    .filter((one) => without.has(one) && !given.has(one) && !built.some((other) => other.index === one))
    .map((one) => nameOf(stageAt(dockerfile, one)))
}

/**
 * Returns whether a build must start from the images of the stages built before. An engine that is kept may have older results of
 * them, too. If the stage is built on one of them by FROM, the layers of its image tell; and built on an image, its own steps would
 * be of no use to later runs.
 */
export function startsFromRefreshed(
  plan: Pick<NoCachePlan, 'dockerfile' | 'inputs'>,
  { stage, images }: Pick<StageBuild, 'stage' | 'images'>
): boolean {
  const without = stagesWithoutCache(plan)
  const chain = chainOf(plan.dockerfile, stageAt(plan.dockerfile, stage))
  return images.some((image) => without.has(image.stage)) && !images.some((image) => chain.includes(image.stage))
}
