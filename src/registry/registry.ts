import { CancelledError } from '../lib/errors.ts'
import { parseJson } from '../lib/json.ts'
import { type Retry, retry } from '../lib/retry.ts'
import { type RawManifest, RegistryConnection, RepositoryClient } from './client.ts'
import { digestByEngine, inspectByClient, pullAndInspect, tagByClient } from './client-images.ts'
import { transientFailure } from './client-words.ts'
import { type Answer, answer, RegistryError, type RegistryFailure } from './failure.ts'
import { childOf, configOf, type ImageRecord, parseConfig, parseManifest, type ReadImage } from './image.ts'
import { sameRepository } from './image-reference.ts'
import { contentByClient, contentOf, createIndex, type IndexContent } from './indexes.ts'
import type { RegistryOptions } from './options.ts'
import { type Address, addressOf } from './reference.ts'

/** All requests of a run to registries, except pushes and pulls of the engine. Failures are data; only a cancellation throws. */
export interface Registry {
  /** Inspects the image that earlier runs published under a reference. Reads it only once and caches it. */
  published(reference: string): Promise<ReadImage>
  /** Inspects the image that a reference names now. No build may follow, because the engine may have to pull the image. */
  current(reference: string): Promise<ReadImage>
  /** Returns the digest that a tag names now. */
  digest(reference: string): Promise<Answer<string>>
  /**
   * Gives an image further tags, without transferring layers.
   *
   * @param image a reference
   * @returns the digests of the tags that were set, by reference, and the first failure, which ends the work
   */
  tag(image: string, references: readonly string[]): Promise<{ tagged: Map<string, string>; failure?: RegistryFailure }>
  /** Returns the digest that a reference names now, and those of the images in it if it names an index. */
  content(reference: string): Promise<Answer<IndexContent>>
  /**
   * Gives an index of images of the same repository a tag.
   *
   * @param images references
   * @param annotations of the index, key=value
   */
  join(
    reference: string,
    images: readonly string[],
    annotations: readonly string[]
  ): Promise<RegistryFailure | undefined>
  /** Aborts running requests and closes all connections. */
  end(): Promise<void>
}

/** Maximum size of an image's config in bytes: with cache metadata it may be large. */
const LONGEST_CONFIG = 16 * 1_024 * 1_024

/**
 * Accesses registries over HTTP, by the OCI distribution specification. If the action has no access, it falls back to the
 * docker client or the engine, and logs this.
 */
