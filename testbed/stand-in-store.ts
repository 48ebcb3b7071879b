import { createHash } from 'node:crypto'
import { RegistryError } from './stand-in-reply.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary JSON of the registry
export type Json = any

/** A manifest or index, byte for byte as a client pushed it. */
export interface StoredManifest {
  digest: string
  mediaType: string
  bytes: Buffer
}

/** The media types of one family of manifests. */
interface Family {
  index: string
  manifest: string
  config: string
  layer: string
}

export const families: Record<'oci' | 'docker', Family> = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip'
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip'
  }
}

export function isIndex(mediaType: string): boolean {
  return Object.values(families).some(({ index }) => index === mediaType)
}

function isImage(mediaType: string): boolean {
  return Object.values(families).some(({ manifest }) => manifest === mediaType)
}

export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function isDigest(reference: string): boolean {
  return reference.includes(':')
}

/** The content of a repository: it has only the blobs that clients pushed to it or mounted into it. */
export class Repository {
  readonly blobs = new Map<string, Buffer>()
  readonly manifests = new Map<string, StoredManifest>()
  /** Digests by tag. */
  readonly tags = new Map<string, string>()

  /** The manifest of a tag or digest. */
  manifest(reference: string): StoredManifest | undefined {
    return this.manifests.get(this.tags.get(reference) ?? reference)
  }

  /** The sorted tags. */
  tagNames(): string[] {
    const names = [...this.tags.keys()]
    return names.sort((a, b) => (a < b ? -1 : 1))
  }

  putBlob(bytes: Buffer): string {
    const digest = sha256(bytes)
    this.blobs.set(digest, bytes)
    return digest
  }

  /**
   * Stores a manifest under its digest and, if the reference is a tag, under the tag.
   *
   * @throws RegistryError if it is not a valid manifest, or if the repository lacks something that it names
   */
  putManifest(reference: string, mediaType: string, bytes: Buffer): StoredManifest {
    const stored = { digest: sha256(bytes), mediaType, bytes }
    if (isDigest(reference) && reference !== stored.digest) {
      throw new RegistryError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
    }
    for (const digest of this.#missing(parse(stored))) {
      throw new RegistryError(400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${digest}`)
    }
    this.manifests.set(stored.digest, stored)
    if (!isDigest(reference)) this.tags.set(reference, stored.digest)
    return stored
  }

  /** Removes a tag, or a manifest with all its tags; returns false if it does not exist. */
  deleteManifest(reference: string): boolean {
    if (!isDigest(reference)) return this.tags.delete(reference)
    for (const [tag, digest] of this.tags) if (digest === reference) this.tags.delete(tag)
    return this.manifests.delete(reference)
  }

  /** The config of an image; if the reference is an index, of its only Linux image. */
  config(reference: string): Json {
    const manifest = this.manifest(reference)
    if (!manifest) throw new Error(`The stand-in registry has no ${reference}.`)
    const body = JSON.parse(manifest.bytes.toString())
    if (!isIndex(manifest.mediaType)) return JSON.parse(String(this.blobs.get(body.config.digest)))
    const images = body.manifests.filter((entry: Json) => entry.platform?.os === 'linux')
    if (images.length !== 1) throw new Error(`${reference} has ${images.length} images for Linux.`)
    return this.config(images[0].digest)
  }

  /** The digests in a manifest that the repository lacks. */
  #missing(body: Json): string[] {
    const digests = (descriptors: Json[] = []): string[] => descriptors.map(({ digest }) => digest)
    // A layer with its own URLs is not in the registry.
    const blobs = [body.config, ...(body.layers ?? [])].filter((blob) => blob && !blob.urls)
    return [
      ...digests(blobs).filter((digest) => !this.blobs.has(digest)),
      ...digests(body.manifests).filter((digest) => !this.manifests.has(digest))
    ]
  }
}

/** Parses a manifest and checks its format. */
function parse({ mediaType, bytes }: StoredManifest): Json {
  try {
    const body = JSON.parse(bytes.toString())
    const isWhole = isIndex(mediaType) ? Array.isArray(body.manifests) : body.config && Array.isArray(body.layers)
    const isOfType = (isIndex(mediaType) || isImage(mediaType)) && (body.mediaType ?? mediaType) === mediaType
    if (body.schemaVersion === 2 && isWhole && isOfType) return body
  } catch {
    // It is not JSON.
  }
  throw new RegistryError(400, 'MANIFEST_INVALID', `manifest invalid, of type ${mediaType}`)
}
