import { StringDecoder } from 'node:string_decoder'

/** Characters after which the reader passes on an incomplete line: a line may never end. */
const LONGEST_LINE = 4 * 1_024 * 1_024

/** Splits output into lines and prints the readable log. */
export abstract class LineReader {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''
  protected readonly print: (text: string) => void
  /** The message of the return value of `failure`. */
  protected lastWord = ''
  /** A line of the Dockerfile that the last line of the output may have named. */
  #named: string | undefined
  /** The first line of the Dockerfile that the output quotes. */
  #quoted: string | undefined

  /** @param print receives the readable log in complete lines */
  constructor(print: (text: string) => void) {
    this.print = print
  }

  write(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.read(line.replace(/\r$/, ''))
    if (this.#rest.length < LONGEST_LINE) return
    this.read(this.#rest)
    this.#rest = ''
  }

  end(): void {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    if (rest !== '') this.read(rest)
  }

  failure(): string {
    const isPlaced = this.#quoted === undefined || this.lastWord === '' || /\bline \d+/.test(this.lastWord)
    return isPlaced ? this.lastWord : `${this.lastWord} (line ${this.#quoted})`
  }

  /** Notes which line of the Dockerfile BuildKit quotes for an error: `Dockerfile:7`, then dashes (moby/buildkit solver/errdefs/source.go). */
  protected readPlace(line: string): void {
    if (/^-{20}$/.test(line)) this.#quoted ??= this.#named
    this.#named = /^\S+:(\d+)$/.exec(line)?.[1]
  }

  protected abstract read(line: string): void
}
