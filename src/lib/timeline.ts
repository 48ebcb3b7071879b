/** What something was that took time; `command` is one call of docker, and `run` all of the run. */
export type SpanKind = 'run' | 'prepare' | 'fetch' | 'build' | 'test' | 'publish' | 'look' | 'wait' | 'command'

/** Something that took time. */
export interface Span {
  kind: SpanKind
  name: string
  /** Seconds after the start of this process. */
  start: number
  seconds: number
}

/** Spans of a report, so that it stays small. */
const MOST_SPANS = 1_000

/** What a run did when: its phases, and what they waited for. */
export class Timeline {
  readonly #ended: { kind: SpanKind; name: string; began: number; ended: number }[] = []

  /** Runs `work`, and notes when it began and how long it took, however it ended. */
  async measure<T>(kind: SpanKind, name: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.#note(kind, name, began)
    }
  }

  /** Notes what has taken all the time since the process began. */
  sinceStart(kind: SpanKind, name: string): void {
    this.#note(kind, name, 0)
  }

  /** What has ended, in the order of the beginnings. */
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

/** Seconds since a `performance.now()`. */
export function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1_000
}
