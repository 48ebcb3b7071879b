import { CancelledError } from '../lib/errors.ts'
import { parseJson } from '../lib/json.ts'
import { type Retry, retry } from '../lib/retry.ts'
import { RegistryConnection, RepositoryClient } from './client.ts'
import { inspectByClient, pullAndInspect, tagByClient } from './client-images.ts'
import { transientFailure } from './client-words.ts'
import { type Answer, answer, RegistryError, type RegistryFailure } from './failure.ts'
import { childOf, configOf, type ImageRecord, parseConfig, parseManifest, type ReadImage } from './image.ts'
import { sameRepository } from './image-reference.ts'
import type { RegistryOptions } from './options.ts'
import { type Address, addressOf } from './reference.ts'

/** All that a run asks of registries, but for the pushes and pulls of the engine. Failures are data; only a cancellation throws. */
export interface Registry {
  /** The image that earlier runs published under a reference. It is read once, however often it is asked for. */
  published(reference: string): Promise<ReadImage>
  /** The image that is under a reference at this moment. Nothing may be built after that: the engine may have to pull it. */
  current(reference: string): Promise<ReadImage>
  /** The digest that a tag names at this moment. */
  digest(reference: string): Promise<Answer<string>>
  /**
   * Gives an image further tags. No layer moves.
   *
   * @param image a reference
   * @returns by reference the digest of each tag that was set, and the first failure; nothing is tried after that
   */
  tag(image: string, references: readonly string[]): Promise<{ tagged: Map<string, string>; failure?: RegistryFailure }>
  /** Ends what still runs, and all connections. */
  end(): Promise<void>
}

/** Bytes of an image's config at most: with inline cache metadata it may be large. */
const LONGEST_CONFIG = 16 * 1_024 * 1_024

/**
 * Registries by HTTP, as the OCI distribution specification has it. Where this machine cannot do what the docker client or the
 * engine can, they are asked instead, and the log says so.
 */
