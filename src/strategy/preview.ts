import { replayable } from '../docker/command-line.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { chooseSource, replacingImages } from './build-source.ts'
import { inlineBuildArgs, inlineEnvironment } from './inline.ts'
import { isLabelledAtOnce, LEGACY, labelArgs, legacyBuildArgs } from './legacy.ts'

/** Returns the docker commands that run before the first build. */
export function commandsBeforehand({ strategy, builds }: Plan): string[] {
  if (strategy.name !== 'legacy' || !strategy.capabilities.reusesLayers) return []
  const caches = new Set(builds.map(({ cacheSource }) => cacheSource))
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
  const source = chooseSource(plan, folder, stage, replacingImages(plan, stage))
  const args = inlineBuildArgs(plan, stage, source, { cacheSource, labels, idFile: `${folder}/id` })
  return replayable(args, inlineEnvironment(plan))
}

function legacyBuild(plan: Plan, stage: StageBuild, folder: string): string[] {
  const atOnce = isLabelledAtOnce(plan, stage)
  const idFile = `${folder}/id`
  const source = chooseSource(plan, folder, stage, stage.images, true)
  const cacheSource = !plan.strategy.capabilities.reusesLayers ? undefined : stage.cacheSource
  const { labels, tags } = atOnce ? stage : { labels: [], tags: [] }
  const args = legacyBuildArgs(plan, source, { cacheSource, labels, tags, idFile })
  const label = replayable(labelArgs(stage, idFile), LEGACY, `FROM ${stage.name}, as just built\n`)
  return [replayable(args, LEGACY), ...(atOnce ? [] : [label])]
}
