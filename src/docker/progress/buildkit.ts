import { type BuildWarning, type RawWarning, readWarning } from './build-warnings.ts'
import { LineReader } from './line-reader.ts'
import { type Base, isCommand, type PrintedStep, type ProgressReader } from './reader.ts'

/**
 * The name of a step in BuildKit: `[builder 2/5] RUN npm ci`, `[linux/amd64 builder  2/15] …`, `[2/5] …` for a Dockerfile
 * with one stage (moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go `prefixCommand`).
 */
const STEP_NAME = /^\[(?:\S+\/\S+ +)?(?:([^\s/]+) +)?(\d+)\/\d+\] (.+)$/s

function stepOf(name: string): { stage: string; number: number; instruction: string } | undefined {
  const [, stage = 'stage-0', number, instruction] = STEP_NAME.exec(name) ?? []
  if (instruction === undefined || /^FROM\s/i.test(instruction)) return undefined
  return { stage, number: Number(number), instruction }
}

/**
 * Parses `[builder 1/5] FROM docker.io/library/node:24@sha256:…`, or `FROM …` alone for an image that is copied from or mounted;
 * an image that exists only in the engine may have no digest.
 */
function baseOf(name: string): Base | undefined {
  const [, reference, digest] = /^(?:\[[^\]]*\] )?FROM (\S+)@(sha256:[0-9a-f]{64})$/.exec(name) ?? []
  return reference !== undefined && digest !== undefined ? { reference, digest } : undefined
}

const IMPORT_NAME = /^importing cache manifest from (\S+)$/

function pendingAmong(vertices: Iterable<{ name: string; ended: boolean }>): string[] {
  return [...vertices].flatMap(({ name, ended }) => (ended ? [] : (IMPORT_NAME.exec(name)?.[1] ?? [])))
}

/** Questions for the manifest of an image (moby/buildkit frontend/dockerfile/dockerfile2llb, solver/llbsolver, frontend/gateway). */
const METADATA_NAME = /^(?:\[internal\] load metadata for|resolve image config for(?: docker-image:\/\/)?) *(\S+)$/

function pendingMetadataAmong(vertices: Iterable<{ name: string; ended: boolean }>): string[] {
  return [...vertices].flatMap(({ name, ended }) => (ended ? [] : (METADATA_NAME.exec(name)?.[1] ?? [])))
}

function isRunningAmong(vertices: Iterable<{ name: string; ended: boolean }>): boolean {
  return [...vertices].some(({ name, ended }) => !ended && isCommand(stepOf(name)?.instruction ?? ''))
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
  /** Parts of a vertex, such as the transfer of a layer. */
  statuses?: { id: string; vertex: string; current?: number; completed?: string }[]
  logs?: VertexLog[]
  warnings?: RawWarning[]
}

interface SeenVertex {
  number: number
  name: string
  /** The sum: BuildKit may execute a vertex in several parts, and reports each. */
  milliseconds: number
  cached: boolean
  completed: boolean
  error?: string
  logEndsLine: boolean
}

/** Reads `--progress=rawjson` of buildx and prints it in the format of `--progress=plain`. */
export class RawJsonProgress extends LineReader implements ProgressReader {
  readonly #vertices = new Map<string, SeenVertex>()
  readonly #bases = new Map<string, Base>()
  /** By status, what was last reported. */
  readonly #statuses = new Map<string, string>()
  readonly #warnings: BuildWarning[] = []
  #object = ''
  #news = 0

  bases(): Base[] {
    return [...this.#bases.values()]
  }

  override warnings(): BuildWarning[] {
    return this.#warnings
  }

  steps(): PrintedStep[] {
    return [...this.#vertices.values()].flatMap(({ name, cached, completed, milliseconds, error }) => {
      const step = stepOf(name)
      if (!step || !(cached || completed)) return []
      return [{ ...step, cached, seconds: milliseconds / 1_000, ...(error === undefined ? {} : { error }) }]
    })
  }

