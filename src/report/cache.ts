import type { Step } from '../engine/progress.ts'
import type { RunResult } from '../run.ts'

/** How much of one stage came from the cache. */
export interface StageCache {
  stage: string
  cached: number
  total: number
}

/** How much of all Dockerfile steps of a run came from the cache. */
export interface CacheVerdict {
  hit: 'full' | 'partial' | 'none'
  cached: number
  total: number
  stages: StageCache[]
}

/** Counts the Dockerfile steps of both builds. A run without any step has no hit. */
export function judgeCache({ builder, production }: RunResult): CacheVerdict {
  const steps = [...(builder?.steps ?? []), ...(production?.steps ?? [])]
  const { cached, total } = count(steps)
  const names = [...new Set(steps.map(({ stage }) => stage))]
  return {
    hit: cached === 0 ? 'none' : cached === total ? 'full' : 'partial',
    cached,
    total,
    stages: names.map((stage) => ({ stage, ...count(steps.filter((step) => step.stage === stage)) }))
  }
}

function count(steps: readonly Step[]): { cached: number; total: number } {
  return { cached: steps.filter(({ cached }) => cached).length, total: steps.length }
}
