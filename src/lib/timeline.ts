/** The kind of a span; `command` is one call of docker, and `run` is the whole run. */
export type SpanKind = 'run' | 'prepare' | 'fetch' | 'build' | 'test' | 'publish' | 'look' | 'wait' | 'command'

/** A period of time that an activity of the run took. */
export interface Span {
  kind: SpanKind
  name: string
  /** Seconds after the start of this process; in the report of several machines, after the start of the first. */
  start: number
  seconds: number
  /** The machine, in the report of several machines. */
  machine?: string
}

/** Maximum number of spans in a report, to keep it small. */
const MOST_SPANS = 1_000

/** Records when the phases of a run took place, and what they waited for. */
export class Timeline {
  readonly #ended: { kind: SpanKind; name: string; began: number; ended: number }[] = []

  /** Runs `work` and records its start and duration, whether it succeeds or fails. */
  async measure<T>(kind: SpanKind, name: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.#note(kind, name, began)
    }
  }

  /** Records a span that began with the process and ends now. */
  sinceStart(kind: SpanKind, name: string): void {
    this.#note(kind, name, 0)
  }

  /** Returns the ended spans, sorted by start. */
  spans(): Span[] {
    return this.#ended
      .toSorted((a, b) => a.began - b.began)
      .map(({ kind, name, began, ended }) => ({ kind, name, start: seconds(began), seconds: seconds(ended - began) }))
  }

  #note(kind: SpanKind, name: string, began: number): void {
    if (this.#ended.length < MOST_SPANS) this.#ended.push({ kind, name, began, ended: performance.now() })
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1_000
}

/** Returns the seconds since a `performance.now()`. */
export function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1_000
}
