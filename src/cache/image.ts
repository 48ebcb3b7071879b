import { createHash } from 'node:crypto'
import type { StageInstruction } from '../dockerfile.ts'
import { type Docker, failureOf } from '../engine/docker.ts'
import { at, list, parseJson, text } from '../json.ts'
import type { ManifestRecord } from '../pull-size.ts'
import { ownInstructions, type StageBuild } from '../stage-build.ts'

/** What an image tells about how it was built. */
export interface ImageRecord {
  /** sha256:… of its manifest, or of the index that holds it, where it was read from a registry. */
  digest?: string
  labels: Record<string, string>
  /** What a container of it is given, as JSON: two images of which it is the same, and of the same layers, run alike. */
  runtime: string
  /** Whether it has ONBUILD instructions, where it was read from a registry. */
  hasTriggers?: boolean
  /** sha256:… of each layer, the lowest first. */
  layers: string[]
  /** Where it was read from a registry by its tag or its manifest's digest. */
  manifest?: ManifestRecord
  /** One entry for each instruction of its Dockerfiles, the oldest first. */
  history: HistoryEntry[]
  /** Indices of the layers that BuildKit has a cache record of; undefined if there is no cache metadata at all. */
  recorded?: number[]
}

export interface HistoryEntry {
  createdBy: string
  /** Whether it made no layer; undefined where the source does not tell. */
  empty?: boolean
}

/** An image, or what docker said when it could not be read. */
export type ReadImage = { image: ImageRecord; error?: undefined } | { image?: undefined; error: string }

/** Milliseconds that a registry gets to tell of an image: docker itself waits for ever. */
const PATIENCE = 60_000

/**
 * Reads an image in its registry, with docker's own credentials and without its layers.
 * `imagetools inspect --raw` prints any manifest, and by digest any blob that is small: a config too.
 *
 * @param reference of the image or, which takes one question less, of its config by digest
 * @param platform os/arch[/variant]; of an index without it the one image, or this machine's
 * @param known the image that was there before: if it still is, no more is asked
 */
export async function readFromRegistry(
  docker: Docker,
  reference: string,
  platform: string | undefined,
  signal: AbortSignal,
  known?: ImageRecord
): Promise<ReadImage> {
  const inspect = (name: string): Promise<Raw | { error: string }> => inspectRaw(docker, name, signal)
  const top = await inspect(reference)
  if (top.error !== undefined) return top
  if (known !== undefined && known.digest === top.digest) return { image: known }
  if (at(top.json, 'rootfs') !== undefined) return { image: parseConfig(top.json) }
  const manifest = await manifestOf(top, reference, platform, inspect)
  if (manifest.error !== undefined) return manifest
  const config = digestIn(at(manifest.json, 'config'))
  if (config === undefined) return { error: 'it is no image' }
  const read = await inspect(`${repositoryOf(reference)}@${config}`)
  if (read.error !== undefined) return read
  const record = parseManifest(manifest)
  return { image: { digest: top.digest, ...(record && { manifest: record }), ...parseConfig(read.json) } }
}

/**
 * Reads the manifest of an image in its registry, with docker's own credentials.
 *
 * @param hasBuildx else `docker manifest inspect` prints it, with white space of its own
 */
export async function readManifest(
  docker: Docker,
  reference: string,
  platform: string | undefined,
  hasBuildx: boolean,
  signal: AbortSignal
): Promise<{ manifest: ManifestRecord; error?: undefined } | { manifest?: undefined; error: string }> {
  // it asks by HTTP only if it is told to; engines and buildx do so of this very machine
  const insecure = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?\//.test(reference) ? ['--insecure'] : []
  const command = hasBuildx ? IMAGETOOLS : ['manifest', 'inspect', ...insecure]
  const inspect = (name: string): Promise<Raw | { error: string }> => inspectRaw(docker, name, signal, command)
  const top = await inspect(reference)
  const manifest = top.error === undefined ? await manifestOf(top, reference, platform, inspect) : top
  if (manifest.error !== undefined) return { error: manifest.error }
  const record = parseManifest(manifest)
  return record ? { manifest: record } : { error: 'it is no manifest of an image' }
}

/** A manifest, an index or a config as the registry has it. */
interface Raw {
  json: unknown
  digest: string
  bytes: number
  error?: undefined
}

const IMAGETOOLS = ['buildx', 'imagetools', 'inspect', '--raw']

async function inspectRaw(
  docker: Docker,
  name: string,
  signal: AbortSignal,
  command = IMAGETOOLS
): Promise<Raw | { error: string }> {
  const result = await docker.call([...command, name], { signal, patience: PATIENCE })
  const error = failureOf(result)
  if (error !== undefined) return { error }
  const json = parseJson(result.stdout)
  if (json === undefined) return { error: 'what the registry has there is no JSON' }
  return { json, digest: digestOf(result.stdout), bytes: Buffer.byteLength(result.stdout) }
}

/** Of an index the manifest of one platform. */
async function manifestOf(
  top: Raw,
  reference: string,
  platform: string | undefined,
  inspect: (name: string) => Promise<Raw | { error: string }>
): Promise<Raw | { error: string }> {
  const child = digestIn(choose(at(top.json, 'manifests'), platform))
  return child === undefined ? top : inspect(`${repositoryOf(reference)}@${child}`)
}

