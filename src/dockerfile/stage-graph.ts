import { ascending, type Dockerfile, type Stage } from './model.ts'

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
