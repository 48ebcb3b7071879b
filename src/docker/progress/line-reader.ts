import { StringDecoder } from 'node:string_decoder'

/** Characters after which a line is passed on that has not ended yet: a line may have no end. */
const LONGEST_LINE = 4 * 1_024 * 1_024

/** Splits output into lines and passes on the log for people. */
export abstract class LineReader {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''
  protected readonly print: (text: string) => void
  /** What `failure` answers. */
  protected lastWord = ''

  /** @param print gets the log for people, whole lines */
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
    return this.lastWord
  }

  protected abstract read(line: string): void
}
