import type { EngineInfo } from '../docker/engine-info.ts'
import { at, list, parseJson, text } from '../lib/json.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { addressOf, isDigest } from '../registry/reference.ts'
import type { OwnInstructions } from './cached-layers.ts'
import type { Ingredient, InstructionKey } from './content-keys.ts'
import { type ContentKeys, chainOfKeys, shortKey } from './key-tags.ts'

/** Label of every image that the action builds: the content keys of its instructions, and what each was made of. */
export const KEYS_LABEL = 'shared-docker-layers.keys'

/** Labels of an image that name its base image (opencontainers/image-spec annotations.md). */
export const BASE_NAME_LABEL = 'org.opencontainers.image.base.name'
export const BASE_DIGEST_LABEL = 'org.opencontainers.image.base.digest'

/** Label of a production image: all external images that its stages read, `REFERENCE@DIGEST` each, separated by spaces. */
export const BASES_LABEL = 'shared-docker-layers.bases'

/** Returns the labels that name the external images of a build, as far as their digests are known: `key=value` each. */
export function imageLabels(
  { kind, baseImage }: Pick<StageBuild, 'kind' | 'baseImage'>,
  digests: ReadonlyMap<string, string>
): string[] {
  const all = [...digests].map(([reference, digest]) =>
    reference.includes('@') ? reference : `${reference}@${digest}`
  )
  return [
    ...labelsOfBase(baseImage, digests),
    ...(kind === 'production' && all.length > 0 ? [`${BASES_LABEL}=${all.join(' ')}`] : [])
  ]
}

function labelsOfBase(baseImage: string | undefined, digests: ReadonlyMap<string, string>): string[] {
  const digest = baseImage === undefined ? undefined : digests.get(baseImage)
  if (baseImage === undefined || digest === undefined) return []
  const { registry, path, target } = addressOf(baseImage)
  const name = `${registry}/${path}${isDigest(target) ? '' : `:${target}`}`
  return [`${BASE_NAME_LABEL}=${name}`, `${BASE_DIGEST_LABEL}=${digest}`]
}

/** Returns the name of an engine in the label: `28.5.2 containerd`. */
export function nameOfEngine({ version, store }: EngineInfo): string {
  return `${version} ${store}`
}

/** The keys of an image as its label has them. */
export interface RecordedKeys {
  /** The engine that built the image: `28.5.2 containerd`. */
  engine: string
  /** One entry for FROM and for each instruction. */
  chain: RecordedKey[]
}

export interface RecordedKey {
  keyword: string
  /** 16 hex digits; '' if unknown. */
  key: string
  ingredients: Ingredient[]
}

/** Maximum length of the label with ingredients: Linux allows 128 KiB for one argument of a program (execve(2), MAX_ARG_STRLEN). */
const LONGEST_LABEL = 60_000

/**
 * Returns the label of a build's image: `key=value`. It has a value even without keys, because an image inherits the labels of
 * its base image. An ingredient that several keys share is written once.
 */
export function keysLabel(build: Pick<StageBuild, 'own'>, keys: ContentKeys, engine: string): string {
  const parts: unknown[] = []
  const indices = new Map<string, number>()
  const indexOf = ({ kind, name = '', hash, count }: Ingredient): number => {
    const part = [kind, name, hash, ...(count === undefined ? [] : [count])]
    const text = JSON.stringify(part)
    const index = indices.get(text) ?? parts.push(part) - 1
    indices.set(text, index)
    return index
  }
  const chain = chainOfKeys(build, keys).map(({ keyword, key, ingredients }) => [
    keyword,
    key === undefined ? '' : shortKey(key),
    ingredients.map(indexOf)
  ])
  const value = JSON.stringify({ version: 1, engine, parts, chain })
  if (value.length <= LONGEST_LABEL) return `${KEYS_LABEL}=${value}`
  const bare = JSON.stringify({
    version: 1,
    engine,
    parts: [],
    chain: chain.map(([keyword, key]) => [keyword, key, []])
  })
  return `${KEYS_LABEL}=${bare.length <= LONGEST_LABEL ? bare : JSON.stringify({ version: 1, engine, chain: [] })}`
}

/** Reads the label of an image; undefined if it has none of this form. */
export function readKeysLabel(labels: Readonly<Record<string, string>>): RecordedKeys | undefined {
  const json = parseJson(labels[KEYS_LABEL] || '')
  if (at(json, 'version') !== 1) return undefined
  const parts = list(at(json, 'parts')).map(readIngredient)
  const chain = list(at(json, 'chain')).map((entry): RecordedKey => {
    const [keyword, key, indices] = list(entry)
    const ingredients = list(indices).flatMap((index) => parts[Number(index)] ?? [])
    return { keyword: text(keyword), key: text(key), ingredients }
  })
  return chain.length === 0 ? undefined : { engine: text(at(json, 'engine')), chain }
}

/**
 * Returns the instructions of which an image of BuildKit was made, by its label; undefined without one. An image that another
 * Dockerfile has made has others than the build that takes its cache from it.
 */
export function ownInstructionsOf(labels: Readonly<Record<string, string>>): OwnInstructions | undefined {
  const chain = readKeysLabel(labels)?.chain.slice(1)
  // BuildKit's history has no entry for it (dockerfile2llb/convert.go, dispatchOnbuild)
  return chain && { instructions: chain.filter(({ keyword }) => keyword !== 'ONBUILD') }
}

/** Returns whether an instruction has the recorded key. */
export function isRecorded({ key }: Pick<InstructionKey, 'key'>, recorded: RecordedKey | undefined): boolean {
  return key !== undefined && recorded?.key === shortKey(key)
}

function readIngredient(entry: unknown): Ingredient {
  const [kind, name, hash, count] = list(entry)
  return {
    kind: text(kind) as Ingredient['kind'],
    ...(text(name) !== '' && { name: text(name) }),
    hash: text(hash),
    ...(typeof count === 'number' && { count })
  }
}
