import { setTimeout as sleep } from 'node:timers/promises'
import pRetry from 'p-retry'
import { CancelledError } from './errors.ts'
import type { Run } from './run.ts'

/** Milliseconds before the first repetition, doubled with each, and up to twice as long by chance: runs must not come in step. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 60_000

/** A result that may be another one if it is asked for again. */
class PassingFailure extends Error {}

/**
 * Does something again as long as its result says that the failure may pass, as often as the input `retries` allows.
 *
 * @param what for the log: `Push octo/app:latest`
 * @param whyAgain what failed for the moment; undefined of a result that stays what it is
 * @returns the last result; after a cancellation no further one is asked for
 * @throws what `attempt` throws, CancelledError if it is cancelled before there is any result
 */
export async function retry<T>(
  { plan, log, signal }: Pick<Run, 'plan' | 'log' | 'signal'>,
  what: string,
  attempt: () => Promise<T>,
  whyAgain: (result: T) => string | undefined
): Promise<T> {
  const results: T[] = []
  const once = async (): Promise<void> => {
    results.length = 0
    const result = await attempt()
    results.push(result)
    const why = whyAgain(result)
    if (why !== undefined) throw new PassingFailure(why)
  }
  try {
    await pRetry(once, {
      retries: plan.inputs.retries,
      minTimeout: FIRST_PAUSE,
      maxTimeout: LONGEST_PAUSE,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => error instanceof PassingFailure,
      onFailedAttempt: async ({ error, retryDelay, retriesLeft }) => {
        if (!(error instanceof PassingFailure) || retriesLeft === 0) return
        const pause = Math.max(retryDelay, askedPause(error.message))
        log.info(
          `${what} failed for the moment, so it is done again in ${(pause / 1_000).toFixed(1)} s: ${error.message}`
        )
        await sleep(pause - retryDelay, undefined, { signal })
      }
    })
  } catch (error) {
    if (results.length === 0) throw signal.aborted ? new CancelledError() : error
  }
  return results[0] as T
}

/** Milliseconds that a registry asks for in the text of its 429, as ghcr.io does: `retry-after: 1.5s`, a duration as Go prints it. */
export function askedPause(text: string): number {
  const [, duration = ''] = /retry-after: ((?:\d+(?:\.\d+)?(?:ms|µs|us|ns|h|m|s))+)/i.exec(text) ?? []
  const units: Record<string, number> = {
    h: 3_600_000,
    m: 60_000,
    s: 1_000,
    ms: 1,
    µs: 0.001,
    us: 0.001,
    ns: 0.000_001
  }
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|µs|us|ns|h|m|s)/g)]
  const sum = parts.reduce((total, [, number, unit = '']) => total + Number(number) * (units[unit] ?? 0), 0)
  return Math.min(Math.ceil(sum), LONGEST_PAUSE)
}
