import type { TestBed } from './bed.ts'
import { type Behaviour, specified } from './stand-in-behaviour.ts'
import { type Recorded, StandInServer, type Tls } from './stand-in-server.ts'
import { families, type Json, type StoredManifest } from './stand-in-store.ts'

export interface StandInOptions {
  /** 127.0.0.1 by default. */
  address?: string
  /** Address of the storage to which blobs are redirected; 127.0.0.2 by default. */
  storageAddress?: string
  /** A free one by default. */
  port?: number
  /** HTTPS instead of HTTP. */
  tls?: Tls
}

export interface ImageContent {
  /** JSON as it is, or what becomes JSON. */
  config: object | string
  /** Compressed layers; none by default. */
  layers?: readonly Buffer[]
  /** OCI by default. */
  mediaType?: 'oci' | 'docker'
}

export interface IndexEntry {
  digest: string
  platform?: { os: string; architecture: string; variant?: string }
  annotations?: Record<string, string>
}

/** A registry in this process that keeps what it has in memory, and differs from others as `behaviour` says. */
export class StandInRegistry {
  readonly #server: StandInServer

  private constructor(server: StandInServer) {
    this.#server = server
  }

  static async start(
    behaviour: Partial<Behaviour> = {},
    { address = '127.0.0.1', storageAddress = '127.0.0.2', port = 0, tls }: StandInOptions = {}
  ): Promise<StandInRegistry> {
    const server = new StandInServer(tls)
    await server.listen(address, port, storageAddress)
    const registry = new StandInRegistry(server)
    registry.behaviour = behaviour
    return registry
  }

  /** Stops listening and ends all connections, also those that wait for an answer. */
  async stop(): Promise<void> {
    await this.#server.close()
  }

  /** Where it listens: ADDRESS:PORT. */
  get host(): string {
    return this.#server.host
  }

  get url(): string {
    return this.#server.url
  }

  get behaviour(): Behaviour {
    return this.#server.behaviour
  }

  /** From now on it behaves so, and in all else as the distribution spec has it. */
  set behaviour(behaviour: Partial<Behaviour>) {
    this.#server.behaviour = specified
    this.set(behaviour)
  }

  /** Changes some of its behaviour. */
  set(changes: Partial<Behaviour>): void {
    // A copy, so that one that is set again counts anew.
    const tooMany = changes.tooMany && { ...changes.tooMany }
    this.#server.behaviour = { ...this.#server.behaviour, ...changes, ...('tooMany' in changes && { tooMany }) }
  }

  /** What came since the start, or since `clearRequests`. */
  get requests(): readonly Recorded[] {
    return this.#server.requests
  }

  clearRequests(): void {
    this.#server.requests.length = 0
  }

  /** Puts an image under a tag, without a client. */
  addImage(
    repository: string,
    tag: string,
    { config, layers = [], mediaType = 'oci' }: ImageContent
  ): { digest: string; configDigest: string } {
    const types = families[mediaType]
    const bytes = Buffer.from(typeof config === 'string' ? config : JSON.stringify(config))
    const configDigest = this.addBlob(repository, bytes)
    const manifest = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: configDigest, size: bytes.length },
      layers: layers.map((layer) => ({
        mediaType: types.layer,
        digest: this.addBlob(repository, layer),
        size: layer.length
      }))
    }
    return { digest: this.addManifest(repository, tag, types.manifest, JSON.stringify(manifest)), configDigest }
  }

  /** Puts an index of images that the repository has under a tag; returns its digest. */
  addIndex(
    repository: string,
    tag: string,
    entries: readonly IndexEntry[],
    mediaType: 'oci' | 'docker' = 'oci'
  ): string {
    const manifests = entries.map(({ digest, ...rest }) => {
      const manifest = this.manifest(repository, digest)
      if (!manifest) throw new Error(`${repository} has no ${digest}.`)
      return { mediaType: manifest.mediaType, digest, size: manifest.bytes.length, ...rest }
    })
    const { index } = families[mediaType]
    return this.addManifest(repository, tag, index, JSON.stringify({ schemaVersion: 2, mediaType: index, manifests }))
  }

  /** Puts a manifest under a tag or its digest, byte for byte; returns its digest. */
  addManifest(repository: string, reference: string, mediaType: string, bytes: Buffer | string): string {
    const manifest = this.#server.distribution
      .repository(repository)
      .putManifest(reference, mediaType, Buffer.from(bytes as string))
    return manifest.digest
  }

  addBlob(repository: string, bytes: Buffer): string {
    return this.#server.distribution.repository(repository).putBlob(bytes)
  }

  /** The manifest or index of a tag or digest. */
  manifest(repository: string, reference: string): StoredManifest | undefined {
    return this.#server.distribution.existing(repository)?.manifest(reference)
  }

  digestOf(repository: string, tag: string): string | undefined {
    return this.manifest(repository, tag)?.digest
  }

  /** The config of an image, by way of its one Linux image if the reference is an index. */
  config(repository: string, reference: string): Json {
    return this.#server.distribution.repository(repository).config(reference)
  }

  /** The tags of a repository, sorted; none if there is no such repository. */
  tags(repository: string): string[] {
    return this.#server.distribution.existing(repository)?.tagNames() ?? []
  }
}

/** Starts a stand-in where the agents of a bed can reach it: at its address, or through `Agent.forward`. */
export async function startStandIn(
  bed: TestBed,
  behaviour: Partial<Behaviour> = {},
  options: Pick<StandInOptions, 'port' | 'tls'> = {}
): Promise<StandInRegistry> {
  const [address, storageAddress] = bed.addresses
  return StandInRegistry.start(behaviour, { ...options, address, storageAddress })
}
