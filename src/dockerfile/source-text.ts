// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { DockerfileParser, type Instruction, Onbuild } from 'dockerfile-ast'
import { LEGACY_FLAGS } from './instruction.ts'

interface Source {
  instructions: Instruction[]
  escapeChar: string
  syntax?: string
  /** By the line of an instruction, the last line of its heredocs; lines count from 1. */
  heredocEnds: Map<number, number>
}

/** Stands for `<<`, so that the library sees no heredocs; from the private use area of Unicode. */
export const MARK = '\uE000'
/** A word with its quotes; heredocs may have blanks after `<<` (bk: shell/lex.go, processPossibleHeredoc). */
const WORD = new RegExp(`(?:${MARK}\\s*|[^\\s'"\\\\${MARK}]|\\\\[^]?|'[^']*'|"(?:\\\\[^]|[^"\\\\])*")+`, 'g')
const HEREDOC = new RegExp(`^\\d*${MARK}(-?)\\s*([^<${MARK}]+)$`)

/**
 * Parses a copy of the text in which what the library misreads is put in a way it does not. Lines stay what they are.
 * Heredocs are cut out: the library takes `<<` in quotes and JSON for one, but not `3<<EOF` or `<< EOF`.
 */
export function readSource(text: string): Source {
  const lines = plainLines(text)
  const heredocEnds = new Map<number, number>()
  for (;;) {
    const parsed = DockerfileParser.parse(lines.join(''))
    const escapeChar = parsed.getEscapeCharacter()
    const instructions = parsed.getInstructions()
    const isCut = instructions.some((instruction) => {
      const { start, end } = instruction.getRange()
      if (heredocEnds.has(start.line + 1)) return false
      const heredocEnd = endOfHeredocs(instruction, escapeChar, lines)
      if (heredocEnd === undefined) return false
      heredocEnds.set(start.line + 1, heredocEnd)
      lines.fill('\n', end.line + 1, heredocEnd)
      return true
    })
    if (isCut) continue
    const syntax = parsed.getDirectives().find((directive) => directive.getName() === 'syntax')
    return { instructions, escapeChar, heredocEnds, ...(syntax && { syntax: syntax.getValue() }) }
  }
}

/** bk: parser/parser.go. Not getArgumentsContent(), which leaves indented comments in. */
export function logicalLineOf(lines: string[], escapeChar: string): string {
  const continuation = escapeChar === '`' ? /(^|[^`])`[ \t]*$/ : /(^|[^\\])\\[ \t]*$/
  return lines
    .filter((line) => !line.trimStart().startsWith('#'))
    .map((line) => line.replace(/[\r\n]+$/, '').replace(continuation, '$1'))
    .join('')
}

/** The line of the last terminator; undefined if there are no heredocs, or one without a terminator. */
function endOfHeredocs(instruction: Instruction, escapeChar: string, lines: string[]): number | undefined {
  const command = instruction instanceof Onbuild ? instruction.getTriggerInstruction() : instruction
  if (LEGACY_FLAGS[command?.getKeyword() ?? ''] === undefined) return undefined

  const logicalLine = logicalLineOf(splitLines(instruction.getTextContent()), escapeChar)
  // after a quote without its partner BuildKit sees no words at all
  if (logicalLine.replaceAll(WORD, '').trim() !== '') return undefined

  const heredocs = (logicalLine.match(WORD) ?? []).map((word) => HEREDOC.exec(word)).filter((match) => match !== null)
  let end = instruction.getRange().end.line + 1
  for (const [, dash, word = ''] of heredocs) {
    const name = word.replaceAll(/\\(.)|["']/g, '$1')
    const isEnd = (line: string) => line.replace(dash ? /^\t+/ : '', '').replace(/[\r\n]+$/, '') === name
    const offset = lines.slice(end).findIndex(isEnd)
    if (offset === -1) return undefined
    end += offset + 1
  }
  return heredocs.length > 0 ? end : undefined
}

/** bk: parser/directives.go. */
const DIRECTIVE = /^(\uFEFF?[ \t]*)#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S+)/

/** The lines for `readSource`, each with its line end. */
function plainLines(text: string): string[] {
  // a CR alone ends a line for the library, but is a blank for docker; the library does not know the other two at all
  const lines = splitLines(text.replaceAll(/\r(?!\n)|[\v\f]/g, ' ').replaceAll('<<', MARK))

  // of the directives, the library stops at blanks after a value, and does not stop at an unknown one
  for (const [index, line] of lines.entries()) {
    const [, before = '', name = '', value = ''] = DIRECTIVE.exec(line) ?? []
    const isDirective = ['check', 'escape', 'syntax'].includes(name.toLowerCase())
    lines[index] = isDirective ? `${before}#${name.toLowerCase()}=${value}\n` : line.replace(/^(\s*)#.*/, '$1#')
    if (!isDirective) break
  }

  // two escapes continue no line, but `a\ \` does (bk: parser/parser.go, lineContinuationRegex); not so in the library
  const escapeChar = DockerfileParser.parse(lines.join('')).getEscapeCharacter() === '`' ? '`' : '\\\\'
  const noContinuation = new RegExp(
    `(?<!${escapeChar})${escapeChar}{2,}(?=\\s*$)|${escapeChar}(?=[ \\t]+${escapeChar}\\s*$)`
  )
  return lines.map((line) => line.replace(noContinuation, '_'))
}

export function splitLines(text: string): string[] {
  return text.split(/(?<=\n)/)
}
