import { messageOf } from '../lib/errors.ts'
import type { ExecResult, Stream } from '../lib/exec.ts'
import { at, list, parseJson, text } from '../lib/json.ts'
import type { CallOptions, Docker } from './docker.ts'
import { failureOf } from './errors.ts'

/** Every image of the action has a label that begins with this. */
const LABELS = 'shared-docker-layers.'

/** A name that the run set in the engine. */
export interface AddedName {
  name: string
  /** ID of the image that it named before; '' if it named none. */
  before: string
  /** IDs of the images that the run gave this name. */
  ids: string[]
}

/** What a run added to the images of the engine. Plain data for the state of the post step. */
export interface AddedImages {
  names: AddedName[]
  /** IDs of images that no name was ever given: the last step of a failed build of the legacy builder. */
  unnamed: string[]
}

/** A docker client that notes the names and images that its calls add to the engine. */
export class ImageRecorder implements Docker {
  readonly #docker: Docker
  readonly #isOurs: (name: string) => boolean
  readonly #save: (added: AddedImages) => void
  readonly #names = new Map<string, Promise<AddedName>>()
  readonly #added: AddedImages = { names: [], unnamed: [] }
  #existing: Promise<Set<string>> | undefined

  /**
   * @param isOurs whether the run may remove this name: false for images that others use, such as base images
   * @param save called after each change, because the main step may be killed at any time
   */
  constructor(docker: Docker, isOurs: (name: string) => boolean, save: (added: AddedImages) => void) {
    this.#docker = docker
    this.#isOurs = isOurs
    this.#save = save
  }

  async call(args: readonly string[], options: CallOptions): Promise<ExecResult> {
    const names = (options.sets ?? namesSetBy(args)).filter(this.#isOurs)
    const isLegacyBuild = args[0] === 'build' && options.env?.DOCKER_BUILDKIT === '0'
    if (names.length === 0 && !isLegacyBuild) return this.#docker.call(args, options)
    const added = await Promise.all(names.map((name) => this.#startOf(name)))
    const steps = isLegacyBuild ? new LegacySteps() : undefined
    if (steps) this.#existing ??= this.#listImages()
    await this.#existing
    const onOutput = (chunk: Buffer, stream: Stream): void => {
      if (stream === 'stdout') steps?.read(chunk)
      options.onOutput?.(chunk, stream)
    }
    try {
      return await this.#docker.call(args, steps ? { ...options, onOutput } : options)
    } finally {
      // also after a failure or a cancellation: the engine may have set the names by then
      await this.#noteImage(added)
      if (steps?.last !== undefined) await this.#noteUnnamed(steps.last)
    }
  }

  /** Notes, before the first change, which image a name has. */
  #startOf(name: string): Promise<AddedName> {
    const start =
      this.#names.get(name) ??
      inspectImage(this.#docker, name).then((image) => {
        const added = { name, before: image?.id ?? '', ids: [] }
        this.#added.names.push(added)
        this.#save(this.#added)
        return added
      })
    this.#names.set(name, start)
    return start
  }

  async #noteImage(added: readonly AddedName[]): Promise<void> {
    // the first one names the commit: another run on the same engine may set the moving tags at any time
    const [first] = added
    const image = first && (await inspectImage(this.#docker, first.name))
    if (image === undefined) return
    for (const { ids } of added) if (!ids.includes(image.id)) ids.push(image.id)
    this.#save(this.#added)
  }

  async #noteUnnamed(id: string): Promise<void> {
    const image = await inspectImage(this.#docker, id)
    const existing = await this.#existing
    if (image === undefined || !existing || existing.has(image.id) || this.#added.unnamed.includes(image.id)) return
    this.#added.unnamed.push(image.id)
    this.#save(this.#added)
  }

  async #listImages(): Promise<Set<string>> {
    const { stdout } = await this.#docker.call(['image', 'ls', '--all', '--quiet', '--no-trunc'], {
      bound: 'image'
    })
    return new Set(stdout.split('\n'))
  }
}

/** Returns the names that a docker command sets in the engine. */
function namesSetBy(args: readonly string[]): string[] {
  const [command, second] = args
  if (command === 'pull') return args.slice(-1)
  if (command === 'tag') return args.slice(2, 3)
  if (command !== 'build' && !(command === 'buildx' && second === 'build')) return []
  return args.filter((_, index) => args[index - 1] === '--tag')
}

/** Reads from the output of the legacy builder the image of the last step that it executed (moby/moby builder/dockerfile). */
class LegacySteps {
  last: string | undefined
  #rest = ''
  #isExecuted = false

  read(chunk: Buffer): void {
    const lines = `${this.#rest}${chunk.toString('latin1')}`.split('\n')
    // a longer line is none of the builder's own
    this.#rest = (lines.pop() ?? '').slice(0, 200)
    for (const line of lines) {
      const [, id] = /^ ---> ([0-9a-f]{12})$/.exec(line) ?? []
      if (line.startsWith('Step ')) this.#isExecuted = !/^Step \d+\/\d+ : FROM\s/i.test(line)
      else if (line === ' ---> Using cache') this.#isExecuted = false
      else if (id !== undefined && this.#isExecuted) this.last = id
    }
  }
}

/** The engine's data about an image. */
interface EngineImage {
  id: string
  tags: unknown[]
  isOurs: boolean
}

/** Ignores the signal of the run: what it added must be known after a cancellation, too. */
async function inspectImage(docker: Docker, name: string): Promise<EngineImage | undefined> {
  const { exitCode, stdout } = await docker.call(['image', 'inspect', name], { bound: 'image' })
  const [image] = exitCode === 0 ? list(parseJson(stdout)) : []
  if (image === undefined) return undefined
  const labels = Object.keys((at(image, 'Config', 'Labels') ?? {}) as object)
  return {
    id: text(at(image, 'Id')),
    tags: list(at(image, 'RepoTags')),
    isOurs: labels.some((label) => label.startsWith(LABELS))
  }
}

/**
 * Makes the names of a run name what they did before, and removes the images that no longer have a name. Leaves a name that has
 * another image than this run gave it: another run, or the user, has taken it since.
 *
 * @returns the removed names, and what could not be removed and why
 */
export async function removeAddedImages(
  docker: Docker,
  { names, unnamed }: AddedImages
): Promise<{ removed: string[]; left: string[] }> {
  const removed: string[] = []
  const left: string[] = []
  const attempt = async (args: string[]): Promise<boolean> => {
    const failure = failureOf(await docker.call(args, { bound: 'image' }))
    if (failure !== undefined) left.push(failure)
    return failure === undefined
  }
  try {
    for (const { name, before, ids } of names) {
      const image = await inspectImage(docker, name)
      if (!image?.isOurs || !ids.includes(image.id) || image.id === before) continue
      const isRestored =
        before !== '' && failureOf(await docker.call(['tag', before, name], { bound: 'image' })) === undefined
      if (isRestored || (await attempt(['image', 'rm', name]))) removed.push(name)
    }
    const before = new Set(names.map((name) => name.before))
    for (const id of new Set([...names.flatMap(({ ids }) => ids), ...unnamed])) {
      const image = before.has(id) ? undefined : await inspectImage(docker, id)
      if (image?.id === id && image.tags.length === 0) await attempt(['image', 'rm', id])
    }
  } catch (error) {
    left.push(messageOf(error))
  }
  return { removed, left }
}
