// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { Arg, From, type Instruction } from 'dockerfile-ast'
import { flagsOf } from './instruction.ts'

/** The ARGs that BuildKit sets automatically, and the legacy builder does not (bk: dockerfile2llb/platform.go, defaultArgs). */
const AUTOMATIC_ARGS = ['PLATFORM', 'OS', 'OSVERSION', 'ARCH', 'VARIANT']
  .flatMap((what) => [`BUILD${what}`, `TARGET${what}`])
  .concat('TARGETSTAGE')

export interface GlobalArgs {
  /** Expands a word as docker does; the value is undefined if only the engine knows it. `names` are the variables in it. */
  expand(word: string): { value: string | undefined; names: string[] }
  /** Returns the automatic ARGs that a FROM uses or an ARG declares, and that the legacy builder would leave empty. */
  automaticIn(instruction: Instruction): string[]
}

/** Evaluates the ARGs before the first FROM (bk: buildMetaArgs, legacy: processMetaArg, buildargs.go). */
export function globalArgs(
  instructions: Instruction[],
  escapeChar: string,
  buildArgs: Map<string, string>
): GlobalArgs {
  const values = new Map([...buildArgs].filter(([name]) => AUTOMATIC_ARGS.includes(name)))
  const unknown = new Set(AUTOMATIC_ARGS.filter((name) => !values.has(name)))
  const declared = new Set<string>()

  const expand: GlobalArgs['expand'] = (word) => {
    const names: string[] = []
    const value = expandWord(word, escapeChar, (name) => {
      names.push(name)
      return values.get(name)
    })
    return { value: names.some((name) => unknown.has(name)) ? undefined : value, names }
  }

  for (const [name, word] of instructions.flatMap(wordsOfArg)) {
    const value = buildArgs.get(name) ?? (word === undefined ? undefined : expand(word).value)
    if (value !== undefined) {
      values.set(name, value)
      unknown.delete(name)
    } else if (word !== undefined) {
      unknown.add(name)
    }
    if (word !== undefined || buildArgs.has(name)) declared.add(name)
  }

  const unset = (name: string) => AUTOMATIC_ARGS.includes(name) && !declared.has(name)
  return {
    expand,
    automaticIn(instruction) {
      if (instruction instanceof From) {
        const words = [...instruction.getArguments(), ...flagsOf(instruction)].map((word) => word.getValue() ?? '')
        return words.flatMap((word) => expand(word).names).filter(unset)
      }
      const asked = wordsOfArg(instruction).filter(([name, word]) => word === undefined && !buildArgs.has(name))
      return asked.map(([name]) => name).filter(unset)
    }
  }
}

/** Returns name and default of each ARG in this instruction. Does not use getProperty(), which supports only a single ARG. */
function wordsOfArg(instruction: Instruction): [name: string, value: string | undefined][] {
  if (!(instruction instanceof Arg)) return []
  return instruction.getPropertyArguments().map((argument) => {
    const [name = '', ...value] = argument.getValue().split('=')
    return [name, value.length > 0 ? value.join('=') : undefined]
  })
}

/**
 * Processes quotes, escapes and variables as in bk: shell/lex.go. (The library supports neither `${A-b}` nor `${A:-${B}}`.)
 *
 * @returns undefined for an unsupported form, such as `${A#b}`
 */
export function expandWord(
  word: string,
  escapeChar: string,
  lookUp: (name: string) => string | undefined
): string | undefined {
  let at = 0
  let known = true

  const take = (pattern: RegExp) => {
    const [match] = pattern.exec(word.slice(at)) ?? []
    at += match?.length ?? 0
    return match
  }

  const variable = (): string => {
    const braced = take(/^\{/)
    const name = take(/^(?:\d+|[A-Za-z_]\w*)/)
    if (name === undefined) {
      known &&= braced === undefined
      return '$'
    }
    const value = lookUp(name)
    if (braced === undefined || take(/^\}/)) return value ?? ''
    const modifier = take(/^:?[-+?]/)
    const other = upTo('}')
    const isSet = value !== undefined && !(modifier?.startsWith(':') && value === '')
    if (modifier?.endsWith('-')) return isSet ? value : other
    if (modifier?.endsWith('+')) return isSet ? other : ''
    known &&= modifier !== undefined && isSet
    return value ?? ''
  }

  const upTo = (stop: '"' | '}' | undefined): string => {
    let result = ''
    while (at < word.length && word[at] !== stop) {
      const char = word[at++] ?? ''
      if (char === escapeChar) {
        if (stop === '"' && !['"', '$', escapeChar].includes(word[at] ?? '')) result += escapeChar
        result += word[at++] ?? ''
      } else if (char === "'" && stop !== '"') {
        result += take(/^[^']*/)
        at++
      } else if (char === '"') {
        result += upTo('"')
      } else {
        result += char === '$' ? variable() : char
      }
    }
    at++
    return result
  }

  const result = upTo(undefined)
  return known ? result : undefined
}
