import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bridgeAddress } from './network.ts'
import { startDaemon, systemPath, untilReady } from './process.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary JSON of the registry
type Json = any

export interface Manifest {
  digest: string
  mediaType: string
  body: Json
}

const port = 5000
const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json'
]
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json'
]

/** The registry that the agents of a test bed share, as this machine reads it. */
export class Registry {
  /** Its name for agents: every engine and client uses plain HTTP for loopback addresses. */
  readonly host = '127.0.0.1:5000'
  /** Its URL for this machine. */
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** The sorted tags of a repository; empty if the repository does not exist. */
  async tags(repository: string): Promise<string[]> {
    const response = await this.#get(`${repository}/tags/list`)
    const body = (await response?.json()) as { tags: string[] | null } | undefined
    return (body?.tags ?? []).sort()
  }

  /** The manifest or index of a tag or digest, with the digest of its bytes. */
  async manifest(repository: string, reference: string): Promise<Manifest | undefined> {
    const accept = [...indexTypes, ...manifestTypes].join(', ')
    const response = await this.#get(`${repository}/manifests/${reference}`, { accept })
    if (!response) return undefined
    const bytes = Buffer.from(await response.arrayBuffer())
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    return { digest, mediaType: response.headers.get('content-type') ?? '', body: JSON.parse(bytes.toString()) }
  }

  /** The config of an image; if the reference is an index, of its only Linux image. */
  async config(repository: string, reference: string): Promise<Json> {
    const manifest = await this.manifest(repository, reference)
    if (!manifest) throw new Error(`The registry has no ${repository}:${reference}.`)
    if (indexTypes.includes(manifest.mediaType)) {
      const images = manifest.body.manifests.filter((entry: Json) => entry.platform?.os === 'linux')
      if (images.length !== 1) throw new Error(`${repository}:${reference} has ${images.length} images for Linux.`)
      return this.config(repository, images[0].digest)
    }
    const response = await this.#get(`${repository}/blobs/${manifest.body.config.digest}`)
    if (!response) throw new Error(`The registry has lost the config of ${repository}:${reference}.`)
    return response.json()
  }

  /** Sets a tag to the same image with an edited config. */
  async replaceConfig(repository: string, tag: string, edit: (config: Json) => Json): Promise<void> {
    const manifest = await this.manifest(repository, tag)
    if (!manifest) throw new Error(`The registry has no ${repository}:${tag}.`)
    const bytes = Buffer.from(JSON.stringify(edit(await this.config(repository, tag))))
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    await pushBlob(this, repository, digest, async () => bytes)
    const body = { ...manifest.body, config: { ...manifest.body.config, digest, size: bytes.length } }
    await send('PUT', `${this.url}/v2/${repository}/manifests/${tag}`, {
      headers: { 'content-type': manifest.mediaType },
      body: JSON.stringify(body)
    })
  }

  async #get(path: string, headers: Record<string, string> = {}): Promise<Response | undefined> {
    const response = await fetch(`${this.url}/v2/${path}`, { headers })
    if (response.ok) return response
    const text = await response.text()
    if (response.status === 404) return undefined
    throw new Error(`GET ${this.url}/v2/${path}: ${response.status} ${text}`)
  }
}

/** Starts the registry of a test bed, with its configuration, log and storage in `folder`. */
export async function startRegistry(bed: number, folder: string, command: string): Promise<Registry> {
  const address = `${bridgeAddress(bed)}:${port}`
  const config = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      delete: { enabled: true },
      // No upload lives long enough to be purged.
      maintenance: { uploadpurging: { enabled: false } }
    },
    http: { addr: address }
  }
  await mkdir(folder, { recursive: true })
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config, undefined, 2))
  const env = { PATH: systemPath, HOME: folder, OTEL_TRACES_EXPORTER: 'none' }
  const daemon = startDaemon(folder, 'registry', command, ['serve', join(folder, 'config.yml')], env)
  const url = `http://${address}`
  await untilReady(daemon, 20, async () => (await fetch(`${url}/v2/`).catch(() => undefined))?.ok ?? false)
  return new Registry(url)
}

/** Uploads a blob if the repository lacks it. */
export async function pushBlob(
  registry: Registry,
  repository: string,
  digest: string,
  read: () => Promise<Buffer<ArrayBuffer>>
): Promise<void> {
  const blobs = `${registry.url}/v2/${repository}/blobs`
  if ((await fetch(`${blobs}/${digest}`, { method: 'HEAD' })).ok) return
  const upload = await send('POST', `${blobs}/uploads/`, {})
  const location = new URL(upload.headers.get('location') ?? '', registry.url)
  location.searchParams.set('digest', digest)
  await send('PUT', location.href, { headers: { 'content-type': 'application/octet-stream' }, body: await read() })
}

/** Sends a request that must succeed. */
export async function send(method: string, url: string, request: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...request, method })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`)
  return response
}
