// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { From } from 'dockerfile-ast'
import { type CarriedArg, carriedArgs } from './carried-args.ts'
import { stageNameOf } from './instruction.ts'
import { type Dockerfile, DockerfileError, type Stage } from './model.ts'
import { readSource, splitLines } from './source-text.ts'
import { chainOf, stageAt, stagesNeededFor } from './stage-graph.ts'
import { copyFromImages, hasTriggers } from './trigger-stages.ts'

/** How to rewrite a Dockerfile. */
export interface RewriteOptions {
  /** Whether a stage hands its ARGs on to the stages that are built on it: with BuildKit, but not with the legacy builder. */
  handsOnArgs: boolean
}

/**
 * Returns a Dockerfile that ends with the stage `target`, and in which one line `FROM image AS name` replaces every stage
 * of `images`. Empty lines replace their other lines, so that every stage and every line keeps its number.
 *
 * The legacy builder builds all stages up to the target, needed or not (legacy: builder.go, build), so such a line also
 * replaces the stages before `target` that it does not need. Everything else stays the same, byte for byte.
 *
 * A stage keeps its `--platform`, because its image has that platform. The image contains everything that a stage hands on to
 * those which are built on it: variables, ONBUILD triggers, working directory, user, shell. It does not contain ARGs, so with
 * BuildKit these stay.
 *
 * A stage whose image has triggers would execute them. So what copies from it copies from its image; and with the legacy builder,
 * what is built on it is built on its image.
 *
 * @param images references to images, by the index of the stage that each replaces; a reference must not be the name of a stage
 * @throws DockerfileError if a reference is not valid, or an ARG cannot be handed on
 */
export function rewriteDockerfile(
  dockerfile: Dockerfile,
  target: Stage,
  images: ReadonlyMap<number, string>,
  { handsOnArgs }: RewriteOptions = { handsOnArgs: false }
): string {
  for (const [index, image] of images) checkImage(dockerfile, index, image)
  if (images.has(target.index)) throw new DockerfileError('The stage to build cannot be replaced by an image')
  const needed = stagesNeededFor(dockerfile, target, images)
  // an unknown base may be any earlier stage
  const unknown = needed.filter((index) => !images.has(index) && dockerfile.stages[index]?.baseUnknown)
  const keep = new Set([...needed, ...Array(Math.max(0, ...unknown)).keys()])
  const froms = readSource(dockerfile.text).instructions.filter((instruction) => instruction instanceof From)
  const taken = [...images].map(([index, image]) => ({
    index,
    words: [...(froms[index]?.getFlags().map(String) ?? []), image]
  }))
  const triggering = new Map([...images].filter(([index]) => hasTriggers(stageAt(dockerfile, index))))
  const standIn = taken.find(({ index }) => !triggering.has(index))?.words ?? ['scratch']
  const bases = new Set(
    dockerfile.stages.filter(({ index }) => keep.has(index) && !images.has(index)).map(({ baseStage }) => baseStage)
  )

  const lines = splitLines(dockerfile.text)
  for (const [index, from] of froms.entries()) {
    const stage = dockerfile.stages[index]
    if (!stage) continue
    if (index <= target.index && keep.has(index) && !images.has(index)) {
      copyFromImages(lines, dockerfile.stages, stage, triggering)
      const image = handsOnArgs ? undefined : triggering.get(stage.baseStage ?? -1)
      // the legacy builder keeps the ARGs of triggers to the stage that executes them
      if (image !== undefined) setFrom(lines, from, image)
    }
    // an unknown base may be this very stage
    const isUnused = !handsOnArgs && triggering.has(index) && unknown.length === 0
    const words = isUnused
      ? standIn
      : (taken.find((other) => other.index === index)?.words ?? (keep.has(index) ? undefined : standIn))
    if (index >= target.index || words === undefined) continue
    const isBase = images.has(index) && bases.has(index)
    const args = isBase && handsOnArgs ? carriedArgs(dockerfile, stage) : []
    const floor = keep.has(index - 1) && !images.has(index - 1) ? (dockerfile.stages[index - 1]?.endLine ?? 0) : 0
    replaceStage(lines, stage, floor, { from: fromWith(from, words), args })
  }
  const onImage = [...images.keys()].filter((index) => bases.has(index))
  if (onImage.some((index) => setsWorkdir(dockerfile, index))) skipWorkdirRule(lines)
  return lines.slice(0, target.endLine).join('')
}

