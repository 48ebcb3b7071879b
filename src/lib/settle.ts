import { CancelledError } from './errors.ts'

/** Waits for all promises. Throws the first rejection that is not a CancelledError, otherwise returns the results of the fulfilled promises. */
export async function settle<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  const unexpected = outcomes.find(
    (outcome) => outcome.status === 'rejected' && !(outcome.reason instanceof CancelledError)
  )
  if (unexpected?.status === 'rejected') throw unexpected.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}
