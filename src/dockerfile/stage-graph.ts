import { ascending, type Dockerfile, type Stage, type StageInstruction } from './model.ts'

/** Returns BuildKit's name of a stage in its output (moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go). */
export function nameOf({ name, index }: Pick<Stage, 'name' | 'index'>): string {
  return name ?? `stage-${index}`
}

/**
 * Returns the sorted indices of all stages that a build of `target` needs, including `target`.
 *
 * @param images stages that exist as images: the build needs them, but not their dependencies
 */
export function stagesNeededFor(
  dockerfile: Dockerfile,
  target: Stage,
  images: { has(index: number): boolean } = new Set()
): number[] {
  const needed = new Set([target.index])
  // the iteration includes elements that it adds to the set
  for (const index of needed) {
    const stage = dockerfile.stages[index]
    if (stage === undefined || images.has(index)) continue
    for (const edge of [stage.baseStage ?? [], stage.copiesFrom].flat()) needed.add(edge)
  }
  return ascending(needed)
}

/** Returns all stages that a build of any of `targets` needs, in the order of the file. */
export function neededStages(dockerfile: Dockerfile, targets: readonly Stage[]): Stage[] {
  const needed = new Set(targets.flatMap((target) => stagesNeededFor(dockerfile, target)))
  return dockerfile.stages.filter(({ index }) => needed.has(index))
}

/** Returns the images outside the Dockerfile that a build of any of `targets` reads, each once: bases, and sources of copies and mounts. */
export function imagesNeededFor(dockerfile: Dockerfile, targets: readonly Stage[]): string[] {
  const images = neededStages(dockerfile, targets).flatMap(({ baseImage, instructions }) => [
    ...(baseImage === undefined ? [] : [baseImage]),
    ...instructions.flatMap(({ imagesFrom }) => imagesFrom)
  ])
  return [...new Set(images)]
}

/** Returns the indices of the stages whose layers the image of `stage` contains: itself, and its bases by FROM. */
export function chainOf(dockerfile: Dockerfile, stage: Stage): number[] {
  const base = stage.baseStage === undefined ? undefined : dockerfile.stages[stage.baseStage]
  return [...(base ? chainOf(dockerfile, base) : []), stage.index]
}

/** The line of an executed trigger: a builder reports no line for it. */
export const TRIGGER_LINE = 0

/** Returns the ONBUILD instructions of a stage in the form that the stages built on it execute. */
export function triggersOf(stage: Stage | undefined): StageInstruction[] {
  const triggers = (stage?.instructions ?? []).filter(({ keyword }) => keyword === 'ONBUILD')
  return triggers.map((trigger) => {
    const text = trigger.text.replace(/^ONBUILD /, '')
    return { ...trigger, text, keyword: text.replace(/ .*/s, '').toUpperCase(), line: TRIGGER_LINE }
  })
}

/** @throws Error if the stage does not exist */
export function stageAt({ stages }: Dockerfile, index: number): Stage {
  const stage = stages[index]
  if (!stage) throw new Error(`The Dockerfile has no stage ${index}`)
  return stage
}
