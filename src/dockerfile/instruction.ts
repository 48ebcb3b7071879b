// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { Add, Copy, type Flag, type From, type Instruction, ModifiableInstruction, Run } from 'dockerfile-ast'

/** Returns the stage's name verbatim. Does not use getBuildStage(), which includes the line end in a name that a continuation splits. */
export function stageNameOf(from: From): string | undefined {
  const [, as, name] = from.getArguments().map((argument) => argument.getValue())
  return as?.toLowerCase() === 'as' ? name : undefined
}

/** Returns the last line. In the library, an instruction that ends in a continuation ends on the empty line after the text. */
export function lastLineOf(instruction: Instruction): number {
  const { start, end } = instruction.getRange()
  return end.character === 0 && end.line > start.line ? end.line : end.line + 1
}

/** Returns the names in `--from` and in the mounts of this instruction: stages, images, named contexts. */
export function referencesOf(instruction: Instruction | null): string[] {
  const named = (name: string) => flagsOf(instruction).filter((flag) => flag.getName() === name)
  if (instruction instanceof Copy) return named('from').map((flag) => unquote(flag.getValue()))
  if (!(instruction instanceof Run)) return []
  const options = named('mount').flatMap((flag) => flag.getOptions())
  const froms = options.filter((option) => unquote(option.getName()).toLowerCase() === 'from')
  return froms.map((option) => unquote(option.getValue()))
}

/** Removes quotes: docker drops them anywhere in a flag (bk: parser/split_command.go), but the library keeps them. */
export function unquote(word: string | null): string {
  return (word ?? '').replaceAll(/["']/g, '')
}

/** Returns the flags of an instruction. The library also interprets `--words` after the first word of a command as flags. */
export function flagsOf(instruction: Instruction | null): Flag[] {
  if (!(instruction instanceof ModifiableInstruction)) return []
  const words = instruction.toString().split(' ').slice(1)
  const end = words.findIndex((word) => word === '--' || !word.startsWith('--'))
  return instruction.getFlags().slice(0, end === -1 ? words.length : end)
}

/**
 * The flags that the legacy builder supports (legacy: instructions/parse.go; dispatchers.go rejects flags of RUN, and
 * --chmod). Since Docker 23, its parser accepts --link, --checksum and others, and ignores them.
 */
export const LEGACY_FLAGS: Record<string, string[]> = { ADD: ['chown'], COPY: ['chown', 'from'], RUN: [] }

export function featuresOf(instruction: Instruction | null): string[] {
  const keyword = instruction?.getKeyword() ?? ''
  const allowed = LEGACY_FLAGS[keyword]
  if (allowed === undefined) return []
  const names = flagsOf(instruction).map((flag) => flag.getName())
  const features = names.filter((name) => !allowed.includes(name)).map((name) => `${keyword} --${name}`)
  if (instruction instanceof Add && sourcesOf(instruction).some(isGit)) features.push('ADD of a git repository')
  return features
}

export function sourcesOf(instruction: Add | Copy): string[] {
  const list = instruction.getJSONStrings().map((string) => string.getJSONValue())
  return (list.length > 0 ? list : instruction.getArguments().map((word) => unquote(word.getValue()))).slice(0, -1)
}

/** Returns whether BuildKit clones a source (bk: dfgitutil/git_ref.go, ParseGitRef). The legacy builder expects a page or a file. */
export function isGit(source: string): boolean {
  return /^(?:git|ssh):\/\/|^https?:\/\/[^?#]+\.git(?:[?#]|$)|^\w+@[\w.-]+:/i.test(source)
}
