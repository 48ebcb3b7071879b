// `bk:` cites the sources of docker that model.ts names.

import { type Dockerfile, DockerfileError, type Stage, type StageInstruction } from './model.ts'
import {
  pairsOf,
  type RawDockerfile,
  type RawInstruction,
  readRawInstructions,
  triggerIn,
  wordsOf
} from './raw-instruction.ts'
import { chainOf, nameOf, stageAt } from './stage-graph.ts'
import { expandWord } from './variables.ts'

/** An ARG that a stage hands on. */
export interface CarriedArg {
  /** The instruction on one line. */
  text: string
  /** Its line, if it is one of the stage itself; undefined for those of a stage below and of triggers. */
  line?: number
}

/** A variable that an instruction sets. */
export interface Binding {
  name: string
  /** As in the Dockerfile. */
  word: string
  /** The variables that the value contains. */
  uses: string[]
  isArg: boolean
  raw: RawInstruction
  /** Whether it is an instruction of the stage itself. */
  isOwn: boolean
}

/**
 * Returns the ARGs whose values a stage hands on to the stages that are built on it, and which its image does not contain
 * (bk: dockerfile2llb/convert.go, dispatchArg). In a stage that is built on another, ENV hides an ARG of the same name.
 *
 * @throws DockerfileError if the default of an ARG contains a variable that may have another value on the image
 */
export function carriedArgs(dockerfile: Dockerfile, stage: Stage): CarriedArg[] {
  const raw = readRawInstructions(dockerfile)
  const bindings = bindingsOf(dockerfile, raw, stage)
  const isEnv = new Set(bindings.filter(({ isArg }) => !isArg).map(({ name }) => name))
  const carried = bindings.filter(({ name, isArg }) => isArg && !isEnv.has(name))
  for (const binding of carried) {
    const later = bindings.slice(bindings.indexOf(binding) + 1)
    const changed = binding.uses.find(
      (name) =>
        later.some((other) => other.name === name) ||
        (isEnv.has(name) && bindings.some((b) => b.isArg && b.name === name))
    )
    if (changed === undefined) continue
    throw new DockerfileError(
      `Stage ${nameOf(stage)} cannot be replaced by its image: the default of ARG ${binding.name} (line ${binding.raw.line}) contains ${changed}, which the Dockerfile sets more than once`
    )
  }
  const instructions = [...new Set(carried.map(({ raw: one }) => one))]
  return instructions.map((one) => {
    const own = carried.filter((binding) => binding.raw === one)
    const keyword = own[0]?.isOwn ? keywordAt(dockerfile, one.line) : 'ARG'
    const text = [keyword, ...own.map(({ word }) => word)].join(' ')
    return { text, ...(own[0]?.isOwn && { line: one.line }) }
  })
}

/** Returns what sets variables in a stage, in order; that of the stages below comes first. */
export function bindingsOf(
  dockerfile: Dockerfile,
  { escapeChar, instructions }: RawDockerfile,
  stage: Stage
): Binding[] {
  const chain = chainOf(dockerfile, stage).map((index) => stageAt(dockerfile, index))
  const rawOf = ({ line }: StageInstruction): RawInstruction[] => {
    const raw = instructions.get(line)
    return raw ? [raw] : []
  }
  return chain.flatMap((one, index) => {
    const below = chain[index - 1]?.instructions ?? []
    const triggers = below.flatMap(rawOf).filter(({ keyword }) => keyword === 'ONBUILD')
    const executed = triggers.map((trigger) => ({ ...triggerIn(trigger, escapeChar), isOwn: false }))
    const own = one.instructions.flatMap(rawOf).map((raw) => ({ ...raw, isOwn: one.index === stage.index }))
    return [...executed, ...own].flatMap(({ isOwn, ...raw }) => {
      if (raw.keyword !== 'ARG' && raw.keyword !== 'ENV') return []
      const words = wordsOf(raw.rest, escapeChar)
      return pairsOf(raw, escapeChar).map(([name, value = ''], at): Binding => {
        const uses = namesIn(value, escapeChar)
        return { name, word: words[at] ?? '', uses, isArg: raw.keyword === 'ARG', raw, isOwn }
      })
    })
  })
}

function namesIn(word: string, escapeChar: string): string[] {
  const names: string[] = []
  expandWord(word, escapeChar, (name) => {
    names.push(name)
    return ''
  })
  return names
}

function keywordAt({ text }: Dockerfile, line: number): string {
  return /^\s*([a-z]+)/i.exec(text.split('\n')[line - 1] ?? '')?.[1] ?? 'ARG'
}
