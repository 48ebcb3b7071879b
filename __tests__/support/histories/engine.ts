import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CallOptions, Docker } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import type { ExecResult } from '../../../src/lib/exec.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { INFO } from '../fake-docker.ts'
import type { Random } from './scheduler.ts'

/** The base image of all Dockerfiles. */
export const BASE = 'base:1'

/** An image, with the truth about it that no label and no registry tells. */
export interface Image {
  id: string
  record: ImageRecord
  /** What went into it, whoever built it: instructions and files, without what only a command makes. */
  content: string
  /** The layers of each builder image from which it, or one of its layers, copied files. */
  copied: readonly string[]
  /** By the key of a step: its layer. BuildKit finds these in the cache metadata. */
  steps: ReadonlyMap<string, string>
  /** By what went into the image up to a step: its layer. */
  results: ReadonlyMap<string, string>
}

/** All images that were ever built, and which builder images passed which tests. */
export class Truth {
  readonly #images = new Map<string, Image>()
  /** By layer: the layers of each builder image from which files were copied into it. */
  readonly copiedInto = new Map<string, readonly string[]>()
  /** By the layers of a builder image and the number of the run: how each test ended. */
  readonly #tests = new Map<string, Map<string, boolean>[]>()
  #nonce = 0

  /** Adds an image; returns the one that was built before if it is the same. */
  add(image: Image): Image {
    const { digest = '' } = image.record
    const same = this.#images.get(digest) ?? image
    this.#images.set(digest, same)
    return same
  }

  image(digest: string | undefined): Image | undefined {
    return this.#images.get(digest ?? '')
  }

  /** A number that no other step gets: a command has another result each time. */
  nonce(): number {
    return this.#nonce++
  }

  /** Begins the tests of one run in an image. */
  beginTests(image: Image): Map<string, boolean> {
    const results = new Map<string, boolean>()
    const layers = image.record.layers.join()
    this.#tests.set(layers, [...(this.#tests.get(layers) ?? []), results])
    return results
  }

  /** Whether all tests passed, in one run, in a builder image with these layers. */
  havePassed(layers: string, tests: readonly string[]): boolean {
    return tests.length === 0 || (this.#tests.get(layers) ?? []).some((one) => tests.every((test) => one.get(test)))
  }
}

/** What a run's engine needs from the history. */
export interface EngineWorld {
  truth: Truth
  random: Random
  /** Waits for the turn of a call. */
  turn: (what: string) => Promise<void>
  /** What a push meets: an error before or after the image arrived. */
  fault: (what: string) => { before?: string; after?: string }
  /** The registry, as the engine sees it. */
  get: (reference: string) => ImageRecord | undefined
  put: (reference: string, image: ImageRecord) => void
  /** The run knows that a push arrived. */
  answered: (reference: string) => void
}

interface Container {
  image: string
  imageId: string
  words: string[]
  exitCode: number
}

interface Vertex {
  digest: string
  name: string
  cached: boolean
  error?: string
}

const hash = (...parts: unknown[]): string =>
  `sha256:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`

/** What an engine keeps, as long as it lives. */
export class EngineState {
  readonly images = new Map<string, Image>()
  readonly cache = new Map<string, string>()
}

/** The result of a stage up to one of its steps. */
interface Result {
  key: string
  layers: string[]
  history: ImageRecord['history']
  content: string
  steps: Map<string, string>
  results: Map<string, string>
}

/**
 * An engine with BuildKit, for Dockerfiles of FROM, COPY of one file, COPY --from and RUN. Its images are made of what the files
 * hold, but a command has another result each time that it is executed.
 */
export class HistoryDocker implements Docker {
  readonly #state: EngineState
  readonly #world: EngineWorld
  readonly #containers = new Map<string, Container>()
  /** By the layers of an image: the tests of this run in it. */
  readonly #tests = new Map<string, Map<string, boolean>>()

  constructor(state: EngineState, world: EngineWorld) {
    this.#state = state
    this.#world = world
  }