/** undefined of what is none. */
function parseManifest({ json, bytes }: Raw): ManifestRecord | undefined {
  const layers = list(at(json, 'layers')).map((layer) => ({
    digest: text(at(layer, 'digest')),
    size: Number(at(layer, 'size'))
  }))
  const config = Number(at(json, 'config', 'size'))
  const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0
  if (![config, ...layers.map(({ size }) => size)].every(isSize)) return undefined
  return { bytes: bytes + config, layers }
}

function repositoryOf(reference: string): string {
  return reference.replace(/(@sha256:[0-9a-f]{64}|:[^:/]*)$/, '')
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** Reads an image in the engine. What it holds of cache metadata cannot be seen there. */
export async function readFromEngine(docker: Docker, reference: string, signal: AbortSignal): Promise<ReadImage> {
  const calls = [
    ['image', 'inspect', '--format', '{{json .Config}}\n{{json .RootFS.Layers}}', reference],
    ['history', '--no-trunc', '--format', '{{json .CreatedBy}}', reference]
  ]
  const results = await Promise.all(calls.map((args) => docker.call(args, { signal })))
  const [error] = results.flatMap((result) => failureOf(result) ?? [])
  if (error !== undefined) return { error }
  const [config, layers] = (results[0]?.stdout ?? '').split('\n').map((line) => parseJson(line))
  const history = (results[1]?.stdout ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ createdBy: text(parseJson(line)) }))
  const labels = stringsOf(at(config, 'Labels'))
  return {
    image: { labels, runtime: runtimeOf(config), layers: list(layers).map(text), history: history.reverse() }
  }
}

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
function runtimeOf(config: unknown): string {
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

/** Where the history of an image's own instructions begins, if its end is that of `build`; undefined if it is not. */
export function ownHistoryStart(
  image: Pick<ImageRecord, 'history'>,
  build: StageBuild,
  strategy: 'inline' | 'legacy' = 'inline'
): number | undefined {
  const own = recordedInstructions(build, strategy)
  const start = image.history.length - own.length
  const fits = own.every(({ keyword }, index) => keywordOf(image.history[start + index]?.createdBy) === keyword)
  return start >= 0 && fits ? start : undefined
}

/** The instructions of a build of which the history of its image has an entry. */
export function recordedInstructions(build: StageBuild, strategy: 'inline' | 'legacy'): StageInstruction[] {
  // BuildKit keeps no history of ONBUILD (dockerfile2llb/convert.go, dispatchOnbuild)
  return ownInstructions(build).filter(({ keyword }) => strategy === 'legacy' || keyword !== 'ONBUILD')
}

/** BuildKit writes `RUN /bin/sh -c …`, the legacy builder `/bin/sh -c …` and `/bin/sh -c #(nop) COPY …`. */
export function keywordOf(createdBy = ''): string {
  const [, nop] = /#\(nop\) +([A-Z]+)/.exec(createdBy) ?? []
  const [, first] = /^([A-Z]+)(?:\s|$)/.exec(createdBy) ?? []
  return nop ?? first ?? 'RUN'
}

/**
 * Why BuildKit could not take all layers of the image's own steps from its cache metadata; undefined if it could.
 *
 * @returns a clause: "its cache metadata …"
 */
export function whyNoCache(image: ImageRecord, build: StageBuild): string | undefined {
  if (image.recorded === undefined) return 'it has no cache metadata'
  const own = ownLayers(image, build)
  // what the base image's own triggers added cannot be told from the base
  if (own === undefined) return image.recorded.length === 0 ? 'its cache metadata names no layer' : undefined
  const missing = unrecorded(image, own)
  return missing === 0 ? undefined : `its cache metadata has no record of ${missing} of ${own.length} layers`
}

/** How many layers of the image's own steps have no record; Infinity if it cannot serve as a cache at all. */
export function missingRecords(image: ImageRecord | undefined, build: StageBuild): number {
  if (image?.recorded === undefined) return Number.POSITIVE_INFINITY
  const own = ownLayers(image, build)
  if (own === undefined) return image.recorded.length === 0 ? Number.POSITIVE_INFINITY : 0
  return unrecorded(image, own)
}

function unrecorded({ recorded = [] }: ImageRecord, layers: number[]): number {
  return layers.filter((layer) => !recorded.includes(layer)).length
}

/** Indices of the layers that the image's own steps made; undefined if that cannot be told. */
function ownLayers(image: ImageRecord, build: StageBuild): number[] | undefined {
  const start = ownHistoryStart(image, build)
  if (start === undefined) return undefined
  const below = layersBelow(image, start)
  return Array.from({ length: image.layers.length - below }, (_, index) => below + index)
}

/** How many layers the first entries of the history made. */
export function layersBelow({ history }: ImageRecord, entries: number): number {
  return history.slice(0, entries).filter(({ empty }) => !empty).length
}

function choose(manifests: unknown, platform: string | undefined): unknown {
  const images = list(manifests).filter((entry) => at(entry, 'platform', 'os') !== 'unknown')
  const [os = 'linux', architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string]] =
    platform?.split('/') ?? []
  const fitting = images.filter(
    (entry) => at(entry, 'platform', 'os') === os && at(entry, 'platform', 'architecture') === architecture
  )
  return fitting[0] ?? images[0]
}

function digestIn(descriptor: unknown): string | undefined {
  const digest = text(at(descriptor, 'digest'))
  return /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : undefined
}

function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  )
}
