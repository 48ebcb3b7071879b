import type { ProgressReader } from '../docker/progress/reader.ts'
import { type BoundName, describeLateness, timeOf } from '../lib/bounds.ts'

/** Calls back once if a builder shows no progress within a bound. A command of the Dockerfile may be silent for as long as it runs. */
export class ProgressWatch {
  readonly #reader: Pick<ProgressReader, 'news' | 'isRunning'>
  readonly #timer: NodeJS.Timeout
  #news = 0

  constructor(reader: Pick<ProgressReader, 'news' | 'isRunning'>, bound: BoundName, onLate: () => void) {
    this.#reader = reader
    this.#timer = setTimeout(() => {
      if (reader.isRunning()) this.#timer.refresh()
      else onLate()
    }, timeOf(bound))
  }

  /** Reads what the builder has printed. */
  look(): void {
    const news = this.#reader.news()
    if (news !== this.#news) this.#timer.refresh()
    this.#news = news
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** Stops a build that waits longer than its bounds: BuildKit itself waits forever. */
export class BuildWatch {
  /** Cache sources that did not answer in time. */
  readonly lateCaches: string[] = []
  /** Why the build was stopped, as a clause. */
  why: string | undefined
  readonly #reader: ProgressReader
  readonly #inVain: AbortController
  readonly #progress: ProgressWatch
  /** By what the builder asks a registry for. */
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(reader: ProgressReader, inVain: AbortController) {
    this.#reader = reader
    this.#inVain = inVain
    this.#progress = new ProgressWatch(reader, 'build-progress', () =>
      this.#stop(`the builder: ${describeLateness('build-progress')}`)
    )
  }

  /** Reads what the builder has printed. */
  look(): void {
    this.#progress.look()
    const caches = this.#reader.pendingCaches()
    // an image may be a cache source and a base image: it is read for both
    const pending = [...caches, ...this.#reader.pendingMetadata()]
    for (const [question, timer] of this.#timers) {
      if (pending.includes(question)) continue
      clearTimeout(timer)
      this.#timers.delete(question)
    }
    for (const question of pending) {
      if (this.#timers.has(question)) continue
      const late = (): void => {
        if (caches.includes(question)) this.lateCaches.push(question)
        this.#stop(`${question}: ${describeLateness('build-question')}`)
      }
      this.#timers.set(question, setTimeout(late, timeOf('build-question')))
    }
  }

  end(): void {
    this.#progress.end()
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  #stop(why: string): void {
    this.why ??= why
    this.#inVain.abort()
  }
}
