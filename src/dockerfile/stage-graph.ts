import { ascending, type Dockerfile, type Stage, type StageInstruction } from './model.ts'

/** As BuildKit names a stage in its output (moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go). */
export function nameOf({ name, index }: Pick<Stage, 'name' | 'index'>): string {
  return name ?? `stage-${index}`
}

/**
 * Indices of all stages that building `target` needs, `target` included, sorted.
 *
 * @param images stages that are there already: needed themselves, but nothing on their behalf
 */
export function stagesNeededFor(
  dockerfile: Dockerfile,
  target: Stage,
  images: { has(index: number): boolean } = new Set()
): number[] {
  const needed = new Set([target.index])
  // a set may grow while it is walked through
  for (const index of needed) {
    const stage = dockerfile.stages[index]
    if (stage === undefined || images.has(index)) continue
    for (const edge of [stage.baseStage ?? [], stage.copiesFrom].flat()) needed.add(edge)
  }
  return ascending(needed)
}

/** All stages that building any of `targets` needs, in the order of the file. */
export function neededStages(dockerfile: Dockerfile, targets: readonly Stage[]): Stage[] {
  const needed = new Set(targets.flatMap((target) => stagesNeededFor(dockerfile, target)))
  return dockerfile.stages.filter(({ index }) => needed.has(index))
}

/** The images outside the Dockerfile that building any of `targets` reads, each once: bases, and what is copied from or mounted. */
export function imagesNeededFor(dockerfile: Dockerfile, targets: readonly Stage[]): string[] {
  const images = neededStages(dockerfile, targets).flatMap(({ baseImage, instructions }) => [
    ...(baseImage === undefined ? [] : [baseImage]),
    ...instructions.flatMap(({ imagesFrom }) => imagesFrom)
  ])
  return [...new Set(images)]
}

/** Indices of the stages whose layers are in the image of `stage`: itself, and what its FROM leads to. */
export function chainOf(dockerfile: Dockerfile, stage: Stage): number[] {
  const base = stage.baseStage === undefined ? undefined : dockerfile.stages[stage.baseStage]
  return [...(base ? chainOf(dockerfile, base) : []), stage.index]
}

/** The line of a trigger where it is executed: a builder tells none. */
export const TRIGGER_LINE = 0

/** The ONBUILD instructions of a stage as the stages built on it execute them. */
export function triggersOf(stage: Stage | undefined): StageInstruction[] {
  const triggers = (stage?.instructions ?? []).filter(({ keyword }) => keyword === 'ONBUILD')
  return triggers.map((trigger) => {
    const text = trigger.text.replace(/^ONBUILD /, '')
    return { ...trigger, text, keyword: text.replace(/ .*/s, '').toUpperCase(), line: TRIGGER_LINE }
  })
}

/** @throws Error if there is no such stage */
export function stageAt({ stages }: Dockerfile, index: number): Stage {
  const stage = stages[index]
  if (!stage) throw new Error(`The Dockerfile has no stage ${index}`)
  return stage
}
