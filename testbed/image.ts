import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { emptyFolder } from './lock.ts'
import { run } from './process.ts'
import { pushBlob, type Registry, send } from './registry.ts'

/** A compressed layer in the cache folder. */
export interface Layer {
  file: string
  digest: string
  diffId: string
  size: number
}

export interface ImageConfig {
  Env: string[]
  Cmd: string[]
}

/** An image in an index (OCI image-spec image-index.md). */
export interface Descriptor {
  mediaType: string
  digest: string
  size: number
  platform: { os: string; architecture: string }
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json'
const indexType = 'application/vnd.oci.image.index.v1+json'
const configType = 'application/vnd.docker.container.image.v1+json'
const layerType = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
const epoch = '2020-01-01T00:00:00Z'

/** Returns the layer of that name in `folder`. If it does not exist, `fill` writes its files to an empty root first. Call it under a lock. */
export async function cachedLayer(folder: string, name: string, fill: (root: string) => Promise<void>): Promise<Layer> {
  const target = join(folder, name)
  const description = await readFile(join(target, 'layer.json'), 'utf8').catch(() => undefined)
  if (description !== undefined) return { ...(JSON.parse(description) as Layer), file: join(target, 'layer.tar.gz') }
  const work = await emptyFolder(folder)
  try {
    await mkdir(join(work, 'root'))
    await fill(join(work, 'root'))
    const layer = await pack(join(work, 'root'), work)
    await rm(join(work, 'root'), { recursive: true })
    await writeFile(join(work, 'layer.json'), JSON.stringify(layer))
    await rename(work, target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return cachedLayer(folder, name, fill)
}

async function pack(root: string, folder: string): Promise<Layer> {
  const tar = join(folder, 'layer.tar')
  const file = join(folder, 'layer.tar.gz')
  const plain = ['--sort=name', '--mtime=@0', '--numeric-owner']
  await run('tar', [...plain, '-C', root, '-cf', tar, '.'])
  await pipeline(createReadStream(tar), createGzip({ level: 5 }), createWriteStream(file))
  const [diffId, digest] = await Promise.all([digestOf(tar), digestOf(file)])
  await rm(tar)
  return { file, digest, diffId, size: (await stat(file)).size }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return `sha256:${hash.digest('hex')}`
}

/** Pushes an image with these layers over HTTP. It needs no engine, and the digest is always the same. */
export async function pushImage(
  registry: Registry,
  repository: string,
  tag: string,
  layers: Layer[],
  config: ImageConfig,
  architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
): Promise<Descriptor> {
  const image = {
    architecture,
    os: 'linux',
    created: epoch,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: epoch, created_by: 'test bed' }))
  }
  const bytes = Buffer.from(JSON.stringify(image))
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  await pushBlob(registry, repository, digest, async () => bytes)
  for (const layer of layers) await pushBlob(registry, repository, layer.digest, () => readFile(layer.file))
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest, size: bytes.length },
    layers: layers.map((layer) => ({ mediaType: layerType, digest: layer.digest, size: layer.size }))
  }
  const body = JSON.stringify(manifest)
  await putManifest(registry, repository, tag, manifestType, body)
  const own = `sha256:${createHash('sha256').update(body).digest('hex')}`
  return { mediaType: manifestType, digest: own, size: body.length, platform: { os: 'linux', architecture } }
}

/** Pushes an index of images that the repository has. */
export async function pushIndex(
  registry: Registry,
  repository: string,
  tag: string,
  manifests: Descriptor[]
): Promise<void> {
  const index = { schemaVersion: 2, mediaType: indexType, manifests }
  await putManifest(registry, repository, tag, indexType, JSON.stringify(index))
}

async function putManifest(
  registry: Registry,
  repository: string,
  tag: string,
  type: string,
  body: string
): Promise<void> {
  const url = `${registry.url}/v2/${repository}/manifests/${tag}`
  await send('PUT', url, { headers: { 'content-type': type }, body })
}
