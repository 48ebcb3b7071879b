import { StringDecoder } from 'node:string_decoder'
import type { Stream } from '../../lib/exec.ts'
import type { BuildWarning } from './build-warnings.ts'

/** Characters after which the reader passes on an incomplete line: a line may never end. */
const LONGEST_LINE = 4 * 1_024 * 1_024

/** Splits output into lines and prints the readable log. */
export abstract class LineReader {
  readonly #streams = { stdout: new Lines(), stderr: new Lines() }
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

  write(chunk: Buffer, stream: Stream): void {
    for (const line of this.#streams[stream].add(chunk)) this.read(line, stream)
  }

  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#streams[stream].end()
      if (rest !== '') this.read(rest, stream)
    }
  }

  /** Only `--progress=rawjson` has warnings with their places. */
  warnings(): BuildWarning[] {
    return []
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

  protected abstract read(line: string, stream: Stream): void
}

/** Joins chunks, whose boundaries may split a line or a UTF-8 character. */
class Lines {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  add(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length >= LONGEST_LINE) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    return lines.map((line) => line.replace(/\r$/, ''))
  }

  end(): string {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    return rest
  }
}
