import type { Stream } from '../../lib/exec.ts'
import { LineReader } from './line-reader.ts'
import { type Base, isCommand, type PrintedStep, type ProgressReader } from './reader.ts'

/** The legacy builder's message about a failed step (moby/moby builder/dockerfile/dispatchers.go, copy.go). */
const FAILED = /^(The command '.*' returned a non-zero code: \d+|(COPY|ADD) failed: .*)$/s

/** A blank line, or one of the notice that this builder is deprecated (docker/cli cmd/docker/builder.go). */
const NOTICE = /^(DEPRECATED: .*|\s.*)?$/

/** Reads the output of the legacy builder (moby/moby builder/dockerfile/evaluator.go and internals.go). */
export class LegacyProgress extends LineReader implements ProgressReader {
  readonly #steps: PrintedStep[] = []
  readonly #now: () => number
  #open: PrintedStep | undefined
  /** The last line that is not blank, of standard output. */
  #lastOutput = ''
  #started = 0
  #stage = 'stage-0'
  #stages = 0
  #lines = 0

  constructor(print: (text: string) => void, now: () => number = Date.now) {
    super(print)
    this.#now = now
  }

  override end(): void {
    super.end()
    if (this.#open && FAILED.test(this.lastWord)) this.#open.error = this.lastWord
    this.lastWord ||= this.#lastOutput
    this.#finish()
  }

  bases(): Base[] {
    return []
  }

  steps(): PrintedStep[] {
    return this.#steps
  }

  pendingCaches(): string[] {
    return []
  }

  pendingMetadata(): string[] {
    return []
  }

  news(): number {
    return this.#lines
  }

  isRunning(): boolean {
    return this.#open !== undefined && isCommand(this.#open.instruction)
  }

  unreadableCaches(): { reference: string; error: string }[] {
    return []
  }

  /** The docker client prints what the builder says on standard output, and why the build failed on standard error. */
  protected read(line: string, stream: Stream): void {
    this.#lines++
    // while pulling a base image, it prints each layer several times; the output of a step stays unchanged
    if (this.#open || !/^[0-9a-f]{12}: [A-Z][A-Za-z ]+$/.test(line)) this.print(`${line}\n`)
    if (stream === 'stderr') {
      if (!NOTICE.test(line)) this.lastWord = line
      return
    }
    const [, number, instruction] = /^Step (\d+)\/\d+ : (.+)$/.exec(line) ?? []
    if (instruction !== undefined) this.#begin(Number(number), instruction)
    else if (line === ' ---> Using cache') {
      if (this.#open) this.#open.cached = true
    } else if (line.trim() !== '' && !/^( ---> |Removing intermediate container|Successfully )/.test(line)) {
      this.#lastOutput = line
    }
  }

  #begin(number: number, instruction: string): void {
    this.#finish()
    const [, name] = /^FROM\s+(?:--\S+\s+)*\S+(?:\s+AS\s+(\S+))?\s*$/i.exec(instruction) ?? []
    if (/^FROM\s/i.test(instruction)) {
      this.#stage = name?.toLowerCase() ?? `stage-${this.#stages}`
      this.#stages++
      return
    }
    // an ARG before the first FROM does not belong to a stage
    if (this.#stages === 0) return
    this.#open = { stage: this.#stage, number, instruction, cached: false, seconds: 0 }
    this.#started = this.#now()
    this.#steps.push(this.#open)
  }

  #finish(): void {
    if (this.#open) this.#open.seconds = Math.max(0, this.#now() - this.#started) / 1_000
    this.#open = undefined
  }
}
