import type { ExpectCache } from '../action/inputs.ts'
import { buildsOf, type Miss, type RunResult, type Step } from './result.ts'

/** How much of one stage came from the cache. */
export interface StageCache {
  stage: string
  cached: number
  total: number
  /** The first step that did not come from the cache, and why. */
  miss?: Miss
}

/** How much of all Dockerfile steps of a run came from the cache. */
export interface CacheVerdict {
  hit: 'full' | 'partial' | 'none'
  cached: number
  total: number
  stages: StageCache[]
}

/** Counts the Dockerfile steps of all builds. A run without any step has no hit, unless nothing had to be built. */
export function judgeCache(result: RunResult): CacheVerdict {
  const builds = buildsOf(result)
  const steps = once(builds.flatMap((build) => build.steps))
  const misses = builds.flatMap((build) => build.misses ?? [])
  const { cached, total } = count(steps)
  const names = [...new Set(steps.map(({ stage }) => stage))]
  return {
    hit: result.unchanged || (cached > 0 && cached === total) ? 'full' : cached === 0 ? 'none' : 'partial',
    cached,
    total,
    stages: names.map((stage) => {
      const miss = misses.find((other) => other.stage === stage)
      return { stage, ...count(steps.filter((step) => step.stage === stage)), ...(miss && { miss }) }
    })
  }
}

/** The steps of the publishing branch that the cache should have had: what to warn of, and what to fail for. */
export function judgeMisses(
  result: RunResult,
  expected: ExpectCache,
  publishes: boolean
): { warnings: Miss[]; failures: Miss[] } {
  if (expected === 'none' || !publishes) return { warnings: [], failures: [] }
  const misses = buildsOf(result)
    .flatMap((build) => build.misses ?? [])
    .filter(({ unexpected }) => unexpected)
  return expected === 'warn' ? { warnings: misses, failures: [] } : { warnings: [], failures: misses }
}

/** A step with its place in the Dockerfile. */
export function describeStep({ instruction, line }: Pick<Step, 'instruction' | 'line'>): string {
  return line === undefined ? instruction : `line ${line}: ${instruction}`
}

/** A stage may be part of several builds, of which only the first executes its steps. */
function once(steps: readonly Step[]): Step[] {
  const byPlace = new Map<string, Step>()
  for (const step of steps) {
    const place = `${step.stage} ${step.line ?? step.instruction}`
    const other = byPlace.get(place)
    if (!other || (other.cached && !step.cached)) byPlace.set(place, step)
  }
  return [...byPlace.values()]
}

function count(steps: readonly Step[]): { cached: number; total: number } {
  return { cached: steps.filter(({ cached }) => cached).length, total: steps.length }
}
