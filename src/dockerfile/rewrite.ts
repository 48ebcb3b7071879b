// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { From } from 'dockerfile-ast'
import { stageNameOf } from './instruction.ts'
import { type Dockerfile, DockerfileError, type Stage } from './model.ts'
import { readSource, splitLines } from './source-text.ts'
import { stagesNeededFor } from './stage-graph.ts'

/**
 * Returns a Dockerfile that ends with the stage `target`, and in which one line `FROM image AS name` replaces every stage
 * of `images`. Empty lines replace their other lines, so that every stage and every line keeps its number.
 *
 * The legacy builder builds all stages up to the target, needed or not (legacy: builder.go, build), so such a line also
 * replaces the stages before `target` that it does not need. Everything else stays the same, byte for byte.
 *
 * A stage keeps its `--platform`, because its image has that platform. The image contains the ONBUILD triggers of the
 * stage, so they run in the stages that are built on it.
 *
 * @param images references to images, by the index of the stage that each replaces; a reference must not be the name of a stage
 * @throws DockerfileError if a reference is not valid
 */
export function rewriteDockerfile(dockerfile: Dockerfile, target: Stage, images: ReadonlyMap<number, string>): string {
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
  const standIn = taken[0]?.words ?? ['scratch']

  const lines = splitLines(dockerfile.text)
  for (const [index, from] of froms.entries()) {
    const stage = dockerfile.stages[index]
    const words = taken.find((other) => other.index === index)?.words ?? (keep.has(index) ? undefined : standIn)
    if (!stage || index >= target.index || words === undefined) continue
    const name = stageNameOf(from)
    const replacement = ['FROM', ...words, ...(name === undefined ? [] : ['AS', name])].join(' ')
    const before = lines[stage.startLine - 1]?.slice(0, from.getRange().start.character) ?? ''
    for (let line = stage.startLine; line <= stage.endLine; line++) {
      const lineEnd = /\r?\n?$/.exec(lines[line - 1] ?? '')?.[0] ?? ''
      lines[line - 1] = line === stage.startLine ? before + replacement + lineEnd : lineEnd
    }
  }
  return lines.slice(0, target.endLine).join('')
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
