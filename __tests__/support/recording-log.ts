import { Log } from '../../src/lib/log.ts'

type Kind = 'info' | 'notice' | 'warning' | 'error'

/** A log that keeps its messages and prints nothing. */
export class RecordingLog extends Log {
  readonly #said: { kind: Kind; message: string }[] = []

  constructor() {
    super('', true, () => {})
  }

  /** The messages of these kinds, of all of them if none is named, in their order. */
  said(...kinds: Kind[]): string[] {
    return this.#said.filter(({ kind }) => kinds.length === 0 || kinds.includes(kind)).map(({ message }) => message)
  }

  override info(message: string): void {
    this.#said.push({ kind: 'info', message })
  }

  override notice(message: string): void {
    this.#said.push({ kind: 'notice', message })
  }

  override warning(message: string): void {
    this.#said.push({ kind: 'warning', message })
  }

  override error(message: string): void {
    this.#said.push({ kind: 'error', message })
  }

  override section(): ReturnType<Log['section']> {
    return { write: () => {}, end: () => {} }
  }
}
