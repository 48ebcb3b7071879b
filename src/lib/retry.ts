import { setTimeout as sleep } from 'node:timers/promises'
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
  if (signal.aborted) throw new CancelledError()
  for (let attempts = 1; ; attempts++) {
    const result = await attempt().catch((error: unknown) => {
      throw signal.aborted ? new CancelledError() : error
    })
    const failure = whyAgain(result)
    if (failure === undefined || attempts > retries || signal.aborted) return result
    const growing = Math.min(FIRST_PAUSE * 2 ** (attempts - 1) * (1 + Math.random()), LONGEST_PAUSE)
    const pause = Math.max(growing, failure.pause ?? 0)
    log.info(
      `${what}: transient error, retrying in ${(pause / 1_000).toFixed(1)} s (attempt ${attempts + 1} of ${retries + 1}): ${failure.message}`
    )
    const isCancelled = await sleep(pause, false, { signal }).catch(() => true)
    if (isCancelled) return result
  }
}
