import { randomUUID } from 'node:crypto'
import { appendFileSync, closeSync, existsSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as core from '@actions/core'
import { messageOf } from './errors.ts'
import { harmless } from './text.ts'

/** A part of the log with its own title: the output of one docker command. */
export interface Section {
  /** Adds output. The runner never interprets it as a workflow command. */
  write(chunk: Buffer | string): void
  /**
   * Ends the section.
   *
   * @param outcome one word for the outcome, which the log shows beside the duration
   */
  end(outcome?: string): void
}

/** Title and position of an annotation, as in @actions/core. */
export type Place = Pick<core.AnnotationProperties, 'title' | 'file' | 'startLine'>

const say = { notice: core.notice, warning: core.warning, error: core.error }

type Kind = keyof typeof say

/** GitHub shows ten annotations of each kind per step of a workflow (docs.github.com, "Workflow commands"); the tenth counts the rest. */
const MOST_ANNOTATIONS = 10

/** Bytes that the log shows from the beginning of a section, and from the end of a longer one. */
const MOST_OF_A_SECTION = 4 * 1_024 * 1_024
const END_OF_A_SECTION = 64 * 1_024

interface OpenSection {
  title: string
  spool: string
  spooled: boolean
  /** Why the log no longer keeps the section's output, for example because the disk is full. */
  lost?: string
  began: number
  /** Outcome and duration. */
  note?: string
  ended: boolean
  /** Bytes printed, or spooled for printing. */
  shown: number
  /** Bytes after those; `tail` contains the last ones. */
  beyond: number
  tail: Buffer
}

/**
 * The log of a run in which several commands print at the same time. One section prints live; the log spools the others to
 * files in `folder` and prints them when the live section has ended: first the finished ones, then the oldest that still
 * runs, which becomes the live section. The log omits the middle of a section that is longer than a few MiB.
 *
 * The output of docker, a Dockerfile or a test is hostile: the runner would obey `::set-output` in it, and `##[error]` even
 * in the middle of a line (actions/runner `ActionCommand.cs`). So the log stops workflow commands while it prints such
 * output. This would stop the action's own commands too, so messages wait until the live section has ended.
 */
export class Log {
  readonly #folder: string
  readonly #isTerminal: boolean
  readonly #print: (text: string | Buffer) => void
  readonly #sections: OpenSection[] = []
  readonly #messages: (() => void)[] = []
  /** `isTold`: whether the printed title contains the outcome */
  #live: { section: OpenSection; token: string; lineEnded: boolean; isTold: boolean } | undefined
  readonly #said: Record<Kind, string[]> = { notice: [], warning: [], error: [] }
  #count = 0

  /** @param isTerminal whether people read the output in a terminal, without a runner */
  constructor(
    folder: string,
    isTerminal = false,
    print: (text: string | Buffer) => void = (text) => process.stdout.write(text)
  ) {
    this.#folder = folder
    this.#isTerminal = isTerminal
    this.#print = print
  }

  info(message: string): void {
    this.#say(() => this.#print(`${harmless(message)}\n`))
  }

  notice(message: string): void {
    this.#annotate('notice', message)
  }

  warning(message: string, place?: Place): void {
    this.#annotate('warning', message, place)
  }

  error(message: string, place?: Place): void {
    this.#annotate('error', message, place)
  }

  /** Emits an annotation that counts those beyond the limit. No annotation may follow. */
  end(): void {
    if (this.#isTerminal) return
    for (const kind of ['notice', 'warning', 'error'] as const) {
      const rest = this.#said[kind].slice(MOST_ANNOTATIONS - 1)
      if (rest.length > 1) say[kind](`${rest.length} more ${kind}s are in the log`)
      else for (const message of rest) say[kind](message)
    }
  }

  /** @param began start of the work that the section shows, as `performance.now()` */
  section(title: string, began = performance.now()): Section {
    const spool = join(this.#folder, `log-${++this.#count}`)
    const section: OpenSection = {
      title,
      spool,
      spooled: false,
      began,
      ended: false,
      shown: 0,
      beyond: 0,
      tail: Buffer.alloc(0)
    }
    this.#sections.push(section)
    if (!this.#live) this.#advance()
    return {
      write: (chunk) => {
        if (section.ended) return
        const bytes = Buffer.from(chunk)
        const head = bytes.subarray(0, MOST_OF_A_SECTION - section.shown)
        this.#show(section, head)
        section.shown += head.length
        section.beyond += bytes.length - head.length
        section.tail = Buffer.concat([section.tail, bytes.subarray(head.length)]).subarray(-END_OF_A_SECTION)
      },
      end: (outcome) => {
        if (section.ended) return
        const time = `${((performance.now() - section.began) / 1_000).toFixed(1)} s`
        section.note = outcome === undefined ? time : `${outcome} after ${time}`
        const leftOut = section.beyond - section.tail.length
        if (leftOut > 0) this.#show(section, Buffer.from(`\n… ${leftOut} bytes are left out …\n`))
        this.#show(section, section.tail)
        section.ended = true
        if (this.#live?.section !== section) return
        this.#closeLive()
        this.#advance()
      }
    }
  }

  #annotate(kind: Kind, message: string, place?: Place): void {
    const count = this.#said[kind].push(message)
    if (count < MOST_ANNOTATIONS && !this.#isTerminal) this.#say(() => say[kind](message, place))
    else this.info(`${kind[0]?.toUpperCase()}${kind.slice(1)}: ${message}`)
  }

  #show(section: OpenSection, bytes: Buffer): void {
    if (bytes.length === 0) return
    if (this.#live?.section === section) this.#printLive(bytes)
    else if (section.lost === undefined) this.#keep(section, bytes)
  }

  #keep(section: OpenSection, bytes: Buffer): void {
    try {
      section.spooled = true
      appendFileSync(section.spool, bytes)
    } catch (error) {
      section.lost = messageOf(error)
    }
  }

  #say(message: () => void): void {
    if (this.#live) this.#messages.push(message)
    else message()
  }

  #advance(): void {
    for (const section of this.#sections.filter((candidate) => candidate.ended)) {
      this.#openLive(section)
      this.#closeLive()
    }
    const next = this.#sections[0]
    if (next) this.#openLive(next)
  }

  #openLive(section: OpenSection): void {
    const token = randomUUID()
    const isTold = section.note !== undefined
    const title = isTold ? `${section.title} (${section.note})` : section.title
    const opening = `::group::${harmless(title).replaceAll('%', '%25')}\n::stop-commands::${token}\n`
    this.#print(this.#isTerminal ? `▸ ${harmless(title)}\n` : opening)
    this.#live = { section, token, lineEnded: true, isTold }
    if (section.spooled) this.#printSpool(section.spool)
    if (section.lost !== undefined) this.#printLive(`\n… what follows could not be kept: ${section.lost} …\n`)
  }

  #printSpool(spool: string): void {
    if (!existsSync(spool)) return
    const file = openSync(spool, 'r')
    const chunk = Buffer.alloc(65_536)
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      this.#printLive(Buffer.from(chunk.subarray(0, length)))
    }
    closeSync(file)
    rmSync(spool)
  }

  #printLive(chunk: Buffer | string): void {
    if (!this.#live || chunk.length === 0) return
    this.#print(chunk)
    this.#live.lineEnded = chunk.at(-1) === (typeof chunk === 'string' ? '\n' : 10)
  }

  #closeLive(): void {
    if (!this.#live) return
    const { section, token, lineEnded, isTold } = this.#live
    this.#print(`${lineEnded ? '' : '\n'}${this.#isTerminal ? '' : `::${token}::\n::endgroup::\n`}`)
    if (!isTold) this.#print(`${harmless(`${section.title}: ${section.note}`)}\n`)
    this.#live = undefined
    this.#sections.splice(this.#sections.indexOf(section), 1)
    for (const message of this.#messages.splice(0)) message()
  }
}