export class HttpRegistry implements Registry {
  readonly #options: RegistryOptions
  readonly #ended = new AbortController()
  readonly #signal: AbortSignal
  readonly #published = new Map<string, Promise<ReadImage>>()
  readonly #connections = new Map<string, RegistryConnection>()
  /** Of each registry that only the docker client reaches, whether the client does. */
  readonly #byClient = new Map<string, boolean>()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal])
  }

  published(reference: string): Promise<ReadImage> {
    const read = this.#published.get(reference) ?? this.#inspect(reference)
    this.#published.set(reference, read)
    // whoever awaits it sees a cancellation; until then it is no unhandled rejection
    read.catch(() => {})
    return read
  }

  async current(reference: string): Promise<ReadImage> {
    const read = await this.#inspect(reference, (await this.#published.get(reference))?.image)
    if (read.image || !read.failure.clientMaySucceed) return read
    const pulled = await pullAndInspect(this.#options, reference)
    if (pulled.image) this.#say(reference, 'The engine', read.failure)
    return pulled
  }

  digest(reference: string): Promise<Answer<string>> {
    // nothing fails without it, so a registry that cannot be accessed from here is not asked again
    return this.#try(
      reference,
      () => answer(this.#digest(reference)),
      'look',
      ({ failure }) => (failure?.clientMaySucceed ? undefined : transientFailure(failure))
    )
  }

  async tag(
    image: string,
    references: readonly string[]
  ): Promise<{ tagged: Map<string, string>; failure?: RegistryFailure }> {
    const tagged = new Map<string, string>()
    for (const reference of references) {
      const { value, failure } = await this.#tagOne(image, reference)
      if (failure) return { tagged, failure }
      tagged.set(reference, value)
    }
    return { tagged }
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled([...this.#published.values()])
    await Promise.allSettled([...this.#connections.values()].map((connection) => connection.end()))
  }

  async #inspect(reference: string, known?: ImageRecord): Promise<ReadImage> {
    const read = await this.#try(reference, async (): Promise<ReadImage> => {
      const { value, failure } = await answer(this.#read(reference, known))
      return failure ? { failure } : { image: value }
    })
    if (read.image || !read.failure.clientMaySucceed || this.#options.buildx === undefined) return read
    const { registry } = addressOf(reference)
    // a client that could not reach it either need not be asked for every image
    if (this.#byClient.get(registry) === false) return read
    const { docker, platform } = this.#options
    const inspected = await inspectByClient(docker, reference, platform, this.#signal)
    // "there is none" is an answer, too
    if (!inspected.image && inspected.failure.kind !== 'absent') {
      this.#byClient.set(registry, false)
      return read
    }
    this.#say(reference, 'The docker client', read.failure)
    return inspected
  }

  /** Says once for each registry who was asked instead. */
  #say(reference: string, who: string, { message }: RegistryFailure): void {
    const { registry } = addressOf(reference)
    if (this.#byClient.get(registry) === true) return
    this.#byClient.set(registry, true)
    this.#options.log.info(`${who} inspected ${reference}, because this action cannot access ${registry}: ${message}`)
  }

  async #read(reference: string, known?: ImageRecord): Promise<ImageRecord> {
    const address = addressOf(reference)
    const client = this.#clientOf(address)
    const top = await client.manifest(address.target)
    if (known?.digest === top.digest) return known
    const child = childOf(top, this.#options.platform)
    const manifest = child === undefined ? top : await partOf(client.manifest(child))
    const config = configOf(manifest)
    if (config === undefined) throw new RegistryError({ kind: 'unknown', message: 'it is not an image' })
    const record = parseConfig(parseJson((await partOf(client.blob(config, LONGEST_CONFIG))).toString()))
    const sizes = parseManifest(manifest)
    return {
      ...record,
      digest: top.digest,
      ids: [...new Set([top.digest, manifest.digest, config])],
      ...(sizes && { manifest: sizes })
    }
  }

  async #digest(reference: string): Promise<string> {
    const address = addressOf(reference)
    return this.#clientOf(address).digest(address.target)
  }

  async #tagOne(image: string, reference: string): Promise<Answer<string>> {
    const { registry, path } = addressOf(image)
    const { target } = addressOf(reference)
    if (sameRepository(image, reference)) {
      const put = await this.#try(
        reference,
        () =>
          answer(
            (async () => {
              const client = this.#clientOf({ registry, path })
              const manifest = await client.manifest(addressOf(image).target)
              await client.putManifest(target, manifest)
              return manifest.digest
            })()
          ),
        'publish'
      )
      if (!put.failure?.clientMaySucceed) return put
    }
    const failure = await tagByClient(this.#options, image, reference)
    // the engine may reach what neither of them does
    if (failure) return { failure: { ...failure, clientMaySucceed: true } }
    // another store of images may have packed it anew
    const { value } = await this.digest(reference)
    return { value: value ?? image.replace(/^[^@]*@?/, '') }
  }

  #clientOf({ registry, path }: Pick<Address, 'registry' | 'path'>): RepositoryClient {
    const { env, insecure, patience } = this.#options
    const connection = this.#connections.get(registry) ?? new RegistryConnection(registry, env, insecure, patience)
    this.#connections.set(registry, connection)
    return new RepositoryClient(connection, path, this.#signal)
  }

  /** Measures some work about a reference, and does it again after a transient failure. */
  #try<T extends { failure?: RegistryFailure | undefined }>(
    reference: string,
    work: () => Promise<T>,
    kind: 'look' | 'publish' = 'look',
    whyAgain: (result: T) => RegistryFailure | undefined = ({ failure }) => transientFailure(failure)
  ): Promise<T> {
    const { timeline } = this.#options
    const title = kind === 'look' ? `Inspect ${reference}` : `Tag ${reference}`
    return timeline.measure(kind, title, () => retry(this.#retry, title, work, whyAgain))
  }

  get #retry(): Retry {
    if (this.#signal.aborted) throw new CancelledError()
    return { retries: this.#options.retries, log: this.#options.log, signal: this.#signal }
  }
}

/** A part of an image: that it is missing does not mean that there is no image. */
async function partOf<T>(work: Promise<T>): Promise<T> {
  const { value, failure } = await answer(work)
  if (!failure) return value
  throw new RegistryError(
    failure.kind === 'absent' ? { kind: 'unknown', message: `a part of it is missing: ${failure.message}` } : failure
  )
}
