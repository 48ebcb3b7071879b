// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { lastLineOf } from './instruction.ts'
import type { Dockerfile } from './model.ts'
import { logicalLineOf, readSource, splitLines } from './source-text.ts'

/** An instruction with its text as docker reads it. */
export interface RawInstruction {
  /** In upper case. */
  keyword: string
  /** Its first line; lines count from 1. */
  line: number
  /** Words before the arguments, without quotes: `--from=builder`. */
  flags: string[]
  /** The rest of the logical line, without blanks around it. */
  rest: string
  /** The lines of its heredocs with the last terminator. */
  heredocs: string
}

export interface RawDockerfile {
  escapeChar: string
  /** All instructions by their first lines, also FROM and the ARGs before it, in order. */
  instructions: Map<number, RawInstruction>
}

export function readRawInstructions({ text }: Pick<Dockerfile, 'text'>): RawDockerfile {
  const { instructions, escapeChar, heredocEnds } = readSource(text)
  const lines = splitLines(text)
  const raw = instructions.map((instruction): RawInstruction => {
    const line = instruction.getRange().start.line + 1
    const end = lastLineOf(instruction)
    // docker skips blank lines between continued lines (bk: parser/parser.go, isEmptyContinuationLine)
    const own = lines.slice(line - 1, end).filter((text) => text.trim() !== '')
    const heredocs = lines.slice(end, heredocEnds.get(line) ?? 0).join('')
    return { ...parseRaw(logicalLineOf(own, escapeChar), escapeChar), line, heredocs }
  })
  return { escapeChar, instructions: new Map(raw.map((one) => [one.line, one])) }
}

/** Parses the instruction in an ONBUILD. */
export function triggerIn({ rest, line, flags }: RawInstruction, escapeChar: string): RawInstruction {
  return { ...parseRaw([...flags, rest].join(' '), escapeChar), line, heredocs: '' }
}

function parseRaw(text: string, escapeChar: string): Pick<RawInstruction, 'keyword' | 'flags' | 'rest'> {
  const [, keyword = '', args = ''] = /^(\S+)\s*(.*)$/s.exec(text.replace(/^\uFEFF/, '').trim()) ?? []
  return { keyword: keyword.toUpperCase(), ...splitFlags(args, escapeChar) }
}

/** bk: parser/split_command.go, extractBuilderFlags. */
function splitFlags(text: string, escapeChar: string): { flags: string[]; rest: string } {
  const flags: string[] = []
  let at = 0
  for (;;) {
    at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at).trim() }
    let word = ''
    let quote = ''
    for (; at < text.length && (quote !== '' || !/\s/.test(text[at] ?? '')); at++) {
      const character = text[at] ?? ''
      if (character === quote) quote = ''
      else if (quote === '' && /['"]/.test(character)) quote = character
      else if (character === escapeChar) word += text[++at] ?? ''
      else word += character
    }
    if (word === '--') return { flags, rest: text.slice(at).trim() }
    flags.push(word)
  }
}

/** Splits text at blanks outside quotes; quotes and escapes remain (bk: parser/line_parsers.go, parseWords). */
export function wordsOf(text: string, escapeChar: string): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (quote === '' && /\s/.test(character)) {
      if (word !== '') words.push(word)
      word = ''
      continue
    }
    if (character === escapeChar && quote !== "'") {
      // an escape at the end is dropped
      if (at + 1 < text.length) word += character + text[++at]
      continue
    }
    if (character === quote) quote = ''
    else if (quote === '' && /['"]/.test(character)) quote = character
    word += character
  }
  if (word !== '') words.push(word)
  return words
}

/** Reads `A=1 B=2`, and `A 1 2` of ENV and LABEL; the value is undefined in `ARG A` (bk: parseNameVal, parseNameOrNameVal). */
export function pairsOf({ keyword, rest }: RawInstruction, escapeChar: string): [name: string, word?: string][] {
  const words = wordsOf(rest, escapeChar)
  if (keyword !== 'ARG' && !words[0]?.includes('=')) {
    const [, name = '', word = ''] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
    return [[name, word]]
  }
  return words.map((word) => {
    const at = word.indexOf('=')
    return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)]
  })
}

/** Parses `["a", "b"]`; undefined if it is no JSON array of strings (bk: parseJSON). */
export function jsonStrings(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const array: unknown = JSON.parse(text)
    return Array.isArray(array) && array.every((one) => typeof one === 'string') ? array : undefined
  } catch {
    return undefined
  }
}
