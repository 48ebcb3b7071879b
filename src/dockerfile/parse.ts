// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { From, type Instruction, Onbuild } from 'dockerfile-ast'
import { featuresOf, lastLineOf, referencesOf, stageNameOf } from './instruction.ts'
import { ascending, type Dockerfile, DockerfileError, findEarlier, type Stage, type StageInstruction } from './model.ts'
import { logicalLineOf, readSource, splitLines } from './source-text.ts'
import { type GlobalArgs, globalArgs } from './variables.ts'

/**
 * Parses a Dockerfile.
 *
 * A name refers to the last stage with that name before the stage that uses it. The name of a later stage, or of the
 * stage itself, fails a build with BuildKit (bk: dockerfile2llb/convert.go, "it needs to be defined before current
 * stage"), and the legacy builder interprets it as an image (legacy: evaluator.go), so it is not an edge. A variable in
 * `--from` is not an edge either, because neither builder expands it (bk: toCommand). A number is an index, but not in
 * FROM. RUN --mount accepts no numbers either (bk: detectRunMount); the parser ignores this, since no image has such a name.
 *
 * @param buildArgs override the defaults of the ARGs before the first FROM, as `--build-arg` does. BuildKit's automatic
 *   ones (`TARGETARCH`) are unknown unless given here
 * @throws DockerfileError if the Dockerfile has no FROM
 */
export function parseDockerfile(text: string, buildArgs: Record<string, string> = {}): Dockerfile {
  const source = readSource(text)
  const first = source.instructions.findIndex((instruction) => instruction instanceof From)
  if (first === -1) throw new DockerfileError('The Dockerfile has no FROM instruction, so there is no stage to build')
  const args = globalArgs(source.instructions.slice(0, first), source.escapeChar, new Map(Object.entries(buildArgs)))

  const stages: Stage[] = []
  const triggers: string[][] = []
  const features: { what: string; line: number }[] = []
  const lines = splitLines(text)
  for (const instruction of source.instructions) {
    const line = instruction.getRange().start.line + 1
    const found = source.heredocEnds.has(line) ? ['heredoc'] : []
    if (instruction instanceof From) {
      const stage = newStage(instruction, stages, args)
      const inherited = stage.baseStage === undefined ? [] : (triggers[stage.baseStage] ?? [])
      stage.copiesFrom = inherited.flatMap((reference) => findEarlier(stages, reference) ?? [])
      if (stage.name !== undefined && findEarlier(stages, stage.name) !== undefined) {
        // legacy: evaluator.go, checkStageNameAvailable
        found.push(`second stage named ${stage.name}`)
      }
      found.push(...args.automaticIn(instruction).map((name) => `$${name} in FROM`))
      stages.push(stage)
      triggers.push([])
    } else if (instruction instanceof Onbuild) {
      // the stages whose FROM names this one execute it (bk: resolveStages, legacy: initializeStage)
      const trigger = instruction.getTriggerInstruction()
      triggers.at(-1)?.push(...referencesOf(trigger))
      found.push(...featuresOf(trigger).map((what) => `ONBUILD ${what}`))
    } else {
      found.push(...featuresOf(instruction))
      if (stages.length > 0) found.push(...args.automaticIn(instruction).map((name) => `ARG ${name}`))
    }
    const stage = stages.at(-1)
    if (stage && !(instruction instanceof From)) {
      const earlier = stages.slice(0, -1)
      // this stage does not execute its own triggers
      const references = instruction instanceof Onbuild ? [] : referencesOf(instruction)
      const copiesFrom = references.flatMap((name) => findEarlier(earlier, name) ?? [])
      stage.copiesFrom.push(...copiesFrom)
      const own = lines.slice(line - 1, lastLineOf(instruction))
      const heredocs = lines.slice(lastLineOf(instruction), source.heredocEnds.get(line) ?? 0)
      stage.instructions.push({
        ...newInstruction(instruction, logicalLineOf(own, source.escapeChar), heredocs.join('')),
        copiesFrom: ascending(copiesFrom),
        imagesFrom: references.filter((name) => name !== '' && findEarlier(earlier, name) === undefined)
      })
    }
    if (stage) stage.endLine = source.heredocEnds.get(line) ?? lastLineOf(instruction)
    features.push(...[...new Set(found)].map((what) => ({ what, line })))
  }
  for (const stage of stages) stage.copiesFrom = ascending(stage.copiesFrom)
  return {
    text,
    globalArgs: first,
    stages,
    ...(source.syntax !== undefined && { syntax: source.syntax }),
    buildKitFeatures: features.map(({ what, line }) => `${what} (line ${line})`)
  }
}

function newStage(from: From, earlier: Stage[], args: GlobalArgs): Stage {
  const base = from.getArguments()[0]?.getValue() ?? ''
  const image = args.expand(base).value
  // FROM accepts no numbers. Ignore case: BuildKit takes a base in another case for an image, but no image has capitals
  const baseStage = earlier.findLast(({ name }) => name !== undefined && name === image?.toLowerCase())?.index
  const name = stageNameOf(from)?.toLowerCase()
  return {
    index: earlier.length,
    ...(name !== undefined && { name }),
    base,
    ...(image === undefined && { baseUnknown: true as const }),
    ...(baseStage !== undefined && { baseStage }),
    ...(baseStage === undefined && image !== undefined && image !== 'scratch' && { baseImage: image }),
    ...(from.getPlatformFlag() !== null && { hasPlatform: true as const }),
    copiesFrom: [],
    instructions: [],
    startLine: from.getRange().start.line + 1,
    endLine: lastLineOf(from)
  }
}

/** @param line the whole instruction on one line, with the text of the file: the library parsed a copy, see `plainLines` */
function newInstruction(
  instruction: Instruction,
  line: string,
  heredocs: string
): Omit<StageInstruction, 'copiesFrom' | 'imagesFrom'> {
  const keyword = instruction.getKeyword()
  const text = line.trim().replaceAll(/\s+/g, ' ')
  return {
    keyword,
    text: `${keyword}${text.slice(keyword.length)}`,
    line: instruction.getRange().start.line + 1,
    hasVariable: /\$[A-Za-z_{]/.test(text + heredocs)
  }
}