  async call(args: readonly string[], { signal, onOutput, input }: CallOptions): Promise<ExecResult> {
    if (signal?.aborted) throw new CancelledError()
    const what = `docker ${args.join(' ')}`
    await this.#world.turn(what)
    if (signal?.aborted) throw new CancelledError()
    const { exitCode = 0, stdout = '', stderr = '' } = this.#answer(args, input)
    onOutput?.(Buffer.from(stdout), 'stdout')
    onOutput?.(Buffer.from(stderr), 'stderr')
    await this.#world.turn(`answer to ${what}`)
    if (signal?.aborted && exitCode !== 0) throw new CancelledError()
    return { exitCode, stdout, stderr }
  }

  #answer(args: readonly string[], input: string | undefined): Partial<ExecResult> {
    const names = args.slice(args.indexOf('--format') === -1 ? 2 : args.indexOf('--format') + 2)
    switch (args[0]) {
      case 'info':
        return { stdout: JSON.stringify({ ...INFO, Architecture: 'x86_64' }) }
      case 'buildx':
        return input === undefined ? this.#build(args) : {}
      case 'run':
        return this.#run(args)
      case 'container': {
        const container = this.#containers.get(args.at(-1) ?? '')
        return container ? { stdout: inspected(container) } : { exitCode: 1, stderr: 'Error: No such container\n' }
      }
      case 'history':
        return this.#each(names, ({ record }) =>
          record.history
            .map(({ createdBy }) => JSON.stringify(createdBy))
            .reverse()
            .join('\n')
        )
      case 'image':
        return args[1] === 'rm' ? this.#remove(args[2] ?? '') : this.#images(args, names)
      case 'tag': {
        const image = this.#state.images.get(args[1] ?? '')
        if (image === undefined) return { exitCode: 1, stderr: 'Error: No such image\n' }
        this.#state.images.set(args[2] ?? '', image)
        return {}
      }
      case 'push':
        return this.#push(args[1] ?? '')
      case 'ps':
      case 'rm':
      case 'version':
        return {}
      default:
        throw new Error(`docker ${args.join(' ')} is not expected here`)
    }
  }

  #images(args: readonly string[], names: readonly string[]): Partial<ExecResult> {
    const format = args[args.indexOf('--format') + 1]
    if (args[1] === 'ls') return { stdout: [...this.#state.images.keys()].map((name) => `${name}\n`).join('') }
    if (!args.includes('--format')) {
      const found = names.map((name) => this.#state.images.get(name))
      if (found.includes(undefined)) return { exitCode: 1, stderr: 'Error: No such image\n' }
      return {
        stdout: JSON.stringify(found.map((image) => ({ Id: image?.id, Config: { Labels: image?.record.labels } })))
      }
    }
    return this.#each(names, ({ id, record }) => {
      const { labels, layers } = record
      return (format ?? '')
        .replace('{{.Id}}', id)
        .replace('{{json .Config}}', JSON.stringify({ Labels: labels }))
        .replace('{{json .RootFS.Layers}}', JSON.stringify(layers))
        .replace('{{json .RepoDigests}}', '[]')
    })
  }

  #each(names: readonly string[], tell: (image: Image) => string): Partial<ExecResult> {
    const lines = names.map((name) => {
      const image = this.#state.images.get(name)
      return image && `${tell(image)}\n`
    })
    if (lines.includes(undefined)) return { exitCode: 1, stderr: 'Error: No such image\n' }
    return { stdout: lines.join('') }
  }

  #remove(name: string): Partial<ExecResult> {
    return this.#state.images.delete(name) ? {} : { exitCode: 1, stderr: 'Error: No such image\n' }
  }

  #push(reference: string): Partial<ExecResult> {
    const image = this.#state.images.get(reference)
    if (image === undefined) return { exitCode: 1, stderr: `An image does not exist locally: ${reference}\n` }
    const { before, after } = this.#world.fault(`push ${reference}`)
    if (before !== undefined) return { exitCode: 1, stderr: `${before}\n` }
    this.#world.put(reference, image.record)
    if (after !== undefined) return { exitCode: 1, stderr: `${after}\n` }
    this.#world.answered(reference)
    return { stdout: `x: digest: ${image.record.digest} size: 1\n` }
  }

  #run(args: readonly string[]): Partial<ExecResult> {
    const [name = '', ...words] = args.slice(-3)
    const image = this.#state.images.get(name)
    if (image === undefined) return { exitCode: 125, stderr: `Unable to find image '${name}' locally\n` }
    const command = words.at(-1) ?? ''
    const fails = command === 'flaky' ? this.#world.random.chance(0.4) : image.content.includes(`breaks ${command}`)
    const exitCode = fails ? 1 : 0
    const layers = image.record.layers.join()
    const results = this.#tests.get(layers) ?? this.#world.truth.beginTests(image)
    this.#tests.set(layers, results)
    results.set(command, exitCode === 0)
    this.#containers.set(args[args.indexOf('--name') + 1] ?? '', {
      image: name,
      imageId: image.id,
      words: ['sh', ...words],
      exitCode
    })
    return { exitCode }
  }

  #build(args: readonly string[]): Partial<ExecResult> {
    const values = (name: string): string[] => args.filter((_, index) => args[index - 1] === name)
    const [file = '', idFile = '', source = ''] = ['--file', '--iidfile', '--cache-from'].flatMap(values)
    const vertices = new Map<string, Vertex>()
    const imported = this.#import(source.replace(/^.*ref=/, ''), vertices)
    const stages = readStages(readFileSync(file, 'utf8'))
    const [target = ''] = values('--target')
    const index = target === '' ? stages.length - 1 : stages.findIndex(({ name }) => name === target)
    const result = this.#solve(stages, index, args.at(-1) ?? '', imported, vertices)
    const stderr = progressOf([...vertices.values()])
    if (result === undefined) return { exitCode: 1, stderr: `${stderr}ERROR: failed to solve: a command failed\n` }
    const labels = Object.fromEntries(values('--label').map((label) => label.split(/=(.*)/s).slice(0, 2)))
    const image = this.#imageOf(result, labels)
    for (const tag of values('--tag')) this.#state.images.set(tag, image)
    writeFileSync(idFile, image.id)
    return { stderr }
  }

  /** Reads the cache metadata of an image in the registry. */
  #import(reference: string, vertices: Map<string, Vertex>): ReadonlyMap<string, string> {
    const name = `importing cache manifest from ${reference}`
    const { before } = this.#world.fault(`import ${reference}`)
    const record = before === undefined ? this.#world.get(reference) : undefined
    const error = before ?? `failed to configure registry cache importer: ${reference}: not found`
    vertices.set(name, { digest: hash(name), name, cached: false, ...(record === undefined && { error }) })
    const image = this.#world.truth.image(record?.digest)
    return image?.record.recorded?.length ? image.steps : new Map()
  }

  #imageOf({ layers, history, content, steps, results }: Result, labels: Record<string, string>): Image {
    const { truth, random } = this.#world
    const own = history.map((_, index) => index).slice(1)
    // now and then BuildKit writes no records, and the image is of no use as a cache
    const recorded = random.chance(0.03) ? [] : own
    const id = hash('config', layers, history, labels, recorded)
    const digest = hash('manifest', id)
    const copied = [...new Set(layers.flatMap((layer) => truth.copiedInto.get(layer) ?? []))]
    const record = { digest, ids: [digest, id], labels, runtime: '[]', layers, history, recorded }
    return truth.add({ id, record, content, copied, steps, results })
  }

  /** @returns undefined if a command failed */
  #solve(
    stages: readonly StageText[],
    index: number,
    context: string,
    imported: ReadonlyMap<string, string>,
    vertices: Map<string, Vertex>
  ): Result | undefined {
    const stage = stages[index]
    if (stage === undefined) throw new Error('there is no such stage')
    const inner = (name: string): Result | undefined => {
      const other = stages.findIndex((one) => one.name === name)
      return this.#solve(stages, other, context, imported, vertices)
    }
    const isStage = stages.some(({ name }) => name === stage.base)
    const base = isStage ? inner(stage.base) : this.#base(stage.base, vertices)
    if (base === undefined) return undefined
    let { key, content } = base
    const [layers, history] = [[...base.layers], [...base.history]]
    const [steps, results] = [new Map(base.steps), new Map(base.results)]
    for (const [at, text] of stage.instructions.entries()) {
      const [, from, path = ''] = /^COPY (?:--from=(\S+) )?(\S+)/.exec(text) ?? []
      const source = from === undefined ? undefined : inner(from)
      if (from !== undefined && source === undefined) return undefined
      const read = path === '' || source ? '' : readFileSync(join(context, path), 'utf8')
      const below = key
      key = hash(below, text, source?.key ?? read)
      content = `(${content}) ${text} {${source?.content ?? read}}`
      const name = `[${stage.name} ${at + 2}/${stage.instructions.length + 1}] ${text}`
      const lookUp = (one: string): string | undefined => this.#state.cache.get(one) ?? imported.get(one)
      // BuildKit finds what it copies by its instructions, and by its content
      const byContent = hash(below, text, source?.layers)
      const known = lookUp(key) ?? (source && lookUp(byContent))
      if (known === undefined && text.startsWith('RUN') && content.includes('breaks build')) {
        vertices.set(key, {
          ...{ digest: key, name, cached: false },
          error: `process "/bin/sh -c ${text.slice(4)}" did not complete successfully: exit code: 1`
        })
        return undefined
      }
      const layer = known ?? this.#execute(layers, text, read, source)
      for (const one of source ? [key, byContent] : [key]) {
        this.#state.cache.set(one, layer)
        steps.set(one, layer)
      }
      if (!vertices.has(key)) vertices.set(key, { digest: key, name, cached: known !== undefined })
      layers.push(layer)
      history.push({ createdBy: text.replace(/^RUN /, 'RUN /bin/sh -c '), empty: false })
      results.set(content, layer)
      if (source) key = hash(layer)
    }
    return { key, layers, history, content, steps, results }
  }

  #execute(below: readonly string[], text: string, read: string, source: Result | undefined): string {
    const { truth } = this.#world
    if (source === undefined) return text.startsWith('RUN') ? hash(below, text, truth.nonce()) : hash(text, read)
    const layer = hash(text, source.layers)
    if (text.includes('--from=builder')) truth.copiedInto.set(layer, [source.layers.join()])
    return layer
  }

  #base(reference: string, vertices: Map<string, Vertex>): Result | undefined {
    const here = this.#state.images.get(reference)
    const record = here?.record ?? this.#world.get(reference)
    if (record === undefined) return undefined
    const name = `[base 1/1] FROM docker.io/library/${reference}@${record.digest}`
    if (here === undefined) vertices.set(name, { digest: hash(name), name, cached: false })
    return {
      // an image in the engine is known by its layers alone
      key: hash('image', record.layers),
      layers: record.layers,
      history: record.history,
      content: here?.content ?? 'base',
      steps: new Map(),
      results: new Map()
    }
  }
}

