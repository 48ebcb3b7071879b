import type { ExpectCache } from '../action/inputs.ts'
import { quote } from '../lib/text.ts'
import { buildsOf, type CacheOrigin, type Miss, type PlatformResult, type RunResult, type Step } from './result.ts'

/** Cached and total steps of one stage. */
export interface StageCache {
  stage: string
  cached: number
  total: number
  /** The first cache miss, with its reason. */
  miss?: Miss
}

/** Cached and total Dockerfile steps of a run. */
export interface CacheVerdict {
  hit: 'full' | 'partial' | 'none'
  cached: number
  total: number
  stages: StageCache[]
}

/** The part of a result that the verdict is about. */
type Built = Pick<RunResult, 'builder' | 'cacheStages' | 'production' | 'unchanged'>

/** Counts the Dockerfile steps of all builds. A run without steps has no hit, unless nothing needed to be built. */
export function judgeCache(result: Built): CacheVerdict {
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

/** Returns the verdict on all platforms, with the platform in the name of each stage. */
export function joinVerdicts(platforms: readonly PlatformResult[]): CacheVerdict {
  const all = platforms.map((one) => ({ platform: one.platform, verdict: judgeCache(one) }))
  const hits = new Set(all.map(({ verdict }) => verdict.hit))
  const sum = (of: 'cached' | 'total'): number => all.reduce((total, { verdict }) => total + verdict[of], 0)
  const [only = 'none'] = hits
  return {
    hit: hits.size > 1 ? 'partial' : only,
    cached: sum('cached'),
    total: sum('total'),
    stages: all.flatMap(({ platform, verdict }) =>
      verdict.stages.map((stage) => ({ ...stage, stage: `${stage.stage} (${platform})` }))
    )
  }
}

/** Returns the unexpected cache misses of a run of the publishing branch, as warnings or as failures. */
export function judgeMisses(
  result: RunResult,
  expected: ExpectCache,
  publishes: boolean
): { warnings: Miss[]; failures: Miss[] } {
  if (expected === 'none' || !publishes) return { warnings: [], failures: [] }
  const misses = [result, ...(result.platforms ?? [])]
    .flatMap(buildsOf)
    .flatMap((build) => build.misses ?? [])
    .filter(({ unexpected }) => unexpected)
  return expected === 'warn' ? { warnings: misses, failures: [] } : { warnings: [], failures: misses }
}

/** Returns the instruction of a step with its line in the Dockerfile. */
export function describeStep({ instruction, line }: Pick<Step, 'instruction' | 'line'>): string {
  return line === undefined ? instruction : `line ${line}: ${instruction}`
}

/** Returns what built the image of a cache source: `layers of commit 1a2b3c4 of branch "feature"`. */
export function describeOrigin({ commit, branch }: CacheOrigin): string {
  if (commit === '') return 'layers of an unknown commit'
  return `layers of commit ${commit.slice(0, 7)}${branch === '' ? '' : ` of branch ${quote(branch)}`}`
}

/** Counts a step once: a stage may be part of several builds, but only the first one executes its steps. */
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
