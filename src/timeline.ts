/** Something that took time. */
export interface Span {
  name: string
  /** Seconds after the start of this process. */
  start: number
  seconds: number
}

/** Spans of a report, so that it stays small. */
const MOST_SPANS = 1_000

/** What a run did when: its phases, and what they waited for. */
export class Timeline {
  readonly #ended: { name: string; began: number; ended: number }[] = []

  /** Runs `work`, and notes when it began and how long it took, however it ended. */
  async measure<T>(name: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.#note(name, began)
    }
  }

  /** Notes what has taken all the time since the process began. */
  sinceStart(name: string): void {
    this.#note(name, 0)
  }

  /** What has ended, in the order of the beginnings. */
  spans(): Span[] {
    return this.#ended
      .toSorted((a, b) => a.began - b.began)
      .map(({ name, began, ended }) => ({ name, start: seconds(began), seconds: seconds(ended - began) }))
  }

  #note(name: string, began: number): void {
    if (this.#ended.length < MOST_SPANS) this.#ended.push({ name, began, ended: performance.now() })
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1_000
}