interface StageText {
  name: string
  base: string
  instructions: string[]
}

function readStages(text: string): StageText[] {
  const stages: StageText[] = []
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, base = '', name = `stage-${stages.length}`] = /^FROM (\S+)(?: AS (\S+))?$/.exec(line) ?? []
    if (base !== '') stages.push({ name, base, instructions: [] })
    else stages.at(-1)?.instructions.push(line)
  }
  return stages
}

/** What the production stage of these files is made of. */
export function contentOf(files: Readonly<Record<string, string>>, target?: string): string {
  const { Dockerfile = '' } = files
  const stages = readStages(Dockerfile)
  const solve = (index: number): string => {
    const stage = stages[index]
    if (stage === undefined) throw new Error('there is no such stage')
    const other = (name: string): number => stages.findIndex((one) => one.name === name)
    return stage.instructions.reduce(
      (content, text) => {
        const [, from, path = ''] = /^COPY (?:--from=(\S+) )?(\S+)/.exec(text) ?? []
        return `(${content}) ${text} {${from === undefined ? (files[path] ?? '') : solve(other(from))}}`
      },
      other(stage.base) === -1 ? 'base' : solve(other(stage.base))
    )
  }
  return solve(target === undefined ? stages.length - 1 : stages.findIndex(({ name }) => name === target))
}

function progressOf(vertices: readonly Vertex[]): string {
  const time = '2026-01-01T00:00:00Z'
  return vertices
    .map((vertex) => `${JSON.stringify({ vertexes: [{ ...vertex, started: time, completed: time }] })}\n`)
    .join('')
}

function inspected({ image, imageId, words: [path = '', ...args], exitCode }: Container): string {
  const state = { Status: 'exited', ExitCode: exitCode, StartedAt: '2026-01-01T00:00:00Z', OOMKilled: false, Error: '' }
  return JSON.stringify([{ Image: imageId, Config: { Image: image }, Path: path, Args: args, State: state }])
}
