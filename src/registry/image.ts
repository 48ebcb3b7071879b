import { at, list, parseJson, text } from '../lib/json.ts'
import type { RawManifest } from './client.ts'
import type { RegistryFailure } from './failure.ts'
import { isDigest } from './reference.ts'

/** What an image tells about how it was built. */
export interface ImageRecord {
  /** sha256:… of its manifest, or of the index that holds it, where it was read from a registry. */
  digest?: string
  /** Ids that an engine may give to the image: the digests of its index, its manifest and its config; likewise. */
  ids?: string[]
  labels: Record<string, string>
  /** What a container of it is given, as JSON: two images of which it is the same, and of the same layers, run alike. */
  runtime: string
  /** Whether it has ONBUILD instructions, where it was read from a registry. */
  hasTriggers?: boolean
  /** sha256:… of each layer, the lowest first. */
  layers: string[]
  /** Where it was read from a registry. */
  manifest?: ManifestRecord
  /** One entry for each instruction of its Dockerfiles, the oldest first. */
  history: HistoryEntry[]
  /** Indices of the layers that BuildKit has a cache record of; undefined if there is no cache metadata, `unknown` if the source does not tell. */
  recorded?: number[] | 'unknown'
}

export interface HistoryEntry {
  createdBy: string
  /** Whether it made no layer; undefined where the source does not tell. */
  empty?: boolean
}

/** An image as its manifest tells of it (OCI image-spec manifest.md). */
export interface ManifestRecord {
  /** Bytes of the manifest and of the config. */
  bytes: number
  /** The lowest first. */
  layers: { digest: string; size: number }[]
}

/** An image, or why it could not be read. */
export type ReadImage = { image: ImageRecord; failure?: undefined } | { image?: undefined; failure: RegistryFailure }

/** An image's config: OCI image-spec config.md, with BuildKit's `moby.buildkit.cache.v0` (cache/remotecache/inline/inline.go). */
export function parseConfig(config: unknown): ImageRecord {
  const metadata = at(config, 'moby.buildkit.cache.v0')
  return {
    labels: stringsOf(at(config, 'config', 'Labels')),
    runtime: runtimeOf(at(config, 'config')),
    hasTriggers: list(at(config, 'config', 'OnBuild')).length > 0,
    layers: list(at(config, 'rootfs', 'diff_ids')).map(text),
    history: list(at(config, 'history')).map((entry) => ({
      createdBy: text(at(entry, 'created_by')),
      empty: at(entry, 'empty_layer') === true
    })),
    ...(typeof metadata === 'string' && { recorded: recordedLayers(metadata) })
  }
}

/** Fields of a config that a container is given: OCI image-spec config.md, and Docker's Healthcheck and Shell. */
const RUNTIME = 'Cmd Entrypoint Env ExposedPorts Healthcheck OnBuild Shell StopSignal User Volumes WorkingDir'.split(
  ' '
)

/** An engine tells of some fields that they are empty, where the registry's config lacks them. */
export function runtimeOf(config: unknown): string {
  const entries = RUNTIME.map((name) => [name, at(config, name)] as const)
  return JSON.stringify(
    entries.filter(([, value]) => !['""', 'null', '[]', '{}', undefined].includes(JSON.stringify(value)))
  )
}

/**
 * Base64 of a JSON array of records, each with the layers that are its result: by the index of the topmost, or by the
 * indices of all (`chains`), where they are not the image's lowest ones (cache/remotecache/v1/spec.go, CacheRecord).
 */
function recordedLayers(metadata: string): number[] {
  const records = list(parseJson(Buffer.from(metadata, 'base64').toString()))
  const indices = records.flatMap((record) => [
    ...list(at(record, 'layers')).map((result) => at(result, 'layer') ?? 0),
    ...list(at(record, 'chains')).map((result) => list(at(result, 'layers')).at(-1))
  ])
  return [...new Set(indices.filter((index) => typeof index === 'number'))].sort((a, b) => a - b)
}

/** undefined of what is no manifest of an image. */
export function parseManifest({ bytes }: Pick<RawManifest, 'bytes'>): ManifestRecord | undefined {
  const json = parseJson(bytes.toString())
  const layers = list(at(json, 'layers')).map((layer) => ({
    digest: text(at(layer, 'digest')),
    size: Number(at(layer, 'size'))
  }))
  const config = Number(at(json, 'config', 'size'))
  const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0
  if (![config, ...layers.map(({ size }) => size)].every(isSize)) return undefined
  return { bytes: bytes.length + config, layers }
}

/** The digest of the config that a manifest names; undefined of what is no manifest of an image. */
export function configOf({ bytes }: Pick<RawManifest, 'bytes'>): string | undefined {
  return digestIn(at(parseJson(bytes.toString()), 'config'))
}

/**
 * The digest of one image in an index; undefined of what is no index, or holds no image.
 *
 * @param platform os/arch[/variant]; without it the one image, or this machine's
 */
export function childOf({ bytes }: Pick<RawManifest, 'bytes'>, platform: string | undefined): string | undefined {
  const manifests = list(at(parseJson(bytes.toString()), 'manifests'))
  // attestations have the platform unknown/unknown (buildkit docs/attestations/attestation-storage.md)
  const images = manifests.filter((entry) => at(entry, 'platform', 'os') !== 'unknown')
  const [os = 'linux', architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string]] =
    platform?.split('/') ?? []
  const fitting = images.filter(
    (entry) => at(entry, 'platform', 'os') === os && at(entry, 'platform', 'architecture') === architecture
  )
  return digestIn(fitting[0] ?? images[0])
}

function digestIn(descriptor: unknown): string | undefined {
  const digest = text(at(descriptor, 'digest'))
  return isDigest(digest) ? digest : undefined
}

export function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  )
}