/** Returns `FROM image AS name` in the case of the Dockerfile: a lint rule wants the same case everywhere. */
function fromWith(from: From, words: string[]): string {
  const name = stageNameOf(from)
  const as = from.getArguments()[1]?.getValue() ?? 'AS'
  return [from.getInstruction(), ...words, ...(name === undefined ? [] : [as, name])].join(' ')
}

/** Sets the base of a FROM, on its first line. */
function setFrom(lines: string[], from: From, image: string): void {
  const { start, end } = from.getRange()
  const before = /^\uFEFF?\s*/.exec(lines[start.line] ?? '')?.[0] ?? ''
  const text = before + fromWith(from, [...from.getFlags().map(String), image])
  for (let line = start.line; line <= end.line; line++) {
    const lineEnd = /\r?\n?$/.exec(lines[line] ?? '')?.[0] ?? ''
    lines[line] = (line === start.line ? text : '') + lineEnd
  }
}

/**
 * Replaces the lines of a stage by its FROM and the ARGs that it hands on; those of other stages use the empty lines around.
 *
 * @param floor the last line above the stage that is in use
 */
function replaceStage(
  lines: string[],
  { startLine, endLine }: Stage,
  floor: number,
  { from, args }: { from: string; args: readonly CarriedArg[] }
): void {
  const lineEnd = /\r?\n$/.exec(lines[startLine - 1] ?? '')?.[0] ?? '\n'
  const before = /^\uFEFF?\s*/.exec(lines[startLine - 1] ?? '')?.[0] ?? ''
  for (let line = startLine; line <= endLine; line++) {
    const own = args.find((arg) => arg.line === line)?.text ?? ''
    lines[line - 1] = own + (/\r?\n?$/.exec(lines[line - 1] ?? '')?.[0] ?? '')
  }
  const inherited = args.filter(({ line }) => line === undefined).map(({ text }) => text)
  const firstOwn = args.find(({ line }) => line !== undefined)?.line ?? endLine + 1
  // FROM moves up into empty lines if there is no room below it
  let first = startLine
  while (firstOwn - first <= inherited.length && first - 1 > floor && lines[first - 2]?.trim() === '') first--
  const texts = [before.replace(/[\r\n]/g, '') + from, ...inherited]
  const room = firstOwn - first
  for (const [index, text] of texts.entries()) {
    const at = first - 1 + Math.min(index, room - 1)
    // without room, the lines below move down
    lines[at] = index < room ? text + (lines[at] || lineEnd) : `${lines[at]}${text}${lineEnd}`
  }
}

function setsWorkdir(dockerfile: Dockerfile, index: number): boolean {
  const chain = chainOf(dockerfile, stageAt(dockerfile, index)).map((one) => stageAt(dockerfile, one))
  return chain.some(({ instructions }) => instructions.some(({ keyword }) => keyword === 'WORKDIR'))
}

/** On an image BuildKit does not know that the Dockerfile has set a working directory (bk: dockerfile2llb/convert.go, workdirSet). */
function skipWorkdirRule(lines: string[]): void {
  for (const [index, line] of lines.entries()) {
    const [, before = '', name = '', value = '', lineEnd = ''] =
      /^(\uFEFF?\s*#\s*([a-z]+)\s*=\s*)(.*?)(\s*)$/is.exec(line) ?? []
    if (name === '') return
    if (name.toLowerCase() !== 'check') continue
    const options = value.split(';').filter((option) => option.trim() !== '')
    const skip = options.findIndex((option) => /^\s*skip\s*=/i.test(option))
    if (skip === -1) options.push('skip=WorkdirRelativePath')
    else if (!/=\s*all\s*$/.test(options[skip] ?? '')) options[skip] += ',WorkdirRelativePath'
    lines[index] = `${before}${options.join(';')}${lineEnd}`
  }
}

function checkImage({ stages }: Dockerfile, index: number, image: string): void {
  // a flag, a variable or a second word would change the meaning of the instruction
  if (!/^[^\s'"`\\$-][^\s'"`\\$]*$/.test(image)) {
    throw new DockerfileError(`Stage ${index} cannot be replaced by ${JSON.stringify(image)}: that is no image`)
  }
  if (stages.some(({ name }) => name === image.toLowerCase())) {
    throw new DockerfileError(`Stage ${index} cannot be replaced by ${image}: a stage of the Dockerfile has that name`)
  }
}
