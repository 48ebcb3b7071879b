import { CancelledError } from './errors.ts'

/** The results of what went well; waits for all of it, also if something no one expects goes wrong. */
export async function settle<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  const unexpected = outcomes.find(
    (outcome) => outcome.status === 'rejected' && !(outcome.reason instanceof CancelledError)
  )
  if (unexpected?.status === 'rejected') throw unexpected.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}
