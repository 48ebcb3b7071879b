import type { InstructionKey, StageKeys } from '../../src/cache/content-keys.ts'
import type { PrintedStep } from '../../src/docker/progress/reader.ts'
import type { Dockerfile } from '../../src/dockerfile/model.ts'
import { nameOf } from '../../src/dockerfile/stage-graph.ts'

/** A build as an engine did it, and what was expected of it. */
export interface JudgedBuild {
  what: string
  dockerfile: Dockerfile
  steps: PrintedStep[]
  hasFailed: boolean
  keys: ReadonlyMap<number, StageKeys>
}

export interface KeyJudgement {
  faults: string[]
  executed: number
  cached: number
  /** Steps without a key. */
  unknown: number
  /** Cached steps with a new key that copy from a stage, or follow such a one. */
  excused: number
}

/** The step of an instruction; BuildKit counts FROM unless it names a stage or scratch. */
function printedOf(build: JudgedBuild, stage: number, index: number): PrintedStep | undefined {
  const { base, name, baseStage } = build.dockerfile.stages[stage] ?? { base: '', index: stage }
  const isCounted = baseStage === undefined && base !== 'scratch'
  const called = nameOf({ index: stage, ...(name !== undefined && { name }) })
  return build.steps.find((step) => step.stage === called && step.number === index + (isCounted ? 2 : 1))
}

/** Compares keys with what the same engine executed in one build after the other. */
export function judgeKeys(builds: readonly JudgedBuild[]): KeyJudgement {
  const seen = new Map<string, string>()
  // a build that fails may finish steps without saying so, and calls steps cached that it only looked for
  const maybeSeen = new Set<string | undefined>()
  const judgement: KeyJudgement = { faults: [], executed: 0, cached: 0, unknown: 0, excused: 0 }
  for (const build of builds) {
    const now = [...build.keys].flatMap(([stage, { instructions }]) => {
      const steps = instructions.filter(({ isStep }) => isStep)
      return steps.map((key, index) => ({ stage, key, printed: printedOf(build, stage, index) }))
    })
    if (build.hasFailed) {
      for (const { key } of now) maybeSeen.add(key.key)
      continue
    }
    const done = now.filter(({ printed }) => printed !== undefined && printed.error === undefined)
    const executedNow = new Set(done.filter(({ printed }) => !printed?.cached).map(({ key }) => key.key))
    const loose = new Set<number>()
    for (const { stage, key, printed } of now) {
      const baseStage = build.dockerfile.stages[stage]?.baseStage
      if (baseStage !== undefined && loose.has(baseStage)) loose.add(stage)
      if (printed === undefined || printed.error !== undefined) continue
      judgement[printed.cached ? 'cached' : 'executed']++
      if (key.key === undefined) {
        judgement.unknown++
        continue
      }
      const before = seen.get(key.key)
      const isNew = before === undefined && !executedNow.has(key.key) && !maybeSeen.has(key.key)
      const where = `${build.what}: ${printed.stage} ${printed.instruction}`
      // what has no input at all is never called cached
      const hasInput = build.dockerfile.stages[stage]?.base !== 'scratch' || printed.number > 1
      if (!printed.cached && before !== undefined && hasInput)
        judgement.faults.push(`executed again: ${where}; seen in ${before}`)
      if (printed.cached && isNew && key.keyword !== 'WORKDIR') {
        if (loose.has(stage) || readsStage(key)) {
          judgement.excused++
          loose.add(stage)
        } else judgement.faults.push(`cached, but new: ${where}`)
      }
    }
    for (const { key } of done) if (key.key !== undefined && !seen.has(key.key)) seen.set(key.key, build.what)
  }
  return judgement
}

function readsStage({ ingredients }: InstructionKey): boolean {
  return ingredients.some(({ kind }) => kind === 'stage')
}
