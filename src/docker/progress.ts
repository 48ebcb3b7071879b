import { StringDecoder } from 'node:string_decoder'

/** One instruction of a Dockerfile, as the builder printed it. FROM is none: it is fetched, never executed. */
export interface PrintedStep {
  /** Name of the stage, `stage-N` where it has none. */
  stage: string
  /** As the builder counts: BuildKit what it executes in a stage, the legacy builder every instruction of the file. */
  number: number
  instruction: string
  cached: boolean
  /** How long it took; for a cached step, how long its layer took to come from the registry, where the builder says so. */
  seconds: number
  /** What the builder said, if the step failed. */
  error?: string
}

/** An image that a stage is built on, as the builder found it. */
export interface Base {
  /** As the builder names it: `docker.io/library/node:24`. */
  reference: string
  /** sha256:… */
  digest: string
}

/** Reads what a builder prints while it builds. */
export interface ProgressReader {
  write(chunk: Buffer): void
  /** No more output; the other methods answer only after this. */
  end(): void
  /** The steps that were executed or found in the cache, in the order of their appearance. */
  steps(): PrintedStep[]
  /** The images outside the Dockerfile that its stages are built on, where the builder tells their digests. */
  bases(): Base[]
  /** Cache sources that are being read. */
  pendingCaches(): string[]
  /** Cache sources that could not be read, with what the builder said. */
  unreadableCaches(): { reference: string; error: string }[]
  /** The builder's own last word on why it failed; '' if it said nothing. */
  failure(): string
}

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

/**
 * A step's name in BuildKit: `[builder 2/5] RUN npm ci`, `[linux/amd64 builder  2/15] …`, `[2/5] …` for a Dockerfile of one
 * stage (moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go `prefixCommand`).
 */
const STEP_NAME = /^\[(?:\S+\/\S+ +)?(?:([^\s/]+) +)?(\d+)\/\d+\] (.+)$/s

function stepOf(name: string): { stage: string; number: number; instruction: string } | undefined {
  const [, stage = 'stage-0', number, instruction] = STEP_NAME.exec(name) ?? []
  if (instruction === undefined || /^FROM\s/i.test(instruction)) return undefined
  return { stage, number: Number(number), instruction }
}

/** `[builder 1/5] FROM docker.io/library/node:24@sha256:…`; an image that is only in the engine may have no digest. */
function baseOf(name: string): Base | undefined {
  const [, reference, digest] = /^\[[^\]]*\] FROM (\S+)@(sha256:[0-9a-f]{64})$/.exec(name) ?? []
  return reference !== undefined && digest !== undefined ? { reference, digest } : undefined
}

const IMPORT_NAME = /^importing cache manifest from (\S+)$/

function pendingAmong(vertices: Iterable<{ name: string; ended: boolean }>): string[] {
  return [...vertices].flatMap(({ name, ended }) => (ended ? [] : (IMPORT_NAME.exec(name)?.[1] ?? [])))
}

function unreadableAmong(vertices: Iterable<{ name: string; error?: string }>): { reference: string; error: string }[] {
  return [...vertices].flatMap(({ name, error }) => {
    const reference = IMPORT_NAME.exec(name)?.[1]
    return reference !== undefined && error !== undefined ? [{ reference, error }] : []
  })
}

/** A vertex of BuildKit's `--progress=rawjson` (moby/buildkit client/graph.go `Vertex`). */
interface Vertex {
  digest: string
  name: string
  started?: string
  completed?: string
  cached?: boolean
  error?: string
}

interface VertexLog {
  vertex: string
  data?: string
}

interface SolveStatus {
  vertexes?: Vertex[]
  logs?: VertexLog[]
  warnings?: { short?: string }[]
}

interface SeenVertex {
  number: number
  name: string
  /** A vertex that is worked on in several turns announces each. */
  milliseconds: number
  cached: boolean
  completed: boolean
  error?: string
  logEndsLine: boolean
}

/** Reads `--progress=rawjson` of buildx and prints it as `--progress=plain` would. */
export class RawJsonProgress extends LineReader implements ProgressReader {
  readonly #vertices = new Map<string, SeenVertex>()
  readonly #bases = new Map<string, Base>()
  #object = ''

  bases(): Base[] {
    return [...this.#bases.values()]
  }

  steps(): PrintedStep[] {
    return [...this.#vertices.values()].flatMap(({ name, cached, completed, milliseconds, error }) => {
      const step = stepOf(name)
      if (!step || !(cached || completed)) return []
      return [{ ...step, cached, seconds: milliseconds / 1_000, ...(error === undefined ? {} : { error }) }]
    })
  }

