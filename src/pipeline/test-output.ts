import { stripVTControlCharacters } from 'node:util'
import type { Secrets } from '../action/secrets.ts'

/** Characters of a test's output that are kept to explain its end, and lines of them that are shown. */
const LONGEST_TAIL = 4_096
const MOST_LAST_LINES = 20

/** The end of a test's output. */
export class Tail {
  #text = ''

  get text(): string {
    return this.#text
  }

  add(chunk: Buffer): void {
    this.#text = (this.#text + chunk.toString()).slice(-LONGEST_TAIL)
  }
}

/** Returns the last lines of a test's output, to show why it failed. */
export function lastLinesOf(tail: string, secrets: Secrets): string {
  const lines = stripVTControlCharacters(tail).split(/\r\n|\n|\r/)
  // the first line may be cut, and contain the rest of a secret
  const whole = tail.length < LONGEST_TAIL ? lines : lines.slice(1)
  return secrets.redact(whole.join('\n').trimEnd()).split('\n').slice(-MOST_LAST_LINES).join('\n')
}
