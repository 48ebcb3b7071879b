/** Random numbers that are the same for the same seed (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number from 0 to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** An integer from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('there is nothing to choose from')
    return item
  }

  /** One of the names, each as often as its weight says. */
  weighted<T extends string>(weights: Record<T, number>): T {
    const names = Object.keys(weights) as T[]
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0)
    for (const name of names) {
      left -= weights[name]
      if (left < 0) return name
    }
    return names.at(-1) as T
  }
}

interface Turn {
  run: number
  what: string
  order: number
  notBefore: number
  go: () => void
}

/**
 * Lets concurrent runs go on one call at a time, in an order that only the seed decides: everything that a run asks of the
 * registry, the engine or GitHub waits for its turn.
 */
export class Scheduler {
  step = 0
  readonly #random: Random
  /** By run: how often it has its turn, compared with others. */
  readonly #speeds = new Map<number, number>()
  #pending: Turn[] = []
  #order = 0

  constructor(random: Random) {
    this.#random = random
  }

  get pending(): number {
    return this.#pending.length
  }

  setSpeed(run: number, speed: number): void {
    this.#speeds.set(run, speed)
  }

  /** Waits until the call may go on. */
  turn(run: number, what: string, delay = 0): Promise<void> {
    return new Promise((go) => {
      this.#order++
      this.#pending.push({ run, what, order: this.#order, notBefore: this.step + delay, go })
    })
  }

  /** Lets one call go on. */
  next(): void {
    this.step++
    // several calls of one run may arrive in any order: the files that it reads are real
    this.#pending.sort((a, b) => a.run - b.run || (a.what < b.what ? -1 : a.what > b.what ? 1 : a.order - b.order))
    const ready = this.#pending.filter(({ notBefore }) => notBefore <= this.step)
    const eligible = ready.length > 0 ? ready : this.#pending
    const speeds = eligible.map(({ run }) => this.#speeds.get(run) ?? 1)
    let left = this.#random.next() * speeds.reduce((sum, speed) => sum + speed, 0)
    const index = speeds.findIndex((speed) => {
      left -= speed
      return left < 0
    })
    const chosen = eligible[index === -1 ? eligible.length - 1 : index]
    this.#pending = this.#pending.filter((turn) => turn !== chosen)
    chosen?.go()
  }

  /** Waits until every run waits for its turn or has ended: until nothing reads files. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      const before = this.#order
      await new Promise((resolve) => setImmediate(resolve))
      if (isBusy() || this.#order !== before) quiet = -1
    }
  }
}

/** Whether this process waits for a file. */
function isBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^(FS|File|Dir|Close)/.test(name))
}
