import { replayable } from '../docker/command-line.ts'
import { startsFromRefreshed, usesCacheSource } from '../plan/no-cache.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { chooseSource, replacingImages } from './build-source.ts'
import { inlineBuildArgs, inlineEnvironment } from './inline.ts'
import { isLabelledAtOnce, LEGACY, labelArgs, legacyBuildArgs } from './legacy.ts'

/** Returns the docker commands that run before the first build. */
export function commandsBeforehand(plan: Plan): string[] {
  const { strategy, builds } = plan
  if (strategy.name !== 'legacy' || !strategy.capabilities.reusesLayers) return []
  const caches = new Set(builds.filter((one) => usesCacheSource(plan, one)).map(({ cacheSource }) => cacheSource))
  return [...caches].map((cache) => replayable(['pull', cache]))
}

/**
 * Returns the docker commands that build a stage.
 *
 * @param folder placeholder for the folder of the action's files
 */
export function buildCommands(plan: Plan, stage: StageBuild, folder: string): string[] {
  return plan.strategy.name === 'legacy' ? legacyBuild(plan, stage, folder) : [inlineBuild(plan, stage, folder)]
}

function inlineBuild(plan: Plan, stage: StageBuild, folder: string): string {
  const { cacheSource, labels } = stage
  const images = startsFromRefreshed(plan, stage) ? stage.images : replacingImages(plan, stage)
  const source = chooseSource(plan, folder, stage, images)
  const args = inlineBuildArgs(plan, stage, source, { cacheSource, labels, idFile: `${folder}/id`, images })
  return replayable(args, inlineEnvironment(plan))
}

function legacyBuild(plan: Plan, stage: StageBuild, folder: string): string[] {
  const atOnce = isLabelledAtOnce(plan, stage)
  const idFile = `${folder}/id`
  const source = chooseSource(plan, folder, stage, stage.images, true)
  const isCached = plan.strategy.capabilities.reusesLayers && usesCacheSource(plan, stage)
  const cacheSource = isCached ? stage.cacheSource : undefined
  const { labels, tags } = atOnce ? stage : { labels: [], tags: [] }
  const args = legacyBuildArgs(plan, source, { cacheSource, labels, tags, idFile, isBase: stage.images.length === 0 })
  const label = replayable(labelArgs(stage, idFile), LEGACY, `FROM ${stage.name}, as just built\n`)
  return [replayable(args, LEGACY), ...(atOnce ? [] : [label])]
}
