import { findEarlier, type Stage } from './model.ts'
import { splitLines } from './source-text.ts'

/** Returns whether a stage has ONBUILD instructions: whatever is built on its image executes them. */
export function hasTriggers({ instructions }: Stage): boolean {
  return instructions.some(({ keyword }) => keyword === 'ONBUILD')
}

/** The instruction with its flags, before its arguments. */
const FLAGS = /^\s*\S+(?:(?:\s|\\\r?\n)+--\S+)*/
/** A stage or an image that `--from=` or `--mount=…,from=` names. */
const FROM = /(--from=|--mount=(?:\S*,)?from=)(["']?)([^\s,"']+)\2/g

/**
 * Lets the instructions of a stage copy from images instead of the stages before it: a stage that is replaced by an image with
 * triggers executes them, and has files then that the image does not have.
 *
 * @param lines of the Dockerfile; changes those of the stage, and keeps their number
 * @param images by the index of the stage that each replaces
 */
export function copyFromImages(
  lines: string[],
  stages: readonly Stage[],
  { index: own, instructions, endLine }: Stage,
  images: ReadonlyMap<number, string>
): void {
  const earlier = stages.slice(0, own)
  for (const [place, { keyword, line, copiesFrom }] of instructions.entries()) {
    if (keyword === 'ONBUILD' || !copiesFrom.some((index) => images.has(index))) continue
    const end = (instructions[place + 1]?.line ?? endLine + 1) - 1
    const text = lines.slice(line - 1, end).join('')
    const [flags = ''] = FLAGS.exec(text) ?? []
    const changed = flags.replaceAll(FROM, (whole, before: string, quote: string, name: string) => {
      const image = images.get(findEarlier(earlier, name) ?? -1)
      return image === undefined ? whole : `${before}${quote}${image}${quote}`
    })
    lines.splice(line - 1, end - line + 1, ...splitLines(changed + text.slice(flags.length)))
  }
}
