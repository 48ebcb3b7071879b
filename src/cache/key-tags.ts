import { createHash } from 'node:crypto'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { InstructionKey, StageKeys } from './content-keys.ts'

/** Content keys by the index of the stage; a stage without an entry has no keys. */
export type ContentKeys = ReadonlyMap<number, StageKeys>

/** Maximum number of cache tags of one image, and of questions to the registry for one build. */
const MOST_TAGS = 16
const MOST_QUESTIONS = 8

/** Hex digits of a key in a tag, and in a label. */
const DIGITS = 16

/** Returns the keys of all instructions whose layers a build creates, with its FROM first; [] if they are unknown. */
export function chainOfKeys({ own }: Pick<StageBuild, 'own'>, keys: ContentKeys): InstructionKey[] {
  return own.flatMap((_, index) => keysOfOne(own, index, keys))
}

/** Returns the keys of one of the stages of a build; the FROM of the others names the stage before it. */
function keysOfOne(own: StageBuild['own'], index: number, keys: ContentKeys): InstructionKey[] {
  const of = keys.get(own[index]?.stage ?? -1)
  if (of === undefined) return []
  return index === 0 ? [of.base, ...of.instructions] : of.instructions
}

/**
 * Returns the keys by which a later build may need the image of a build, the longest first: the key before each instruction that
 * reads the build context, another stage, an external image or a build argument of the workflow, the last key of each stage in
 * the image, and the last one that is known.
 */
export function keysForTags({ own }: Pick<StageBuild, 'own'>, keys: ContentKeys): string[] {
  const found = new Set<string>()
  let last: string | undefined
  // an image with nothing but its base image, or an empty folder on it, is of no use as a cache
  let hasLayers = false
  const addLast = (): void => {
    if (hasLayers && last !== undefined) found.add(last)
  }
  for (const index of own.keys()) {
    for (const { key, readsOutside, keyword } of keysOfOne(own, index, keys)) {
      if (readsOutside) addLast()
      if (key === undefined) {
        addLast()
        return [...found].reverse().slice(0, MOST_TAGS)
      }
      last = key
      hasLayers ||= ['ADD', 'COPY', 'RUN'].includes(keyword)
    }
    addLast()
  }
  return [...found].reverse().slice(0, MOST_TAGS)
}

/** Returns the keys to look up for a build, the longest first: of many, the longest half and some of the others. */
export function keysToAsk(build: Pick<StageBuild, 'own'>, keys: ContentKeys): string[] {
  const all = keysForTags(build, keys)
  if (all.length <= MOST_QUESTIONS) return all
  const longest = all.slice(0, MOST_QUESTIONS / 2)
  const rest = all.slice(MOST_QUESTIONS / 2)
  const step = rest.length / (MOST_QUESTIONS / 2)
  return [...longest, ...Array.from({ length: MOST_QUESTIONS / 2 }, (_, index) => rest[Math.floor(index * step)] ?? '')]
}

/** Returns the beginning of a key, as tags and labels have it. */
export function shortKey(key: string): string {
  return key.slice(0, DIGITS)
}

/** Returns the reference of the cache tag of a key. */
export function cacheTagOf(image: string, key: string): string {
  return `${image}:cache-${shortKey(key)}`
}

/**
 * Returns the reference of the tested tag: only a run in which every test passed sets it.
 *
 * @param parts the keys of the images, and the fingerprint of the tests
 * @returns undefined if one of them is unknown
 */
export function testedTagOf(image: string, parts: readonly (string | undefined)[]): string | undefined {
  if (parts.includes(undefined)) return undefined
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${image}:tested-${hash.slice(0, DIGITS)}`
}
