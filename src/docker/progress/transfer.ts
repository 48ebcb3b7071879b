import { LineReader } from './line-reader.ts'

/** Docker's messages about a completely transferred layer (docker/cli and moby/moby pkg/progress, on push and on pull). */
const ENDED = /^(Pushed|Layer already exists|Mounted from .*|Pull complete|Already exists|Download complete)$/

/** Milliseconds between two messages about a transfer: OFTEN if further layers have ended, SELDOM otherwise. */
const OFTEN = 2_000
const SELDOM = 30_000

/** Prints the output of `docker push` and `docker pull`, but counts layers instead of naming each several times. */
export class TransferProgress extends LineReader {
  /** Final state by layer id; undefined if the layer has not ended. */
  readonly #layers = new Map<string, string | undefined>()
  readonly #began: number
  readonly #now: () => number
  readonly #heartbeat: NodeJS.Timeout
  #told: number
  #toldCount = 0

  constructor(print: (text: string) => void, now: () => number = () => performance.now()) {
    super(print)
    this.#now = now
    this.#began = now()
    this.#told = this.#began
    this.#heartbeat = setInterval(() => this.#tell(), SELDOM)
    this.#heartbeat.unref()
  }

  override end(): void {
    super.end()
    clearInterval(this.#heartbeat)
    if (this.#layers.size === 0) return
    const ways = new Map<string, number>()
    for (const way of this.#layers.values()) {
      const words = way === undefined ? 'not ended' : way.replace(/ from .*/, '').toLowerCase()
      ways.set(words, (ways.get(words) ?? 0) + 1)
    }
    this.print(`${this.#layers.size} layers: ${[...ways].map(([way, count]) => `${count} ${way}`).join(', ')}\n`)
  }

  protected read(line: string): void {
    const [, id, state = ''] = /^([0-9a-f]{12}): (.+)$/.exec(line) ?? []
    if (id === undefined) {
      this.print(`${line}\n`)
      return
    }
    const ended = ENDED.test(state) ? state : this.#layers.get(id)
    this.#layers.set(id, ended)
    if (this.#count() > this.#toldCount && this.#now() - this.#told >= OFTEN) this.#tell()
  }

  #count(): number {
    return [...this.#layers.values()].filter((state) => state !== undefined).length
  }

  #tell(): void {
    this.#told = this.#now()
    this.#toldCount = this.#count()
    const time = Math.round((this.#told - this.#began) / 1_000)
    this.print(`${this.#toldCount} of ${this.#layers.size} layers after ${time} s\n`)
  }
}
