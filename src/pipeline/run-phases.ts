import { whyEngineGone } from '../docker/errors.ts'
import { CancelledError } from '../lib/errors.ts'
import type { Run } from '../plan/run-context.ts'
import { emptyResult, failureOfError, type RunResult } from '../result/result.ts'
import { createStrategy } from '../strategy/create-strategy.ts'
import type { Strategy } from '../strategy/strategy.ts'

/** Runs phases, and ends everything that they began. The result includes failures and a cancellation. */
export async function runPhases(
  run: Run,
  phases: (strategy: Strategy, result: RunResult) => Promise<void>
): Promise<RunResult> {
  const result = emptyResult()
  const strategy = createStrategy(run)
  try {
    await phases(strategy, result)
  } catch (error) {
    result.cancelled = error instanceof CancelledError
    result.failures.push(failureOfError(error))
  } finally {
    // first, because the strategy may be waiting for a registry
    await run.registry.end()
    await strategy.end()
  }
  // each failure that a stopped engine caused has another message
  const gone = result.failures.length > 0 && !result.cancelled ? await whyEngineGone(run.docker, run.signal) : undefined
  if (gone !== undefined) result.failures.unshift({ kind: 'engine-gone', message: gone })
  return result
}