export class HttpRegistry implements Registry {
  readonly #options: RegistryOptions
  readonly #ended = new AbortController()
  readonly #signal: AbortSignal
  readonly #published = new Map<string, Promise<ReadImage>>()
  readonly #connections = new Map<string, RegistryConnection>()
  /** What was read, by REPOSITORY@DIGEST: a registry may count each read of a manifest as a pull. */
  readonly #manifests = new Map<string, RawManifest>()
  /** For each registry that the action cannot access, whether the docker client can. */
  readonly #byClient = new Map<string, boolean>()
  /** For each registry that the action cannot access, whether the engine can. */
  readonly #byEngine = new Map<string, boolean>()
  /** The registries of which the log says which program inspects the images. */
  readonly #told = new Set<string>()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal])
  }

  published(reference: string): Promise<ReadImage> {
    const read = this.#published.get(reference) ?? this.#inspect(reference)
    this.#published.set(reference, read)
    // the caller that awaits it handles a cancellation; this prevents an unhandled rejection until then
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

  async digest(reference: string): Promise<Answer<string>> {
    // the digest is optional, so do not retry if the action cannot access the registry
    const own = await this.#try(
      reference,
      () => answer(this.#digest(reference)),
      'look',
      ({ failure }) => (failure?.clientMaySucceed ? undefined : transientFailure(failure))
    )
    if (!own.failure?.clientMaySucceed) return own
    const { registry } = addressOf(reference)
    if (this.#byEngine.get(registry) === false) return own
    const answered = await digestByEngine({ ...this.#options, signal: this.#signal }, reference)
    this.#byEngine.set(registry, answered !== undefined)
    if (answered) this.#say(reference, 'The engine', own.failure)
    return answered ?? own
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

  async content(reference: string): Promise<Answer<IndexContent>> {
    const own = await this.#try(reference, () => answer(this.#content(reference)))
    if (!own.failure?.clientMaySucceed || this.#options.buildx === undefined) return own
    const told = await contentByClient({ ...this.#options, signal: this.#signal }, reference)
    if (!told.failure) this.#say(reference, 'The docker client', own.failure)
    return told.failure ? own : told
  }

  join(
    reference: string,
    images: readonly string[],
    annotations: readonly string[]
  ): Promise<RegistryFailure | undefined> {
    return createIndex(this.#options, reference, images, annotations)
  }

  async end(): Promise<void> {
    this.#ended.abort()
    const connections = [...this.#connections.values()].map((connection) => connection.end())
    await Promise.allSettled([...connections, ...this.#published.values()])
  }

  async #inspect(reference: string, known?: ImageRecord): Promise<ReadImage> {
    const read = await this.#try(reference, async (): Promise<ReadImage> => {
      const { value, failure } = await answer(this.#read(reference, known))
      return failure ? { failure } : { image: value }
    })
    if (read.image || !read.failure.clientMaySucceed || this.#options.buildx === undefined) return read
    const { registry } = addressOf(reference)
    // if the client could not access the registry either, do not try again for every image
    if (this.#byClient.get(registry) === false) return read
    const { docker, platform } = this.#options
    const inspected = await inspectByClient(docker, reference, platform, this.#signal)
    // that the image does not exist is an answer, too
    if (!inspected.image && inspected.failure.kind !== 'absent') {
      this.#byClient.set(registry, false)
      return read
    }
    this.#say(reference, 'The docker client', read.failure)
    return inspected
  }

  /** Logs once for each registry which program inspected the image instead. */
  #say(reference: string, who: string, { message }: RegistryFailure): void {
    const { registry } = addressOf(reference)
    if (this.#told.has(`${who} ${registry}`)) return
    this.#told.add(`${who} ${registry}`)
    this.#options.log.info(`${who} inspected ${reference}, because this action cannot access ${registry}: ${message}`)
  }

  async #read(reference: string, known?: ImageRecord): Promise<ImageRecord> {
    const address = addressOf(reference)
    const client = this.#clientOf(address)
    const top = await client.manifest(address.target)
    this.#manifests.set(`${address.registry}/${address.path}@${top.digest}`, top)
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

  async #content(reference: string): Promise<IndexContent> {
    const address = addressOf(reference)
    return contentOf(await this.#clientOf(address).manifest(address.target))
  }

  async #digest(reference: string): Promise<string> {
    const address = addressOf(reference)
    return this.#clientOf(address).digest(address.target)
  }

  async #tagOne(image: string, reference: string): Promise<Answer<string>> {
    if (sameRepository(image, reference)) {
      const put = await this.#try(reference, () => answer(this.#put(image, reference)), 'publish')
      if (!put.failure?.clientMaySucceed) return put
    }
    const failure = await tagByClient(this.#options, image, reference)
    // the engine may have access although neither the action nor the client has
    if (failure) return { failure: { ...failure, clientMaySucceed: true } }
    // another image store may have repackaged the image
    const { value } = await this.digest(reference)
    return { value: value ?? image.replace(/^[^@]*@?/, '') }
  }

  async #put(image: string, reference: string): Promise<string> {
    const { registry, path, target: source } = addressOf(image)
    const client = this.#clientOf({ registry, path })
    const manifest = this.#manifests.get(`${registry}/${path}@${source}`) ?? (await client.manifest(source))
    await client.putManifest(addressOf(reference).target, manifest)
    return manifest.digest
  }

  #clientOf({ registry, path }: Pick<Address, 'registry' | 'path'>): RepositoryClient {
    const { env, insecure, patience } = this.#options
    const connection = this.#connections.get(registry) ?? new RegistryConnection(registry, env, insecure, patience)
    this.#connections.set(registry, connection)
    return new RepositoryClient(connection, path, this.#signal)
  }

  /** Measures an operation on a reference, and retries it after a transient error. */
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

/** Reads a part of an image. If the part is missing, the failure is not `absent`, because the image exists. */
async function partOf<T>(work: Promise<T>): Promise<T> {
  const { value, failure } = await answer(work)
  if (!failure) return value
  throw new RegistryError(
    failure.kind === 'absent' ? { kind: 'unknown', message: `a part of it is missing: ${failure.message}` } : failure
  )
}
