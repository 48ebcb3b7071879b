import { CancelledError } from './errors.ts'

/** Waits for all promises, then returns the results of the fulfilled ones, or throws the first rejection that is not a CancelledError. */
export async function settle<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  const unexpected = outcomes.find(
    (outcome) => outcome.status === 'rejected' && !(outcome.reason instanceof CancelledError)
  )
  if (unexpected?.status === 'rejected') throw unexpected.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}
