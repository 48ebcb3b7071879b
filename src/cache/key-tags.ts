import { makesLayer } from '../dockerfile/steps.ts'
import { hashOf } from '../lib/hash.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { InstructionKey, StageKeys } from './content-keys.ts'

/** Content keys by the index of the stage; a stage without an entry has no keys. */
export type ContentKeys = ReadonlyMap<number, StageKeys>

/** Maximum number of cache tags of one image, and of questions to the registry for one build. */
const MOST_TAGS = 16
const MOST_QUESTIONS = 8

/** Hex digits of a key in a tag, and in a label. */
const DIGITS = 16

/**
 * Returns the keys of all instructions whose layers a build creates, with its FROM first; [] if they are unknown. The FROM of its
 * other stages names the stage before.
 */
export function chainOfKeys({ own }: Pick<StageBuild, 'own'>, keys: ContentKeys): InstructionKey[] {
  return own.flatMap(({ stage }, index) => {
    const of = keys.get(stage)
    return of === undefined ? [] : [...(index === 0 ? [of.base] : []), ...of.instructions]
  })
}

/**
 * Returns the keys by which a later build may need the image of a build, the longest first: those after each instruction that
 * makes a layer. Files, stages, images and build arguments may change what follows, and so may an edit of the Dockerfile.
 */
export function keysForTags({ own }: Pick<StageBuild, 'own'>, keys: ContentKeys): string[] {
  return [...layerKeys({ own }, keys).keys()].reverse().slice(0, MOST_TAGS)
}

/** Returns the keys after each layer, each with whether what follows it reads something from outside the Dockerfile. */
function layerKeys({ own }: Pick<StageBuild, 'own'>, keys: ContentKeys): Map<string, boolean> {
  const found = new Map<string, boolean>()
  let last: string | undefined
  for (const { key, readsOutside, keyword } of chainOfKeys({ own }, keys)) {
    if (last !== undefined && readsOutside) found.set(last, true)
    if (key === undefined) break
    // an image with nothing but its base image, or an empty folder on it, is of no use as a cache
    if (last === undefined && !makesLayer({ keyword })) continue
    last = key
    if (!found.has(key)) found.set(key, false)
  }
  return found
}

/**
 * Returns the keys to look up for a build, the longest first. Of many, it leaves out those that only an edit of the Dockerfile
 * makes useful, but for the last one, and then the shortest.
 */
export function keysToAsk(build: Pick<StageBuild, 'own'>, keys: ContentKeys): string[] {
  const all = [...layerKeys(build, keys)]
    .reverse()
    .map(([key, isBoundary], index) => ({ key, isLikely: isBoundary || index === 0 }))
  const chosen = [...all.filter(({ isLikely }) => isLikely), ...all.filter(({ isLikely }) => !isLikely)]
  const asked = new Set(chosen.slice(0, MOST_QUESTIONS))
  return all.filter((one) => asked.has(one)).map(({ key }) => key)
}

/** Returns the beginning of a key, as tags and labels have it. */
export function shortKey(key: string): string {
  return key.slice(0, DIGITS)
}

/** Returns the reference of the cache tag of a key. */
export function cacheTagOf(image: string, key: string): string {
  return `${image}:cache-${shortKey(key)}`
}

/** Returns the cache tags of the image of a build, that of the longest key first. */
export function cacheTagsOf(image: string, build: Pick<StageBuild, 'own'>, keys: ContentKeys): string[] {
  return keysForTags(build, keys).map((key) => cacheTagOf(image, key))
}

/**
 * Returns the reference of the tested tag: only a run in which every test passed sets it.
 *
 * @param parts the keys of the images, and the fingerprint of the tests
 * @returns undefined if one of them is unknown
 */
export function testedTagOf(image: string, parts: readonly (string | undefined)[]): string | undefined {
  if (parts.includes(undefined)) return undefined
  return `${image}:tested-${shortKey(hashOf(parts))}`
}
