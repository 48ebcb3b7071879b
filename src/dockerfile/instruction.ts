// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { Add, Copy, type Flag, type From, type Instruction, ModifiableInstruction, Run } from 'dockerfile-ast'

/** As written. Not getBuildStage(), which returns a name broken by a continuation with its line end. */
export function stageNameOf(from: From): string | undefined {
  const [, as, name] = from.getArguments().map((argument) => argument.getValue())
  return as?.toLowerCase() === 'as' ? name : undefined
}

/** To the library, an instruction that breaks off in a continuation ends on the empty line after the text. */
export function lastLineOf(instruction: Instruction): number {
  const { start, end } = instruction.getRange()
  return end.character === 0 && end.line > start.line ? end.line : end.line + 1
}

/** What `--from` and the mounts of this instruction name: stages, images, named contexts. */
export function referencesOf(instruction: Instruction | null): string[] {
  const named = (name: string) => flagsOf(instruction).filter((flag) => flag.getName() === name)
  if (instruction instanceof Copy) return named('from').map((flag) => unquote(flag.getValue()))
  if (!(instruction instanceof Run)) return []
  const options = named('mount').flatMap((flag) => flag.getOptions())
  const froms = options.filter((option) => unquote(option.getName()).toLowerCase() === 'from')
  return froms.map((option) => unquote(option.getValue()))
}

/** Docker drops quotes wherever they are in a flag (bk: parser/split_command.go); the library keeps them. */
export function unquote(word: string | null): string {
  return (word ?? '').replaceAll(/["']/g, '')
}

/** The library also takes `--words` after the first word of a command for flags. */
export function flagsOf(instruction: Instruction | null): Flag[] {
  if (!(instruction instanceof ModifiableInstruction)) return []
  const words = instruction.toString().split(' ').slice(1)
  const end = words.findIndex((word) => word === '--' || !word.startsWith('--'))
  return instruction.getFlags().slice(0, end === -1 ? words.length : end)
}

/**
 * The flags the legacy builder has: legacy: instructions/parse.go; dispatchers.go refuses RUN's flags and --chmod. From
 * Docker 23 on its parser takes --link, --checksum and so on, and then forgets them.
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

/** bk: dfgitutil/git_ref.go, ParseGitRef. The legacy builder downloads such a page, or looks for such a file. */
export function isGit(source: string): boolean {
  return /^(?:git|ssh):\/\/|^https?:\/\/[^?#]+\.git(?:[?#]|$)|^\w+@[\w.-]+:/i.test(source)
}
