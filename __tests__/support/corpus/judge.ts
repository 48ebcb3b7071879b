import type { Step } from '../harness.ts'
import { type Instruction, type Kind, plain, type State } from './shape.ts'

/** Says of one commit what is not as it should be. */
export interface Judgement {
  /** Steps that were executed, though nothing they depend on differs from what was published last. */
  misses: string[]
  /** Contradictions between the report, the stamps and the sources. */
  lies: string[]
}

/** The legacy builder calls every instruction a step, and executes all that come after an executed one. */
const COUNTED = /^(?:ADD|COPY|RUN|WORKDIR)\b/

function nameOf({ stage, instruction }: Pick<Step, 'stage' | 'instruction'>): string {
  return `${stage}: ${instruction}`
}

/** Steps of all builds of a run, in the report's order, whatever else the report says. */
export function allSteps(report: unknown): Step[] {
  if (typeof report !== 'object' || report === null) return []
  const { steps } = report as { steps?: unknown }
  return Array.isArray(steps) ? (steps as Step[]) : Object.values(report).flatMap(allSteps)
}

/**
 * @param changed what differs from the commit that was published last
 * @param stamps of the commit's image, by name
 * @param before stamps of the images of all earlier commits: content keys find any of them
 */
export function judgeSteps(
  steps: Step[],
  instructions: Instruction[],
  changed: Kind[],
  stamps: Map<string, string>,
  before: readonly Map<string, string>[]
): Judgement {
  const expected = instructions.filter(({ changes }) => changes.some((kind) => changed.includes(kind)))
  const executed = steps.filter(({ cached, instruction }) => !cached && COUNTED.test(instruction))
  const lies = instructions.flatMap((instruction) => {
    const matching = steps.filter((step) => is(step, instruction))
    const wasExecuted = matching.some(({ cached }) => !cached)
    return instruction.stamps.flatMap((name) => {
      const hasChanged = before.every((one) => stamps.get(name) !== one.get(name))
      // the legacy builder does not report the steps of ONBUILD
      if (matching.length === 0)
        return hasChanged && !expected.includes(instruction) ? [`stamp ${name} has changed`] : []
      if (hasChanged === wasExecuted) return []
      return [`stamp ${name} has ${hasChanged ? '' : 'not '}changed, ${wasExecuted ? 'executed' : 'cached'} as it is`]
    })
  })
  return { misses: executed.filter((step) => !expected.some((one) => is(step, one))).map(nameOf), lies }
}

/** What an image that prints `source 1` and so on says of another commit than its own. */
export function judgePrinted(printed: string, state: State): string[] {
  const said = [...printed.matchAll(/\b(source|dependencies|tail|commit) (\d+)/g)]
  const wrong = said.filter(([, kind, version]) => state[kind as Kind] !== Number(version)).map(([text]) => text)
  const unsaid = ['source', 'dependencies', 'tail'].filter((kind) => !said.some((match) => match[1] === kind))
  return [...wrong.map((text) => `the image says ${text}`), ...unsaid.map((kind) => `the image says no ${kind}`)]
}

export function readStamps(printed: string): Map<string, string> {
  return new Map(
    [...printed.matchAll(/^stamp-([\w-]+):(\w{32})\b/gm)].map(([, name = '', value = '']) => [name, value])
  )
}

function is(step: Step, { stage, start }: Instruction): boolean {
  return step.stage === stage && plain(step.instruction).startsWith(start)
}
