import { at, list, parseJson, text } from '../lib/json.ts'
import type { RawManifest } from './client.ts'
import type { RegistryFailure } from './failure.ts'
import { isDigest } from './reference.ts'

/** The data in an image about its contents and its build. */
export interface ImageRecord {
  /** sha256:… of its manifest, or of the index that contains it, if read from a registry. */
  digest?: string
  /** Ids that an engine may assign to the image: the digests of its index, its manifest and its config, if read from a registry. */
  ids?: string[]
  /** os/architecture of its config, if read from a registry. */
  platform?: string
  labels: Record<string, string>
  /** The config of its containers, as JSON: two images with the same layers and the same `runtime` behave the same. */
  runtime: string
  /** Whether it has ONBUILD instructions, if read from a registry. */
  hasTriggers?: boolean
  /** sha256:… of each layer, lowest first. */
  layers: string[]
  /** Set if read from a registry. */
  manifest?: ManifestRecord
  /** One entry for each instruction of its Dockerfiles, oldest first. */
  history: HistoryEntry[]
  /** Indices of the layers in the cache metadata; undefined without cache metadata, `unknown` if the source does not expose it. */
  recorded?: number[] | 'unknown'
}

export interface HistoryEntry {
  createdBy: string
  /** Whether it created no layer; undefined if the source does not expose this. */
  empty?: boolean
}

/** The sizes in an image's manifest (OCI image-spec manifest.md). */
export interface ManifestRecord {
  /** Total bytes of the manifest and the config. */
  bytes: number
  /** Lowest first. */
  layers: { digest: string; size: number }[]
}

/** An image, or the failure to read it. */
export type ReadImage = { image: ImageRecord; failure?: undefined } | { image?: undefined; failure: RegistryFailure }

/** Parses an image's config: OCI image-spec config.md, with BuildKit's `moby.buildkit.cache.v0` (cache/remotecache/inline/inline.go). */
export function parseConfig(config: unknown): ImageRecord {
  const metadata = at(config, 'moby.buildkit.cache.v0')
  const platform = `${text(at(config, 'os'))}/${text(at(config, 'architecture'))}`
  return {
    ...(/^\w+\/\w+$/.test(platform) && { platform }),
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

/** Fields of a config that apply to a container: OCI image-spec config.md, and Docker's Healthcheck and Shell. */
const RUNTIME = 'Cmd Entrypoint Env ExposedPorts Healthcheck OnBuild Shell StopSignal User Volumes WorkingDir'.split(
  ' '
)

/** Returns the `runtime` of a config. Omits empty fields: an engine returns some fields that the registry's config lacks. */
export function runtimeOf(config: unknown): string {
  const entries = RUNTIME.map((name) => [name, at(config, name)] as const)
  return stableJson(
    entries.filter(([, value]) => !['""', 'null', '[]', '{}', undefined].includes(JSON.stringify(value)))
  )
}

/** Returns JSON in which the keys of objects are sorted: engines and registries have them in another order. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one
  )
}

/**
 * Returns the indices of the layers in cache metadata: base64 of a JSON array of records. A record identifies its layers by
 * the index of the topmost one, or, if they are not the lowest layers of the image, by the indices of all (`chains`)
 * (cache/remotecache/v1/spec.go, CacheRecord).
 */
function recordedLayers(metadata: string): number[] {
  const records = list(parseJson(Buffer.from(metadata, 'base64').toString()))
  const indices = records.flatMap((record) => [
    ...list(at(record, 'layers')).map((result) => at(result, 'layer') ?? 0),
    ...list(at(record, 'chains')).map((result) => list(at(result, 'layers')).at(-1))
  ])
  return [...new Set(indices.filter((index) => typeof index === 'number'))].sort((a, b) => a - b)
}

/** Parses a manifest; returns undefined if it is not the manifest of an image. */
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

/** Returns the digest of the config that a manifest names, or undefined if it is not the manifest of an image. */
export function configOf({ bytes }: Pick<RawManifest, 'bytes'>): string | undefined {
  return digestIn(at(parseJson(bytes.toString()), 'config'))
}

/**
 * Returns the digest of one image in an index, or undefined if the manifest is not an index or contains no image.
 *
 * @param platform os/arch[/variant]; if undefined, this machine's platform, or the first image if none fits
 */
export function childOf({ bytes }: Pick<RawManifest, 'bytes'>, platform: string | undefined): string | undefined {
  const images = imagesIn({ bytes })
  const [os = 'linux', architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string], variant] =
    platform?.split('/') ?? []
  const fitting = images.filter(
    (entry) => at(entry, 'platform', 'os') === os && at(entry, 'platform', 'architecture') === architecture
  )
  const exact = fitting.find((entry) => variant === undefined || at(entry, 'platform', 'variant') === variant)
  return digestIn(exact ?? fitting[0] ?? images[0])
}

/** Returns the descriptors of the images in an index; none if the manifest is not an index. */
export function imagesIn({ bytes }: Pick<RawManifest, 'bytes'>): unknown[] {
  const manifests = list(at(parseJson(bytes.toString()), 'manifests'))
  // attestations have the platform unknown/unknown (moby/buildkit docs/attestations/attestation-storage.md)
  return manifests.filter((entry) => at(entry, 'platform', 'os') !== 'unknown')
}

export function digestIn(descriptor: unknown): string | undefined {
  const digest = text(at(descriptor, 'digest'))
  return isDigest(digest) ? digest : undefined
}

export function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  )
}