  pendingCaches(): string[] {
    return pendingAmong([...this.#vertices.values()].map(({ name, completed }) => ({ name, ended: completed })))
  }

  unreadableCaches(): { reference: string; error: string }[] {
    return unreadableAmong(this.#vertices.values())
  }

  protected read(line: string): void {
    // buildx 0.13 spreads each object over lines, later ones print it on one
    if (line === '{' || this.#object !== '') {
      this.#object += line
      if (line !== '}') return
      line = this.#object
      this.#object = ''
    }
    const status = parseStatus(line)
    if (!status) {
      // buildx prints its last words as text
      this.lastWord = /^ERROR: (.+)/.exec(line)?.[1] ?? this.lastWord
      this.print(`${line}\n`)
      return
    }
    for (const vertex of status.vertexes ?? []) this.#see(vertex)
    for (const log of status.logs ?? []) this.#log(log)
    for (const { short } of status.warnings ?? []) {
      if (short) this.print(`WARN: ${Buffer.from(short, 'base64').toString()}\n`)
    }
  }

  #see(vertex: Vertex): void {
    // told also where the image is not needed, because all that is built on it is cached
    const base = baseOf(vertex.name)
    if (base) this.#bases.set(base.reference, base)
    let seen = this.#vertices.get(vertex.digest)
    if (!seen) {
      if (!vertex.started && !vertex.completed && !vertex.cached) return
      seen = {
        number: this.#vertices.size + 1,
        name: vertex.name,
        milliseconds: 0,
        cached: false,
        completed: false,
        logEndsLine: true
      }
      this.#vertices.set(vertex.digest, seen)
      this.print(`#${seen.number} ${vertex.name}\n`)
    }
    // on the containerd store a later update, of the lazy pull, no longer says so
    const toldCached = seen.cached
    seen.cached ||= vertex.cached === true
    if (seen.cached && !toldCached) this.print(`#${seen.number} CACHED\n`)
    if (!vertex.completed) return
    seen.completed = true
    if (vertex.started) seen.milliseconds += Math.max(0, Date.parse(vertex.completed) - Date.parse(vertex.started))
    if (vertex.error) {
      seen.error = vertex.error
      this.print(`#${seen.number} ERROR: ${vertex.error}\n`)
    } else if (!seen.cached) this.print(`#${seen.number} DONE ${(seen.milliseconds / 1_000).toFixed(1)}s\n`)
  }

  #log({ vertex, data }: VertexLog): void {
    const seen = this.#vertices.get(vertex)
    if (!seen || !data) return
    const text = Buffer.from(data, 'base64').toString()
    for (const piece of text.split(/(?<=\n)/)) {
      this.print(seen.logEndsLine ? `#${seen.number} ${piece}` : piece)
      seen.logEndsLine = piece.endsWith('\n')
    }
  }
}

function parseStatus(line: string): SolveStatus | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as SolveStatus
  } catch {
    return undefined
  }
}

/** Reads `--progress=plain` of BuildKit, for clients that know no rawjson. */
export class PlainProgress extends LineReader implements ProgressReader {
  readonly #vertices = new Map<
    string,
    { name: string; cached: boolean; ended: boolean; seconds: number; error?: string }
  >()

  bases(): Base[] {
    return [...this.#vertices.values()].flatMap(({ name }) => baseOf(name) ?? [])
  }

  steps(): PrintedStep[] {
    return [...this.#vertices.values()].flatMap(({ name, cached, seconds, error }) => {
      const step = stepOf(name)
      return step ? [{ ...step, cached, seconds, ...(error === undefined ? {} : { error }) }] : []
    })
  }

  pendingCaches(): string[] {
    return pendingAmong(this.#vertices.values())
  }

  unreadableCaches(): { reference: string; error: string }[] {
    return unreadableAmong(this.#vertices.values())
  }

  protected read(line: string): void {
    // of layers that are fetched or unpacked it says each several times a second
    if (!/^#\d+ (extracting )?sha256:[0-9a-f]{64} /.test(line)) this.print(`${line}\n`)
    this.lastWord = /^(?:ERROR: |failed to solve: )(.+)/.exec(line)?.[1] ?? this.lastWord
    const [, number, text = ''] = /^#(\d+) (.*)$/.exec(line) ?? []
    if (number === undefined) return
    const vertex = this.#vertices.get(number)
    if (!vertex) this.#vertices.set(number, { name: text, cached: false, ended: false, seconds: 0 })
    else if (text === 'CACHED') vertex.cached = true
    else if (/^DONE [\d.]+s$/.test(text)) {
      vertex.seconds += Number.parseFloat(text.slice('DONE '.length))
      vertex.ended = true
    } else if (text.startsWith('ERROR: ')) {
      vertex.error = text.slice('ERROR: '.length)
      vertex.ended = true
    }
  }
}

/** How the legacy builder tells of a step that failed (moby/moby builder/dockerfile/dispatchers.go, copy.go). */
const FAILED = /^(The command '.*' returned a non-zero code: \d+|(COPY|ADD) failed: .*)$/s

/** Reads the output of the legacy builder (moby/moby builder/dockerfile/evaluator.go and internals.go). */
export class LegacyProgress extends LineReader implements ProgressReader {
  readonly #steps: PrintedStep[] = []
  readonly #now: () => number
  #open: PrintedStep | undefined
  /** The last line of the open step, if it says that the step failed. */
  #complaint: string | undefined
  #started = 0
  #stage = 'stage-0'
  #stages = 0

  constructor(print: (text: string) => void, now: () => number = Date.now) {
    super(print)
    this.#now = now
  }

  override end(): void {
    super.end()
    if (this.#open && this.#complaint !== undefined) this.#open.error = this.#complaint
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

  unreadableCaches(): { reference: string; error: string }[] {
    return []
  }

  protected read(line: string): void {
    // of a base image that is pulled it names each layer several times; what a step prints is shown as it is
    if (this.#open || !/^[0-9a-f]{12}: [A-Z][A-Za-z ]+$/.test(line)) this.print(`${line}\n`)
    const [, number, instruction] = /^Step (\d+)\/\d+ : (.+)$/.exec(line) ?? []
    if (instruction !== undefined) this.#begin(Number(number), instruction)
    else if (line === ' ---> Using cache') {
      if (this.#open) this.#open.cached = true
    } else if (line.trim() !== '' && !/^( ---> |Removing intermediate container|Successfully )/.test(line)) {
      this.lastWord = line
      this.#complaint = FAILED.test(line) ? line : undefined
    } else if (line.startsWith(' ---> ')) {
      // an image: the step went well, whatever it printed
      this.#complaint = undefined
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
    // an ARG before the first FROM belongs to no stage
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
