import { setTimeout as sleep } from 'node:timers/promises'
import pRetry from 'p-retry'
import { CancelledError } from './errors.ts'
import type { Log } from './log.ts'

/** Milliseconds before the first retry, doubled with each. A random factor of up to 2 prevents runs from retrying in step. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 60_000

/** Options of retries: their number after the first attempt, the log that reports them, and the signal that ends the pauses. */
export interface Retry {
  retries: number
  log: Log
  signal: AbortSignal
}

/** A transient error, as data. */
export interface TransientFailure {
  message: string
  /** Minimum pause in milliseconds. */
  pause?: number
}

class TransientError extends Error {
  readonly pause: number

  constructor({ message, pause = 0 }: TransientFailure) {
    super(message)
    this.pause = pause
  }
}

/**
 * Retries an operation after a transient error, as often as the input `retries` allows.
 *
 * @param what description for the log: `Push octo/app:latest`
 * @param whyAgain returns the transient error of a result, or undefined if the result is final
 * @returns the last result; a cancellation prevents further attempts
 * @throws any error of `attempt`; CancelledError if the run is cancelled before the first result
 */
export async function retry<T>(
  { retries, log, signal }: Retry,
  what: string,
  attempt: () => Promise<T>,
  whyAgain: (result: T) => TransientFailure | undefined
): Promise<T> {
  const results: T[] = []
  const once = async (): Promise<void> => {
    results.length = 0
    const result = await attempt()
    results.push(result)
    const failure = whyAgain(result)
    if (failure) throw new TransientError(failure)
  }
  try {
    await pRetry(once, {
      retries,
      minTimeout: FIRST_PAUSE,
      maxTimeout: LONGEST_PAUSE,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => error instanceof TransientError,
      onFailedAttempt: async ({ error, retryDelay, retriesLeft, attemptNumber }) => {
        if (!(error instanceof TransientError) || retriesLeft === 0) return
        const pause = Math.max(retryDelay, error.pause)
        log.info(
          `${what}: transient error, retrying in ${(pause / 1_000).toFixed(1)} s (attempt ${attemptNumber + 1} of ${retries + 1}): ${error.message}`
        )
        await sleep(pause - retryDelay, undefined, { signal })
      }
    })
  } catch (error) {
    if (results.length === 0) throw signal.aborted ? new CancelledError() : error
  }
  return results[0] as T
}
