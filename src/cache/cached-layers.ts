import { firstFolderIn } from '../dockerfile/steps.ts'
import type { ImageRecord } from '../registry/image.ts'

/** The instructions of a build with an entry in the history of its image, in order. */
export interface OwnInstructions {
  instructions: readonly { keyword: string }[]
}

/** Returns the index of the first history entry of the image's own instructions; undefined if the history does not end with them. */
export function ownHistoryStart(
  image: Pick<ImageRecord, 'history'>,
  { instructions: own }: OwnInstructions
): number | undefined {
  const start = image.history.length - own.length
  const fits = own.every(({ keyword }, index) => keywordOf(image.history[start + index]?.createdBy) === keyword)
  return start >= 0 && fits ? start : undefined
}

/** Reads the keyword of BuildKit's `RUN /bin/sh -c …`, or the legacy builder's `/bin/sh -c …` and `/bin/sh -c #(nop) COPY …`. */
export function keywordOf(createdBy = ''): string {
  const [, nop] = /#\(nop\) +([A-Z]+)/.exec(createdBy) ?? []
  const [, first] = /^([A-Z]+)(?:\s|$)/.exec(createdBy) ?? []
  return nop ?? first ?? 'RUN'
}

/**
 * Returns why BuildKit could not reuse all layers of the image's own steps by its cache metadata; undefined if it could.
 *
 * @returns a clause: "its cache metadata …"
 */
export function whyNoCache(image: ImageRecord, build: OwnInstructions): string | undefined {
  if (image.recorded === undefined) return 'it has no cache metadata'
  const own = ownLayers(image, build)
  if (image.recorded === 'unknown') return undefined
  // layers of the base image's triggers cannot be distinguished from layers of the base image
  if (own === undefined) return image.recorded.length === 0 ? 'its cache metadata names no layer' : undefined
  const missing = unrecorded(image, own)
  return missing === 0 ? undefined : `its cache metadata has no record of ${missing} of ${own.length} layers`
}

/** Counts the layers of the image's own steps without cache metadata; Infinity if it cannot serve as a cache at all. */
export function missingRecords(image: ImageRecord | undefined, build: OwnInstructions): number {
  if (image?.recorded === undefined) return Number.POSITIVE_INFINITY
  if (image.recorded === 'unknown') return 0
  const own = ownLayers(image, build)
  if (own === undefined) return image.recorded.length === 0 ? Number.POSITIVE_INFINITY : 0
  return unrecorded(image, own)
}

function unrecorded({ recorded = [] }: ImageRecord, layers: number[]): number {
  return recorded === 'unknown' ? 0 : layers.filter((layer) => !recorded.includes(layer)).length
}

/** Returns the indices of the layers that the image's own steps created; undefined if they cannot be determined. */
function ownLayers(image: ImageRecord, build: OwnInstructions): number[] | undefined {
  const start = ownHistoryStart(image, build)
  if (start === undefined) return undefined
  // on scratch, BuildKit makes the first folder each time, and has no record of it
  const isOnScratch = start === 0 && firstFolderIn(build.instructions) !== undefined
  const below = layersBelow(image, start) + (isOnScratch ? 1 : 0)
  return Array.from({ length: image.layers.length - below }, (_, index) => below + index)
}

/** Counts the layers that the first entries of the history created. */
export function layersBelow({ history }: ImageRecord, entries: number): number {
  return history.slice(0, entries).filter(({ empty }) => !empty).length
}
