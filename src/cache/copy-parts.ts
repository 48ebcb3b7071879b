/**
 * What identifies COPY, ADD and WORKDIR for a builder.
 *
 * `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.
 */
import { posix } from 'node:path'
import { isGit } from '../dockerfile/instruction.ts'
import { clean } from '../dockerfile/patterns.ts'
import { jsonStrings, type RawInstruction } from '../dockerfile/raw-instruction.ts'
import type { StageScope } from './stage-scope.ts'
import { type Outside, StepCollector, type StepParts } from './step-parts.ts'

/** `<<EOF` as a source; the library and docker agree on what it is in `RawInstruction.heredocs`. */
const HEREDOC = /^\d*<</

/** bk: dispatchCopy, and solver/llbsolver/ops/file.go, CacheMap: of a source, only the last name and the content count. */
export function copyParts(raw: RawInstruction, scope: StageScope, outside: Outside): StepParts {
  const step = new StepCollector(scope, raw)
  const flags = flagsOf(raw.flags)
  const one = (name: string): string => flags.get(name)?.at(-1) ?? ''
  const isSet = (name: string): boolean => flags.has(name) && one(name).toLowerCase() !== 'false'
  const rest = raw.heredocs === '' ? raw.rest : raw.rest.replaceAll(/<<(-?)\s+/g, '<<$1')
  const words = jsonStrings(rest) ?? rest.split(/\s+/)
  const heredocs = words.slice(0, -1).filter((word) => HEREDOC.test(word))
  const sources = words
    .slice(0, -1)
    .filter((word) => !HEREDOC.test(word))
    .map((word) => step.expand(word))
  const target = destination(scope, step.expand(words.at(-1) ?? ''))
  if (target === undefined) step.unknown()
  const excludes = flags.get('exclude') ?? []
  const [chown, chmod, checksum] = ['chown', 'chmod', 'checksum'].map((name) => step.expand(one(name)))
  const mode = /^[0-7]+$/.test(chmod ?? '') ? Number.parseInt(chmod ?? '', 8) : chmod
  const [link, parents, keepGit, unpack] = ['link', 'parents', 'keep-git-dir', 'unpack'].map(isSet)
  step.add(target, chown, mode, excludes, link, parents, checksum, keepGit, flags.has('unpack') && unpack)

  if (raw.heredocs !== '') {
    // each unquoted heredoc expands variables; those of a quoted one do no harm
    const { names } = scope.expand(raw.heredocs.replaceAll(/['"]/g, ' '))
    step.note(names)
    if (!scope.isKnown(names)) step.unknown()
    step.add(
      heredocs,
      raw.heredocs,
      names.map((name) => scope.get(name)?.value ?? null)
    )
  }

  const from = one('from')
  const origin = from === '' ? undefined : outside.from(from)
  if (origin) step.from(from, origin)
  const context = origin?.kind === 'folder' ? { context: from } : {}
  for (const source of sources) {
    if (source === undefined) {
      step.readsOutside()
    } else if (origin && origin.kind !== 'folder') {
      step.add(clean(posix.join('/', source)))
    } else if (origin === undefined && raw.keyword === 'ADD' && (isGit(source) || /^https?:\/\//i.test(source))) {
      step.readsOutside()
      if (checksum === '' || isGit(source)) step.unknown()
      step.add(source)
    } else {
      const selection = { ...context, source, wildcards: true, excludes, parents: parents === true }
      step.add(parents ? source : posix.basename(clean(posix.join('/', source))))
      step.files(selection, outside.take(selection))
    }
  }
  return step.end()
}

/** bk: dispatchWorkdir. */
export function workdirParts(raw: RawInstruction, scope: StageScope, outside: Outside): StepParts {
  const step = new StepCollector(scope, raw)
  scope.setWorkdir(step.expand(raw.rest))
  step.option('workdir', scope.workdir)
  step.option('user', scope.user)
  // the time of the folder that it makes
  step.option('epoch', outside.buildArgs.get('SOURCE_DATE_EPOCH') ?? null)
  return step.end()
}

/** bk: pathRelativeToWorkingDir: a slash at the end is kept. */
function destination(scope: StageScope, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const target = scope.absolute(path)
  const isFolder = path === '' || /(?:^|\/)\.?$/.test(path)
  return target === undefined || target === '/' ? target : target + (isFolder ? '/' : '')
}

/** Returns the values of each flag; a flag without value is `true`. */
export function flagsOf(flags: readonly string[]): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const flag of flags) {
    const [, name = '', value = 'true'] = /^--([^=]+)(?:=(.*))?$/s.exec(flag) ?? []
    values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}
