import { setTimeout as sleep } from 'node:timers/promises'

/** Returns the result of work, or undefined if it takes longer than a time in milliseconds; then the work goes on. */
export async function within<T>(longest: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController()
  try {
    return await Promise.race([work, sleep(longest, undefined, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}
