/**
 * Patterns of paths, matched in linear time: a Dockerfile is hostile input, and RegExp backtracks.
 *
 * `pm:` cites github.com/moby/patternmatcher.
 */
import { posix } from 'node:path'

/** A character that matches itself, a set of characters, or a wildcard: `**` means a whole path or only whole folders. */
type Token =
  | { kind: 'literal'; character: string }
  | { kind: 'set'; not: boolean; ranges: [from: string, to: string][] }
  | { kind: 'any' | 'star' | 'path' | 'folders' }

/** Compiles a pattern of Go's path.Match, in which no wildcard matches '/'. As in Go, a malformed one matches nothing. */
export function compileGlob(pattern: string): (path: string) => boolean {
  const tokens = tokensOf(pattern, false)
  return tokens === undefined ? () => false : (path) => matches(tokens, path)
}

/** Returns whether docker treats a source of COPY as a pattern (moby/buildkit solver/llbsolver/ops/file.go, containsWildcards). */
export function hasWildcard(source: string): boolean {
  return /[*?[]/.test(source.replace(/\\./gs, ''))
}

/** What each pattern of a list says of a folder: needed for what is in it. */
export type FolderMatch = readonly boolean[]

/**
 * Patterns as in a .dockerignore, the last one that matches decides, and a pattern that matches a folder matches all in it
 * (pm: MatchesUsingParentResults).
 */
export class PatternList {
  readonly #patterns: { isException: boolean; matches: (path: string) => boolean }[] = []
  /** Whether docker accepts all patterns: otherwise it refuses the build. */
  readonly isValid: boolean

  constructor(patterns: readonly string[]) {
    let isValid = true
    for (const pattern of patterns.map((text) => text.trim()).filter((text) => text !== '')) {
      const isException = pattern.startsWith('!')
      const body = clean(isException ? pattern.slice(1) : pattern)
      if (tokensOf(body, false) === undefined || pattern === '!') isValid = false
      else this.#patterns.push({ isException, matches: compilePattern(body) })
    }
    this.isValid = isValid
  }

  /** Whether something in a folder may be let through although the folder is excluded. */
  get hasExceptions(): boolean {
    return this.#patterns.some(({ isException }) => isException)
  }

  /** @param folder the match of the folder that contains the path; undefined at the top */
  match(path: string, folder?: FolderMatch): { isMatch: boolean; each: FolderMatch } {
    let isMatch = false
    const each = this.#patterns.map(({ isException, matches }, index) => {
      const isOne = folder?.[index] || (isException === isMatch && matches(path))
      if (isOne) isMatch = !isException
      return isOne
    })
    return { isMatch, each }
  }
}

/** Reads a .dockerignore (pm: ignorefile/ignorefile.go, ReadAll). */
export function ignoreList(dockerignore: string): PatternList {
  const lines = dockerignore.replace(/^\uFEFF/, '').split('\n')
  const patterns = lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [mark, body] = line.startsWith('!') ? ['!', line.slice(1).trim()] : ['', line]
      const cleaned = body === '' ? '' : clean(body)
      return mark + (cleaned.length > 1 ? cleaned.replace(/^\//, '') : cleaned)
    })
  return new PatternList(patterns)
}

/** Go's path.Clean. */
export function clean(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1')
}

/** Compiles one pattern, with docker's short cuts, which differ from the pattern in `**b` (pm: compile). */
function compilePattern(pattern: string): (path: string) => boolean {
  if (!/[*?[\]\\]/.test(pattern)) return (path) => path === pattern
  const [, before = '', rest = '', after = ''] = /^(\*\*)?([^*?[\]\\]*)(\*\*)?$/.exec(pattern) ?? []
  if (before !== '' && after === '') {
    return (path) => path.endsWith(rest) || (rest.startsWith('/') && path === rest.slice(1))
  }
  if (before === '' && after !== '') return (path) => path.startsWith(rest)
  const tokens = tokensOf(pattern, true) ?? []
  return (path) => matches(tokens, path)
}

/** @param deep whether `**` is a wildcard of its own */
function tokensOf(pattern: string, deep: boolean): Token[] | undefined {
  const characters = [...pattern]
  const tokens: Token[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]
    if (character === '*' && deep && characters[at + 1] === '*') {
      at += characters[at + 2] === '/' ? 2 : 1
      tokens.push({ kind: at + 1 === characters.length ? 'path' : 'folders' })
    } else if (character === '*') {
      tokens.push({ kind: 'star' })
    } else if (character === '?') {
      tokens.push({ kind: 'any' })
    } else if (character === '[') {
      const set = setAt(characters, at + 1)
      if (set === undefined) return undefined
      tokens.push(set.token)
      at = set.end
    } else {
      const literal = character === '\\' ? characters[++at] : character
      if (literal === undefined) return undefined
      tokens.push({ kind: 'literal', character: literal })
    }
  }
  return tokens
}

/** Reads a bracket expression, and returns where it ends; undefined if it is malformed (Go: path/match.go). */
function setAt(characters: readonly string[], start: number): { token: Token; end: number } | undefined {
  const not = characters[start] === '^'
  const ranges: [string, string][] = []
  let at = not ? start + 1 : start
  const next = (): string | undefined => {
    if (characters[at] === '-' || characters[at] === ']') return undefined
    if (characters[at] === '\\') at++
    return characters[at++]
  }
  while (characters[at] !== ']' || ranges.length === 0) {
    const from = next()
    if (from === undefined) return undefined
    let to: string | undefined = from
    if (characters[at] === '-') {
      at++
      to = next()
    }
    if (to === undefined) return undefined
    ranges.push([from, to])
  }
  return { token: { kind: 'set', not, ranges }, end: at }
}

/** Runs the pattern as an automaton: the time is at most the product of both lengths. */
function matches(tokens: readonly Token[], path: string): boolean {
  let states = new States(tokens)
  let next = new States(tokens)
  states.enter(0)
  for (const character of path) {
    next.clear()
    for (const state of states.list) {
      const token = tokens[state]
      if (token?.kind === 'folders') {
        next.add(state)
        if (character === '/') next.enter(state + 1)
      } else if (token?.kind === 'path' || (token?.kind === 'star' && character !== '/')) {
        next.enter(state)
      } else if (token !== undefined && isOne(token, character)) {
        next.enter(state + 1)
      }
    }
    if (next.list.length === 0) return false
    ;[states, next] = [next, states]
  }
  return states.list.includes(tokens.length)
}

/** Places in a pattern. */
class States {
  readonly #tokens: readonly Token[]
  readonly #isIn: Uint8Array
  readonly list: number[] = []

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
    this.#isIn = new Uint8Array(tokens.length + 1)
  }

  clear(): void {
    for (const state of this.list) this.#isIn[state] = 0
    this.list.length = 0
  }

  add(state: number): void {
    if (this.#isIn[state] === 1) return
    this.#isIn[state] = 1
    this.list.push(state)
  }

  /** Adds a state, and those that it reaches without a character. */
  enter(state: number): void {
    for (let at = state; ; at++) {
      this.add(at)
      const kind = this.#tokens[at]?.kind
      if (kind !== 'star' && kind !== 'path' && kind !== 'folders') return
    }
  }
}

function isOne(token: Token, character: string): boolean {
  if (token.kind === 'literal') return token.character === character
  if (token.kind === 'any') return character !== '/'
  if (token.kind !== 'set') return false
  const point = (one: string): number => one.codePointAt(0) ?? 0
  const isIn = token.ranges.some(([from, to]) => point(from) <= point(character) && point(character) <= point(to))
  return isIn !== token.not
}
