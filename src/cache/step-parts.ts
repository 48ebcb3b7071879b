import type { RawInstruction } from '../dockerfile/raw-instruction.ts'
import { hashOf } from '../lib/hash.ts'
import { type Selection, sorted, type Taken } from './context-tree.ts'
import type { Ingredient, RunOptions } from './key-types.ts'
import type { StageScope } from './stage-scope.ts'

/** What a name in --from stands for. */
export type Origin = { kind: 'stage' | 'image'; key: string | undefined } | { kind: 'folder' }

/** The world outside the Dockerfile. */
export interface Outside {
  buildArgs: ReadonlyMap<string, string>
  runOptions: RunOptions
  /** Returns what an instruction takes of the build context; undefined if this cannot be known. */
  take(selection: Selection): Taken | undefined
  /** Returns what a name in --from stands for: the key of a stage or the identity of an image, undefined if this cannot be known; or files. */
  from(name: string): Origin
}

/** What an instruction adds to the key before it. */
export interface StepParts {
  /** Equal if and only if the builder takes the steps for the same; undefined if this cannot be known. */
  parts: unknown[] | undefined
  ingredients: Ingredient[]
  readsOutside: boolean
  files: string[]
}

/** Collects the parts of one step. */
export class StepCollector {
  readonly #scope: StageScope
  #parts: unknown[] | undefined
  readonly #ingredients: Ingredient[]
  #readsOutside = false
  readonly #files = new Set<string>()
  readonly #noted = new Set<string>()

  constructor(scope: StageScope, raw: RawInstruction) {
    this.#scope = scope
    this.#parts = [raw.keyword]
    const text = raw.keyword === 'RUN' ? raw.rest : raw.rest.replaceAll(/\s+/g, ' ')
    this.#ingredients = [{ kind: 'instruction', hash: short([raw.keyword, raw.flags, text, raw.heredocs]) }]
  }

  /** Adds to the key what the ingredients determine already. */
  add(...parts: unknown[]): void {
    if (parts.includes(undefined)) this.#parts = undefined
    this.#parts?.push(...parts)
  }

  option(name: string, value: unknown): void {
    this.add(value)
    this.#ingredients.push({ kind: 'options', name, hash: short(value) })
  }

  /** Expands a word, and notes its variables; undefined if this is not possible. */
  expand(word: string): string | undefined {
    const { value, names } = this.#scope.expand(word)
    this.note(names)
    if (value === undefined) this.#parts = undefined
    return value
  }

  /** Notes the variables that the step sees. */
  note(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#noted.has(name)) continue
      this.#noted.add(name)
      this.#ingredients.push({ kind: 'argument', name, hash: short(this.#scope.get(name)?.value) })
      if (this.#scope.see([name])) this.#readsOutside = true
    }
  }

  files(selection: Selection, taken: Taken | undefined): void {
    this.#readsOutside = true
    this.add(taken?.hash)
    if (!taken) return
    const [hash, count] = [taken.hash.slice(0, 8), taken.files.length]
    if (selection.context !== undefined) {
      this.#ingredients.push({ kind: 'context', name: selection.context, hash, count })
      return
    }
    for (const file of taken.files) this.#files.add(file)
    this.#ingredients.push({ kind: 'files', name: selection.source, hash, count })
  }

  from(name: string, origin: Origin): void {
    this.#readsOutside = true
    // of files, only what the step takes counts
    if (origin.kind === 'folder') return
    const { kind, key } = origin
    this.add(key)
    if (key !== undefined) this.#ingredients.push({ kind, name, hash: key.slice(0, 8) })
  }

  /** What it reads is not known: a URL, a git repository. */
  unknown(): void {
    this.#readsOutside = true
    this.#parts = undefined
  }

  readsOutside(): void {
    this.#readsOutside = true
  }

  end(): StepParts {
    return {
      parts: this.#parts,
      ingredients: this.#ingredients,
      readsOutside: this.#readsOutside,
      files: sorted(this.#files)
    }
  }
}

/** 64 hex of anything that JSON can express. */
export function sha256(value: unknown): string {
  return hashOf([value])
}

function short(value: unknown): string {
  return sha256(value).slice(0, 8)
}
