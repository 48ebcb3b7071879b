import { posix } from 'node:path'
import { pairsOf, type RawInstruction } from '../dockerfile/raw-instruction.ts'
import { expandWord } from '../dockerfile/variables.ts'
import type { ImageConfig, KeyFacts, Platform } from './key-types.ts'

/** A variable of a stage. */
export interface Variable {
  /** Undefined if it is not known. */
  value: string | undefined
  /** Whether the value comes from a build argument of the workflow. */
  isInput: boolean
}

/** The result of an expansion. */
export interface Expanded {
  /** Undefined if a variable is not known, or docker refuses the word. */
  value: string | undefined
  /** The variables in it, also those that are not set. */
  names: string[]
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const DEFAULT_SHELL = ['/bin/sh', '-c']

/**
 * What instructions of a stage set for later ones (moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go). ENV and ARG
 * are one list: the last that sets a name wins and determines its place, and `FROM stage` inherits both.
 */
export class StageScope {
  readonly #escapeChar: string
  #variables: Map<string, Variable>
  /** Build arguments of the workflow that no step has seen. */
  #unseen: Set<string>
  /** Undefined if the config of the base image is not known. */
  user: string | undefined = ''
  workdir: string | undefined = '/'
  shell: readonly string[] | undefined = DEFAULT_SHELL
  #isComplete = true

  constructor(escapeChar: string, variables: ReadonlyMap<string, Variable> = new Map()) {
    this.#escapeChar = escapeChar
    this.#variables = new Map(variables)
    this.#unseen = new Set()
  }

  /** @param config undefined if it is not known */
  static ofImage(escapeChar: string, config: ImageConfig | undefined): StageScope {
    const scope = new StageScope(escapeChar)
    if (config === undefined) {
      scope.#isComplete = false
      scope.user = scope.workdir = scope.shell = undefined
      return scope
    }
    const env = config.env.some((pair) => pair.startsWith('PATH=')) ? config.env : [...config.env, DEFAULT_PATH]
    for (const pair of env) {
      const [name = '', ...value] = pair.split('=')
      scope.#set(name, { value: value.join('='), isInput: false })
    }
    scope.user = config.user
    scope.workdir = posix.join('/', config.workdir)
    scope.shell = config.shell ?? DEFAULT_SHELL
    return scope
  }

  /** The scope of a stage that is built on this one: it has seen nothing new. */
  fork(): StageScope {
    const scope = new StageScope(this.#escapeChar, this.#variables)
    scope.#unseen = new Set(this.#unseen)
    scope.#isComplete = this.#isComplete
    return Object.assign(scope, { user: this.user, workdir: this.workdir, shell: this.shell })
  }

  /** In the order in which a container gets them; a container gets no other. */
  get variables(): ReadonlyMap<string, Variable> {
    return this.#variables
  }

  get(name: string): Variable | undefined {
    return this.#variables.get(name)
  }

  expand(word: string): Expanded {
    const names = new Set<string>()
    let isKnown = true
    const value = expandWord(word, this.#escapeChar, (name) => {
      names.add(name)
      const variable = this.#variables.get(name)
      if (variable === undefined ? !this.#isComplete : variable.value === undefined) isKnown = false
      return variable?.value
    })
    return { value: isKnown ? value : undefined, names: [...names] }
  }

  /** Whether the values of these variables are known, so that they determine every word with them. */
  isKnown(names: readonly string[]): boolean {
    return names.every((name) => {
      const variable = this.#variables.get(name)
      return variable === undefined ? this.#isComplete : variable.value !== undefined
    })
  }

  /** Marks variables as seen by a step. Returns whether one of them had not been seen before. */
  see(names: Iterable<string>): boolean {
    let isNew = false
    for (const name of names) isNew = this.#unseen.delete(name) || isNew
    return isNew
  }

  /**
   * @param globals the ARGs before the first FROM, and the automatic ones
   */
  declare(arg: RawInstruction, buildArgs: ReadonlyMap<string, string>, globals: ReadonlyMap<string, Variable>): void {
    for (const [name, word] of pairsOf(arg, this.#escapeChar)) {
      const input = buildArgs.get(name)
      if (input !== undefined) this.#set(name, { value: input, isInput: true })
      else if (word !== undefined) this.#set(name, this.#valueOf(word))
      else {
        const global = globals.get(name)
        if (global) this.#set(name, global)
      }
    }
  }

  /** Executes ENV: all values see the variables before it. */
  setEnv(env: RawInstruction): void {
    const pairs = pairsOf(env, this.#escapeChar).map(([name, word = '']) => {
      return [this.expand(name).value ?? name, this.#valueOf(word)] as const
    })
    for (const [name, variable] of pairs) this.#set(name, variable)
  }

  setWorkdir(path: string | undefined): void {
    const isKnown = path !== undefined && (path.startsWith('/') || this.workdir !== undefined)
    this.workdir = isKnown ? this.absolute(path) : undefined
  }

  /** Returns a path from the root; undefined if the working directory is needed and not known. */
  absolute(path: string): string | undefined {
    if (path.startsWith('/')) return trimmed(posix.normalize(path))
    return this.workdir === undefined ? undefined : trimmed(posix.join(this.workdir, path))
  }

  #valueOf(word: string): Variable {
    const { value, names } = this.expand(word)
    return { value, isInput: names.some((name) => this.#variables.get(name)?.isInput) }
  }

  #set(name: string, variable: Variable): void {
    const isNew = this.#variables.get(name)?.value !== variable.value
    this.#variables.delete(name)
    this.#variables.set(name, variable)
    if (!variable.isInput) this.#unseen.delete(name)
    else if (isNew) this.#unseen.add(name)
  }
}

function trimmed(path: string): string {
  return path.replace(/(.)\/+$/, '$1')
}

/**
 * Returns the arguments that FROM sees, and a stage if it declares them: those before the first FROM, and the automatic ones
 * (moby/buildkit frontend/dockerfile/dockerfile2llb/platform.go, defaultArgs).
 *
 */
export function globalScope(
  args: readonly RawInstruction[],
  escapeChar: string,
  { buildArgs, platform, isCross, chainsConfig }: Pick<KeyFacts, 'buildArgs' | 'platform' | 'isCross' | 'chainsConfig'>
): StageScope {
  const automatic = new Map<string, Variable>()
  const add = (name: string, value: string | undefined): void => {
    const input = buildArgs.get(name)
    automatic.set(name, { value: input ?? value, isInput: input !== undefined })
  }
  for (const side of chainsConfig ? [] : ['BUILD', 'TARGET']) {
    const known = side === 'BUILD' && isCross ? undefined : platform
    add(`${side}PLATFORM`, known && formatPlatform(known))
    add(`${side}OS`, known?.os)
    add(`${side}OSVERSION`, known && '')
    add(`${side}ARCH`, known?.architecture)
    add(`${side}VARIANT`, known && (known.variant ?? ''))
  }
  // one stage may be built for several targets
  if (!chainsConfig) add('TARGETSTAGE', undefined)
  const scope = new StageScope(escapeChar, automatic)
  for (const arg of args) scope.declare(arg, buildArgs, automatic)
  return scope
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}