  pendingCaches(): string[] {
    return pendingAmong(this.#running())
  }

  pendingMetadata(): string[] {
    return pendingMetadataAmong(this.#running())
  }

  news(): number {
    return this.#news
  }

  isRunning(): boolean {
    return isRunningAmong(this.#running())
  }

  #running(): { name: string; ended: boolean }[] {
    return [...this.#vertices.values()].map(({ name, completed }) => ({ name, ended: completed }))
  }

  unreadableCaches(): { reference: string; error: string }[] {
    return unreadableAmong(this.#vertices.values())
  }

  protected read(line: string): void {
    // buildx 0.13 prints each object on several lines, later versions print it on one
    if (line === '{' || this.#object !== '') {
      this.#object += line
      if (line !== '}') return
      line = this.#object
      this.#object = ''
    }
    const status = parseStatus(line)
    if (!status) {
      this.#news++
      this.readPlace(line)
      // buildx prints its final error as text
      this.lastWord = /^ERROR: (.+)/.exec(line)?.[1] ?? this.lastWord
      this.print(`${line}\n`)
      return
    }
    for (const vertex of status.vertexes ?? []) this.#see(vertex)
    if ((status.vertexes ?? status.logs ?? []).length > 0) this.#news++
    for (const { id, vertex, current, completed } of status.statuses ?? [])
      this.#note(`${vertex} ${id}`, `${current} ${completed}`)
    for (const log of status.logs ?? []) this.#log(log)
    for (const raw of status.warnings ?? []) this.#warn(raw)
  }

  #warn(raw: RawWarning): void {
    const warning = readWarning(raw)
    if (warning === undefined) return
    this.#warnings.push(warning)
    this.print(`WARN: ${Buffer.from(raw.short ?? '', 'base64').toString()}\n`)
  }

  /** BuildKit repeats the state of a transfer although nothing arrives. */
  #note(status: string, state: string): void {
    if (this.#statuses.get(status) !== state) this.#news++
    this.#statuses.set(status, state)
  }

  #see(vertex: Vertex): void {
    // BuildKit reports the base image even if it does not need it, because all steps on top of it are cached
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
    // with the containerd store, a later update for the lazy pull no longer has this flag
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

/** Reads `--progress=plain` of BuildKit, for clients without rawjson. */
export class PlainProgress extends LineReader implements ProgressReader {
  readonly #vertices = new Map<
    string,
    { name: string; cached: boolean; ended: boolean; seconds: number; error?: string }
  >()
  /** By layer, how far its transfer was. */
  readonly #transfers = new Map<string, string>()
  #news = 0

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

  pendingMetadata(): string[] {
    return pendingMetadataAmong(this.#vertices.values())
  }

  news(): number {
    return this.#news
  }

  isRunning(): boolean {
    return isRunningAmong([...this.#vertices.values()].filter(({ cached }) => !cached))
  }

  unreadableCaches(): { reference: string; error: string }[] {
    return unreadableAmong(this.#vertices.values())
  }

  protected read(line: string): void {
    // BuildKit prints the progress of each layer that it fetches or unpacks several times a second
    const [layer] = /^#\d+ (?:extracting )?sha256:[0-9a-f]{64} /.exec(line) ?? []
    if (layer === undefined) {
      this.print(`${line}\n`)
      this.#news++
    } else this.#note(layer, line.replace(/ [\d.]+s( done)?$/, '$1'))
    this.readPlace(line)
    this.lastWord = /^(?:ERROR: |failed to solve(?: with frontend \S+)?: )(.+)/.exec(line)?.[1] ?? this.lastWord
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

  #note(layer: string, state: string): void {
    if (this.#transfers.get(layer) !== state) this.#news++
    this.#transfers.set(layer, state)
  }
}

/** Creates the reader for a value of `--progress`. */
export function createReader(progress: 'rawjson' | 'plain', print: (text: string) => void): ProgressReader {
  return progress === 'rawjson' ? new RawJsonProgress(print) : new PlainProgress(print)
}
