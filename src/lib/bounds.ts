/** What ends a call: a time for all of it, a time without output, or something else, because it does the user's own work. */
export type Bound = { within: number } | { silence: number } | { until: string }

const SECONDS = 1_000
const MINUTES = 60 * SECONDS

/** The bound of every call of a program and every request. docs/client-calls.md says what happens after each. */
export const BOUNDS = {
  engine: { within: 60 * SECONDS },
  'engine-alive': { within: 10 * SECONDS },
  'engine-address': { within: 10 * SECONDS },
  'engine-api': { within: 30 * SECONDS },
  'buildx-builder': { within: 60 * SECONDS },
  image: { within: 60 * SECONDS },
  container: { within: 60 * SECONDS },
  reports: { within: 5 * MINUTES },
  'client-inspect': { within: 60 * SECONDS },
  transfer: { silence: 15 * MINUTES },
  build: { until: 'the bounds build-question and build-progress, the limit of the job' },
  'build-question': { within: 2 * MINUTES },
  'build-progress': { silence: 15 * MINUTES },
  prefetch: { within: 10 * MINUTES },
  'prefetch-progress': { silence: 60 * SECONDS },
  test: { until: 'the input test-timeout-minutes, the limit of the job' },
  git: { within: 60 * SECONDS },
  'credential-helper': { within: 30 * SECONDS },
  registry: { within: 60 * SECONDS },
  look: { within: 20 * SECONDS },
  'cache-source': { within: 40 * SECONDS },
  explain: { within: 30 * SECONDS },
  github: { within: 10 * SECONDS },
  'clean-up': { within: 2 * SECONDS }
} satisfies Record<string, Bound>

export type BoundName = keyof typeof BOUNDS

/** Thrown if a call reached its bound. The message names the call and the bound. */
export class BoundError extends Error {
  override readonly name = 'BoundError'

  /** @param call for people: `docker push` */
  constructor(call: string, bound: BoundName) {
    super(`${call}: ${describeLateness(bound)}`)
  }
}

/**
 * Returns a bound.
 *
 * @throws Error if there is no such bound: a call without one is a mistake of this action
 */
export function boundOf(name: BoundName, call: string): Bound {
  if (!Object.hasOwn(BOUNDS, name)) throw new Error(`${call} has no bound (src/lib/bounds.ts)`)
  return BOUNDS[name]
}

/** Describes a bound for the documentation. */
export function describeBound(bound: Bound): string {
  if ('until' in bound) return `none of its own: ${bound.until}`
  return 'within' in bound ? describeTime(bound.within) : `${describeTime(bound.silence)} without output`
}

/** Returns the clause about a call that reached its bound. */
export function describeLateness(name: BoundName): string {
  const bound: Bound = BOUNDS[name]
  // 'no answer within' marks a transient error in registry/client-words.ts
  return `no answer within ${'within' in bound ? describeTime(bound.within) : describeTime(timeOf(name))}`
}

function describeTime(ms: number): string {
  return ms > MINUTES && ms % MINUTES === 0 ? `${ms / MINUTES} minutes` : `${ms / SECONDS} seconds`
}

/** Returns the milliseconds of a bound that is a time. */
export function timeOf(name: BoundName): number {
  const bound: Bound = BOUNDS[name]
  if ('until' in bound) throw new Error(`The bound ${name} is not a time`)
  return 'within' in bound ? bound.within : bound.silence
}

const bounded = new WeakSet<AbortSignal>()

declare const isBounded: unique symbol

/** A signal that is aborted at the latest when a bound is reached. */
export type BoundedSignal = AbortSignal & { [isBounded]: true }

/**
 * Returns a signal that is aborted with the run's, or after a bound.
 *
 * @param time milliseconds instead of those of the bound
 */
export function deadline(name: BoundName, signal: AbortSignal, time = timeOf(name)): BoundedSignal {
  const made = AbortSignal.any([signal, AbortSignal.timeout(time)])
  bounded.add(made)
  return made as BoundedSignal
}

/** @throws Error if a signal is not one of `deadline` */
export function requireBounded(signal: AbortSignal, call: string): void {
  if (!bounded.has(signal)) throw new Error(`${call} has no bound (src/lib/bounds.ts)`)
}

/**
 * Returns the signal for a call that cleans up after a cancellation: aborted a moment after both the cancellation and this call.
 * The runner kills the action 10 s after the cancellation.
 */
export function soonAfter(signal: AbortSignal): AbortSignal {
  const soon = new AbortController()
  const abort = (): void => {
    setTimeout(() => soon.abort(), timeOf('clean-up')).unref()
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return soon.signal
}
