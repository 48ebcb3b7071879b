import type { Docker } from '../docker/docker.ts'
import type { Dockerfile, Stage, StageInstruction } from '../dockerfile/model.ts'
import { chainOf, nameOf, neededStages, stageAt, stagesNeededFor } from '../dockerfile/stage-graph.ts'
import { isExecuted } from '../dockerfile/steps.ts'
import { list, parseJson } from '../lib/json.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { Step } from '../result/result.ts'

/** The stages that a build needs, split into those that earlier builds of the run have built, and the others. */
export interface StagesBuiltBefore {
  /** Names of the stages that are images. */
  images: ReadonlySet<string>
  /** The stages that are images, and all that these needed: the build takes them from the engine's local cache. */
  before: Stage[]
  /** The stages whose steps the build would also have if it started from the images. */
  own: Stage[]
  /** Whether the build has other steps for them than the earlier builds, or its progress cannot tell them apart. */
  isIncomparable: boolean
}

export function stagesBuiltBefore(
  dockerfile: Dockerfile,
  { stage: index, images }: Pick<StageBuild, 'stage' | 'images'>
): StagesBuiltBefore {
  const stage = stageAt(dockerfile, index)
  const needed = neededStages(dockerfile, [stage])
  const given = needed.filter((other) => images.some((image) => image.stage === other.index))
  const isGiven = new Set(given.map((other) => other.index))
  const before = neededStages(dockerfile, given)
  const own = stagesNeededFor(dockerfile, stage, isGiven).filter((other) => !isGiven.has(other))
  return {
    images: new Set(given.map(nameOf)),
    before,
    own: own.map((other) => stageAt(dockerfile, other)),
    // a second stage may have the same name
    isIncomparable:
      new Set(needed.map(nameOf)).size < needed.length ||
      before.some(({ instructions }) => instructions.some(isForTarget))
  }
}

/** Returns whether an instruction declares the name of the stage to build, which differs from build to build. */
function isForTarget({ keyword, text }: StageInstruction): boolean {
  return keyword === 'ARG' && /\bTARGETSTAGE\b/.test(text)
}

/** The steps that the builds of a run have treated so far. */
export class SeenSteps {
  readonly #seen = new Set<string>()

  /** Adds the steps of a build; returns the first that it executed although an earlier build had its result. */
  add(steps: readonly Step[], { images, before, own }: StagesBuiltBefore): Step | undefined {
    const names = new Set(before.map(nameOf))
    const stages = [...before, ...own]
    const hidden = new Set(before.flatMap((stage) => hiddenSteps(steps, stage, stages)).map(({ origin }) => origin))
    const again = steps.find((step) => {
      if (step.cached) return false
      if (!names.has(step.stage)) return hidden.has(originOf(step, stages) ?? '')
      // the engine may have skipped a step below a cached one, but not if the step's stage is an image
      return images.has(step.stage) || this.#seen.has(placeOf(step))
    })
    for (const step of steps) this.#seen.add(placeOf(step))
    return again
  }
}

/** Returns the steps of a build without those that only other builds of the run count. */
export function ownSteps(steps: readonly Step[], { before, own }: StagesBuiltBefore): Step[] {
  const stages = [...before, ...own]
  const names = new Set(own.map(nameOf))
  const hidden = own.flatMap((stage) => hiddenSteps(steps, stage, stages))
  return steps.flatMap((step) => {
    const origin = originOf(step, stages)
    if (!step.cached || origin === undefined || names.has(step.stage)) return [step]
    return hidden.filter((other) => other.origin === origin).map(({ stage, line }) => ({ ...step, stage, line }))
  })
}

/** An instruction that no step of the progress names: it shows a step that two stages share once, under the name of one of them. */
interface HiddenStep {
  stage: string
  line: number
  origin: string
}

function hiddenSteps(steps: readonly Step[], stage: Stage, stages: readonly Stage[]): HiddenStep[] {
  const name = nameOf(stage)
  return stage.instructions
    .filter(isExecuted)
    .filter(({ line }) => !steps.some((step) => step.stage === name && step.line === line))
    .map(({ line }) => ({ stage: name, line, origin: originAt(stage, line, stages) }))
}

/** Returns what makes a step the same in two stages: the base image and the executed instructions up to the step. */
function originAt(stage: Stage, line: number, stages: readonly Stage[]): string {
  const base = stages.find(({ index }) => index === stage.baseStage)
  const below = base ? originAt(base, Number.POSITIVE_INFINITY, stages) : (stage.baseImage ?? stage.base)
  const own = stage.instructions.filter((instruction) => instruction.line <= line && isExecuted(instruction))
  return [below, ...own.map(({ text }) => text)].join('\n')
}

function originOf(step: Step, stages: readonly Stage[]): string | undefined {
  const stage = stages.find((other) => nameOf(other) === step.stage)
  return stage && originAt(stage, step.line ?? 0, stages)
}

function placeOf({ stage, line, instruction }: Step): string {
  return `${stage} ${line ?? instruction}`
}

/** Returns the image from which the built image should begin by FROM but does not, by their layers in the engine. */
export async function missingBelow(
  docker: Docker,
  dockerfile: Dockerfile,
  { stage, images, reference }: StageBuild,
  signal: AbortSignal
): Promise<string | undefined> {
  const chain = chainOf(dockerfile, stageAt(dockerfile, stage))
  const base = images.findLast((image) => chain.includes(image.stage))?.image
  if (base === undefined) return undefined
  const args = ['image', 'inspect', '--format', '{{json .RootFS.Layers}}', base, reference]
  const { stdout } = await docker.call(args, { signal, bound: 'image' })
  const [below, built] = stdout.split('\n').map((line) => parseJson(line))
  // an image without layers has null
  const isBelow = below !== undefined && list(below).every((layer, index) => layer === list(built)[index])
  return isBelow ? undefined : base
}
