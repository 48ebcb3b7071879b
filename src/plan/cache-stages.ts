import type { CacheStagesInput } from '../action/inputs.ts'
import { type Dockerfile, findStage, listStages, type Stage } from '../dockerfile/model.ts'
import { chainOf, neededStages } from '../dockerfile/stage-graph.ts'
import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'

/** A further stage that the action builds separately, because other stages copy from it. */
export interface CacheStage {
  stage: Stage
  /** The image that contains the layers of this stage; undefined if neither does, so that the stage becomes an image itself. */
  containedIn?: 'builder' | 'production'
}

/**
 * Finds the stages that a cache of only the builder and the production image would lose: inline cache metadata describes only
 * an image's own layers, so the engine executes a copied stage again as soon as an earlier line of the copying stage changes.
 *
 * @throws UserError if `choice` names a stage that does not exist, or that neither the builder nor the production stage needs
 */
export function findCacheStages(
  dockerfile: Dockerfile,
  builder: Stage,
  target: Stage,
  choice: CacheStagesInput
): CacheStage[] {
  const needing = neededStages(dockerfile, [builder, target])
  const needed = new Set(needing.map(({ index }) => index))
  const copiedFrom = new Set(needing.flatMap((stage) => stage.copiesFrom))
  const named =
    typeof choice === 'string' ? [] : choice.map((name) => find(dockerfile, name, needed, [builder, target]))
  const chains = { builder: chainOf(dockerfile, builder), production: chainOf(dockerfile, target) }

  return needing
    .filter(({ index }) => index !== builder.index && index !== target.index)
    .flatMap((stage): CacheStage[] => {
      if (named.includes(stage.index)) return [{ stage }]
      if (!copiedFrom.has(stage.index)) return []
      // if the builder stage is the production stage, there is only the production image
      if (builder !== target && chains.builder.includes(stage.index)) return [{ stage, containedIn: 'builder' }]
      if (chains.production.includes(stage.index)) return [{ stage, containedIn: 'production' }]
      return choice === 'auto' ? [{ stage }] : []
    })
}

function find(dockerfile: Dockerfile, name: string, needed: ReadonlySet<number>, published: Stage[]): number {
  const stage = findStage(dockerfile, name)
  if (!stage) {
    throw new UserError(
      `Input cache-stages names ${quote(name)}, but there is no such stage; the stages are: ${listStages(dockerfile)}`
    )
  }
  if (published.some(({ index }) => index === stage.index)) {
    throw new UserError(`Input cache-stages names ${quote(name)}, which is published anyway; remove that line`)
  }
  if (!needed.has(stage.index)) {
    throw new UserError(
      `Input cache-stages names ${quote(name)}, which neither the builder nor the production stage needs; remove that line`
    )
  }
  return stage.index
}
