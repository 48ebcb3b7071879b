import { CancelledError } from '../../src/lib/errors.ts'
import { hashOf } from '../../src/lib/hash.ts'
import type { Answer, FailureKind, RegistryFailure } from '../../src/registry/failure.ts'
import type { ImageRecord, ReadImage } from '../../src/registry/image.ts'
import type { IndexContent } from '../../src/registry/indexes.ts'
import { isDigest, repositoryOf } from '../../src/registry/reference.ts'
import type { Registry } from '../../src/registry/registry.ts'

/** A failure whose message is its kind, unless a test gives another one. */
export function failureOf(kind: FailureKind, message: string = kind): RegistryFailure {
  return { kind, message }
}

/** What registries hold. Several runs may share it. */
export class Contents {
  /** By reference, with a tag or with a digest. */
  readonly #images = new Map<string, ImageRecord>()

  /** The image of a tag or of a digest. */
  get(reference: string): ImageRecord | undefined {
    return this.#images.get(reference)
  }

  /** Gives an image a tag in a repository, which holds it by its digest from then on. */
  put(reference: string, image: ImageRecord): void {
    this.#images.set(reference, image)
    if (image.digest !== undefined) this.#images.set(`${repositoryOf(reference)}@${image.digest}`, image)
  }
}

interface Options {
  /**
   * Awaited before each request and before its answer, so that a test may record the order, or let another run go first. Requests
   * are `get REFERENCE`, `head REFERENCE` and `put REFERENCE`.
   */
  turn?: (what: string) => Promise<void> | void
  /** The failure that a request is answered with. */
  fail?: (request: string) => RegistryFailure | undefined
  /** The failure that a run gets instead of the answer to a request that arrived. */
  lose?: (request: string) => RegistryFailure | undefined
  signal?: AbortSignal
}

/** The registries of one run, in memory. As the real ones it gives a tag in two requests: it gets the image, and puts it. */
export class FakeRegistry implements Registry {
  readonly contents: Contents
  /** Digests of the images in each index. */
  readonly indexes = new Map<string, string[]>()
  readonly #options: Options
  readonly #published = new Map<string, Promise<ReadImage>>()

  constructor(contents = new Contents(), options: Options = {}) {
    this.contents = contents
    this.#options = options
  }

  published(reference: string): Promise<ReadImage> {
    const read = this.#published.get(reference) ?? this.#read(reference)
    this.#published.set(reference, read)
    read.catch(() => {})
    return read
  }

  current(reference: string): Promise<ReadImage> {
    return this.#read(reference)
  }

  async digest(reference: string): Promise<Answer<string>> {
    return this.#request(`head ${reference}`, () => {
      const digest = this.contents.get(reference)?.digest
      return digest === undefined ? { failure: failureOf('absent', `${reference} is absent`) } : { value: digest }
    })
  }

  async tag(
    image: string,
    references: readonly string[]
  ): Promise<{ tagged: Map<string, string>; failure?: RegistryFailure }> {
    const tagged = new Map<string, string>()
    for (const reference of references) {
      const { image: record, failure } = await this.#read(image)
      if (failure) return { tagged, failure }
      const put = await this.#request(`put ${reference}`, (): Answer<string> => {
        this.contents.put(reference, record)
        return { value: record.digest ?? '' }
      })
      if (put.failure) return { tagged, failure: put.failure }
      tagged.set(reference, put.value)
    }
    return { tagged }
  }

  async content(reference: string): Promise<Answer<IndexContent>> {
    const { value, failure } = await this.digest(reference)
    return failure ? { failure } : { value: { digest: value, images: this.indexes.get(value) ?? [value] } }
  }

  async join(reference: string, images: readonly string[]): Promise<RegistryFailure | undefined> {
    const digests = images.map((image) => image.replace(/.*@/, '')).sort()
    const { image, failure } = await this.#read(images[0] ?? '')
    if (failure) return failure
    const digest = `sha256:${hashOf(digests)}`
    const put = await this.#request(`put ${reference}`, (): Answer<string> => {
      this.indexes.set(digest, digests)
      this.contents.put(reference, { ...image, digest })
      return { value: digest }
    })
    return put.failure
  }

  async end(): Promise<void> {}

  async #read(reference: string): Promise<ReadImage> {
    return this.#request(`get ${reference}`, (): ReadImage => {
      const image = this.contents.get(reference)
      return image ? { image } : { failure: failureOf('absent', `${reference} is absent`) }
    })
  }

  async #request<T>(text: string, answer: () => T): Promise<T | { failure: RegistryFailure }> {
    const { turn, fail, lose, signal } = this.#options
    await turn?.(text)
    if (signal?.aborted) throw new CancelledError()
    const failure = fail?.(text)
    const answered = failure ? { failure } : answer()
    await turn?.(`answer to ${text}`)
    // a cancellation aborts a request that may have arrived
    if (signal?.aborted) throw new CancelledError()
    const lost = lose?.(text)
    return lost ? { failure: lost } : answered
  }
}

/** An image as a registry tells of it: of one layer on its base, and labelled with nothing, unless a test says otherwise. */
export function imageOf(digest: string, more: Partial<ImageRecord> = {}): ImageRecord {
  if (!isDigest(digest)) throw new Error(`${digest} is not a digest`)
  return { digest, labels: {}, runtime: '[]', layers: [], history: [], ...more }
}
