import type { TestBed } from './bed.ts'
import { type Behaviour, specified } from './stand-in-behaviour.ts'
import { type Recorded, StandInServer, type Tls } from './stand-in-server.ts'
import { families, type Json, type StoredManifest } from './stand-in-store.ts'

export interface StandInOptions {
  /** 127.0.0.1 by default. */
  address?: string
  /** Address of the storage to which blobs are redirected; 127.0.0.2 by default. */
  storageAddress?: string
  /** A free port by default. */
  port?: number
  /** Use HTTPS instead of HTTP. */
  tls?: Tls
}

export interface ImageContent {
  /** JSON text, or an object to convert to JSON. */
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

/** A stand-in for registries: it runs in this process, keeps its content in memory, and behaves as `behaviour` tells it to. */
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

  /** Stops listening and ends all connections, including those that wait for an answer. */
  async stop(): Promise<void> {
    await this.#server.close()
  }

  /** The address where it listens, as ADDRESS:PORT. */
  get host(): string {
    return this.#server.host
  }

  get url(): string {
    return this.#server.url
  }

  get behaviour(): Behaviour {
    return this.#server.behaviour
  }

  /** Replaces the behaviour. Everything not mentioned follows the distribution specification. */
  set behaviour(behaviour: Partial<Behaviour>) {
    this.#server.behaviour = specified
    this.set(behaviour)
  }

  /** Changes a part of the behaviour. */
  set(changes: Partial<Behaviour>): void {
    // A copy, so that setting the same object again restarts its count.
    const tooMany = changes.tooMany && { ...changes.tooMany }
    this.#server.behaviour = { ...this.#server.behaviour, ...changes, ...('tooMany' in changes && { tooMany }) }
  }

  /** The requests since the start, or since the last `clearRequests`. */
  get requests(): readonly Recorded[] {
    return this.#server.requests
  }

  clearRequests(): void {
    this.#server.requests.length = 0
  }

  /** Adds an image with a tag, without a client. */
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

  /** Adds an index of images of the repository, with a tag; returns its digest. */
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

  /** Adds a manifest, byte for byte, with a tag or by its digest; returns its digest. */
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

  /** The config of an image; if the reference is an index, of its only Linux image. */
  config(repository: string, reference: string): Json {
    return this.#server.distribution.repository(repository).config(reference)
  }

  /** The sorted tags of a repository; empty if the repository does not exist. */
  tags(repository: string): string[] {
    return this.#server.distribution.existing(repository)?.tagNames() ?? []
  }
}

/** Starts a stand-in that the agents of a test bed can reach: at its address, or through `Agent.forward`. */
export async function startStandIn(
  bed: TestBed,
  behaviour: Partial<Behaviour> = {},
  options: Pick<StandInOptions, 'port' | 'tls'> = {}
): Promise<StandInRegistry> {
  const [address, storageAddress] = bed.addresses
  return StandInRegistry.start(behaviour, { ...options, address, storageAddress })
}
