import { existsSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dockerfile } from '../dockerfile/model.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { rewriteDockerfile } from '../dockerfile/rewrite.ts'
import { stageAt, stagesNeededFor } from '../dockerfile/stage-graph.ts'
import type { Plan } from '../plan/plan.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild, StageImage } from '../plan/stage-builds.ts'
import { stagesBuiltBefore } from './stages-built-before.ts'

/** The source of a build: a Dockerfile, its path, and the value of `--target`. */
export interface Source {
  file: string
  dockerfile: Dockerfile
  /** undefined for the last stage, which may have no name: --target accepts only names. */
  target: string | undefined
  /** Text of a generated Dockerfile that is not written yet. */
  text?: string
}

/**
 * Returns the user's Dockerfile if it is suitable, or else a generated one whose last stage is the one to build.
 *
 * @param stageImages the images that replace other stages
 * @param isLegacy whether the builder is the legacy one: it builds all stages before the target, needed or not
 * @param ending instructions after the last of the stage, in a generated Dockerfile
 */
export function chooseSource(
  { dockerfile, file }: Plan,
  folder: string,
  { stage: index, name }: StageBuild,
  stageImages: readonly StageImage[],
  isLegacy = false,
  ending: readonly string[] = []
): Source {
  const stage = stageAt(dockerfile, index)
  const images = new Map(stageImages.map(({ stage: other, image }) => [other, image]))
  const needed = stagesNeededFor(dockerfile, stage)
  const isLast = stage.index === dockerfile.stages.length - 1
  const canBeTarget = isLast || stage.name !== undefined
  const isAllNeeded = !isLegacy || needed.length === stage.index + 1
  if (canBeTarget && isAllNeeded && !needed.some((one) => images.has(one))) {
    return { file, dockerfile, target: isLast ? undefined : stage.name }
  }
  const rewritten = rewriteDockerfile(dockerfile, stage, images, { handsOnArgs: !isLegacy })
  const text = ending.length === 0 ? rewritten : `${[rewritten, ...ending].join('\n')}\n`
  return { file: join(folder, `Dockerfile-${name}`), dockerfile: parseDockerfile(text), target: undefined, text }
}

/** Returns the images from which BuildKit must start a build, in a rewritten Dockerfile: none if it can use the user's own. */
export function replacingImages({ strategy, dockerfile }: Plan, stage: StageBuild): readonly StageImage[] {
  return strategy.capabilities.replacesStages || stagesBuiltBefore(dockerfile, stage).isIncomparable ? stage.images : []
}

/** Chooses the source like `chooseSource`, and writes a generated Dockerfile to its path. */
export async function prepareSource(
  { plan, folder }: Pick<Run, 'plan' | 'folder'>,
  stage: StageBuild,
  images: readonly StageImage[],
  isLegacy = false,
  ending: readonly string[] = []
): Promise<Source> {
  const source = chooseSource(plan, folder, stage, images, isLegacy, ending)
  if (source.text === undefined) return source
  await writeFile(source.file, source.text)
  // BuildKit looks for this file next to the Dockerfile
  const ignored = `${plan.file}.dockerignore`
  if (existsSync(ignored)) await copyFile(ignored, `${source.file}.dockerignore`)
  return source
}
