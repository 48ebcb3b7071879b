import { setTimeout as sleep } from 'node:timers/promises'
import pRetry from 'p-retry'
import { CancelledError } from './errors.ts'
import type { Log } from './log.ts'

/** Milliseconds before the first repetition, doubled with each, and up to twice as long by chance: runs must not come in step. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 60_000

/** What a retry needs: `retries` after the first attempt, where to tell of them, and what ends the pauses. */
export interface Retry {
  retries: number
  log: Log
  signal: AbortSignal
}

/** A failure that may pass by itself. */
export interface TransientFailure {
  message: string
  /** Milliseconds to wait at least. */
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
 * Does something again after a transient failure, as often as the input `retries` allows.
 *
 * @param what for the log: `Push octo/app:latest`
 * @param whyAgain the transient failure of a result; undefined of one that stays what it is
 * @returns the last result; after a cancellation no further one is asked for
 * @throws what `attempt` throws, CancelledError if it is cancelled before there is any result
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
