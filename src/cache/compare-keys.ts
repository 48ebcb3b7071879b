import { sameImage } from '../registry/image-reference.ts'
import type { Ingredient, InstructionKey } from './content-keys.ts'
import { type Evidence, type Reason, shorten } from './evidence.ts'
import { BASE_DIGEST_LABEL, BASE_NAME_LABEL, type RecordedKey } from './keys-label.ts'

/**
 * Explains the first content key that differs, by the first of its ingredients that does.
 *
 * @param before the key at the same place of the published image; undefined if that has fewer instructions
 * @param isItself whether it is the key of the executed step, and not of an instruction before it
 */
export function whyOtherKey(
  evidence: Evidence,
  now: InstructionKey,
  before: RecordedKey | undefined,
  isItself: boolean
): Reason {
  const differing = now.ingredients.filter((one) => !before?.ingredients.some((other) => isSame(one, other)))
  const of = (kind: Ingredient['kind']): Ingredient | undefined => differing.find((one) => one.kind === kind)
  const [base, stage, image] = [of('base'), of('stage'), of('image')]
  if (of('platform')) return { kind: 'platform-changed', reason: 'The platform changed.' }
  if (base) return { kind: 'base-changed', reason: whyOtherBase(evidence, base.name ?? '') }
  const names = differing.flatMap(({ kind, name }) => (kind === 'argument' && name !== undefined ? [name] : []))
  if (before?.keyword !== now.keyword || of('instruction')) return whyOtherInstruction(evidence, now, isItself)
  const args = names.filter((name) => evidence.argumentNames.has(name))
  if (args.length > 0) {
    return { kind: 'build-arg-changed', reason: `The value of the build argument ${args.join(', ')} changed.` }
  }
  if (names.length > 0) {
    return { kind: 'instruction-changed', reason: `The value of the variable ${names.join(', ')} changed.` }
  }
  const option = of('options')
  if (option) return whyOtherOption(option.name ?? '')
  if (stage) return { kind: 'stage-changed', reason: whyOtherStage(evidence, now, stage.name ?? '') }
  if (image) return { kind: 'base-changed', reason: `The image ${image.name}, from which it copies, moved.` }
  const context = of('context')
  if (context) {
    return { kind: 'files-changed', reason: `The files that it takes from the build context ${context.name} changed.` }
  }
  const files = of('files')
  if (files) return whyOtherFiles(evidence, now, files, before)
  // an ingredient that exists no more, such as an argument
  return whyOtherInstruction(evidence, now, isItself)
}

function isSame(one: Ingredient, other: Ingredient): boolean {
  return one.kind === other.kind && one.name === other.name && one.hash === other.hash
}

/** With digests, if both images name theirs. */
function whyOtherBase({ published, digests, stageBuild }: Evidence, name: string): string {
  const labels = published.image?.labels ?? {}
  const image = stageBuild.baseImage ?? name
  const before = sameImage(labels[BASE_NAME_LABEL] || '', image) ? labels[BASE_DIGEST_LABEL] : undefined
  const now = digests.get(image)
  return before !== undefined && now !== undefined && before !== now
    ? `The base image ${image} moved from ${before} to ${now}.`
    : `The base image ${image} moved, or FROM names another image.`
}

function whyOtherInstruction({ stageBuild }: Evidence, { line, keyword }: InstructionKey, isItself: boolean): Reason {
  const text = stageBuild.instructions.find((one) => one.line === line)?.text ?? keyword
  return {
    kind: 'instruction-changed',
    reason: isItself
      ? 'The instruction changed, or is new.'
      : `The instruction in line ${line}, before it, changed or is new: ${shorten(text)}.`
  }
}

/** Inputs by the names of their ingredients. */
const INPUTS: Readonly<Record<string, string>> = {
  network: 'network',
  hosts: 'add-hosts',
  'shm-size': 'shm-size',
  ulimit: 'ulimit'
}

function whyOtherOption(name: string): Reason {
  const input = INPUTS[name]
  return input === undefined
    ? { kind: 'instruction-changed', reason: `An instruction before it, or its base image, sets another ${name}.` }
    : { kind: 'options-changed', reason: `The input ${input} changed.` }
}

function whyOtherStage({ executedStages }: Evidence, { keyword }: InstructionKey, name: string): string {
  const why = executedStages.has(name) ? 'executed a step' : 'has changed'
  return keyword === 'FROM'
    ? `It is built on stage ${name}, which ${why}.`
    : `What it copies from stage ${name} changed: that stage ${why}.`
}

function whyOtherFiles(
  { changed, unusualModes }: Evidence,
  { files }: InstructionKey,
  { count }: Ingredient,
  before: RecordedKey | undefined
): Reason {
  const taken = new Set(files)
  const because = (reason: string): Reason => ({ kind: 'files-changed', reason })
  // git names a submodule by its folder
  const folders = new Set(files.flatMap(foldersOf))
  const named = (changed ?? []).filter((path) => taken.has(path) || folders.has(path))
  if (named.length > 0) return because(`${listed(named)} changed since the commit of the published image.`)
  if (files.some((path) => path === '.git' || path.startsWith('.git/'))) {
    return because('It copies .git, which differs with every checkout: add .git to .dockerignore.')
  }
  const odd = unusualModes.filter(({ path }) => taken.has(path)).map(({ path, mode }) => `${path} (${mode})`)
  if (odd.length > 0 && changed !== undefined) {
    return because(
      `Git reports no change in the files that it copies, but their modes differ from those of a checkout under umask 022: ${listed(odd)}.`
    )
  }
  const counted = before?.ingredients.find(({ kind }) => kind === 'files')?.count
  const counts = counted === undefined || counted === count ? `${count} files` : `${count} files, before ${counted}`
  return because(
    changed === undefined
      ? `The files that it copies changed (${counts}). Their names are unknown, because neither the checkout (set fetch-depth: 0) nor GitHub's API has the commit of the published image.`
      : `The files that it copies changed (${counts}): git tracks none of those that differ, or they were removed.`
  )
}

/** Returns the folders that contain a file. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, 3).map((path) => shorten(JSON.stringify(path).slice(1, -1)))
  return `${shown.join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`
}
