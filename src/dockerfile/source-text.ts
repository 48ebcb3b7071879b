// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { DockerfileParser, type Instruction, Onbuild } from 'dockerfile-ast'
import { LEGACY_FLAGS } from './instruction.ts'

interface Source {
  instructions: Instruction[]
  escapeChar: string
  syntax?: string
  /** The last line of an instruction's heredocs, by the instruction's line; lines count from 1. */
  heredocEnds: Map<number, number>
}

/** Replaces `<<`, so that the library sees no heredocs; from Unicode's private use area. */
export const MARK = '\uE000'
/** A word with its quotes; a heredoc may have blanks after `<<` (bk: shell/lex.go, processPossibleHeredoc). */
const WORD = new RegExp(`(?:${MARK}\\s*|[^\\s'"\\\\${MARK}]|\\\\[^]?|'[^']*'|"(?:\\\\[^]|[^"\\\\])*")+`, 'g')
const HEREDOC = new RegExp(`^\\d*${MARK}(-?)\\s*([^<${MARK}]+)$`)

/**
 * Parses a copy of the text that replaces everything that the library misreads. The line numbers stay the same.
 * Removes heredocs: the library interprets `<<` in quotes and JSON as a heredoc, but not `3<<EOF` or `<< EOF`.
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

/** Joins continued lines (bk: parser/parser.go). Does not use getArgumentsContent(), which keeps indented comments. */
export function logicalLineOf(lines: string[], escapeChar: string): string {
  const continuation = escapeChar === '`' ? /(^|[^`])`[ \t]*$/ : /(^|[^\\])\\[ \t]*$/
  return lines
    .filter((line) => !line.trimStart().startsWith('#'))
    .map((line) => line.replace(/[\r\n]+$/, '').replace(continuation, '$1'))
    .join('')
}

/** Returns the line of the last terminator, or undefined without heredocs or if a terminator is missing. */
function endOfHeredocs(instruction: Instruction, escapeChar: string, lines: string[]): number | undefined {
  const command = instruction instanceof Onbuild ? instruction.getTriggerInstruction() : instruction
  if (LEGACY_FLAGS[command?.getKeyword() ?? ''] === undefined) return undefined

  const logicalLine = logicalLineOf(splitLines(instruction.getTextContent()), escapeChar)
  // if a quote is not closed, BuildKit finds no words at all
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

/** A parser directive (bk: parser/directives.go). */
const DIRECTIVE = /^(\uFEFF?[ \t]*)#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S+)/

/** Returns the lines for `readSource`, each with its line end. */
function plainLines(text: string): string[] {
  // a single CR ends a line in the library, but is a blank in docker; the library does not treat the other two as blanks
  const lines = splitLines(text.replaceAll(/\r(?!\n)|[\v\f]/g, ' ').replaceAll('<<', MARK))

  // the library stops reading directives at blanks after a value, but not at an unknown directive
  for (const [index, line] of lines.entries()) {
    const [, before = '', name = '', value = ''] = DIRECTIVE.exec(line) ?? []
    const isDirective = ['check', 'escape', 'syntax'].includes(name.toLowerCase())
    lines[index] = isDirective ? `${before}#${name.toLowerCase()}=${value}\n` : line.replace(/^(\s*)#.*/, '$1#')
    if (!isDirective) break
  }

  // two escapes do not continue a line, but `a\ \` does (bk: parser/parser.go, lineContinuationRegex); the library differs
  const escapeChar = DockerfileParser.parse(lines.join('')).getEscapeCharacter() === '`' ? '`' : '\\\\'
  const noContinuation = new RegExp(
    `(?<!${escapeChar})${escapeChar}{2,}(?=\\s*$)|${escapeChar}(?=[ \\t]+${escapeChar}\\s*$)`
  )
  return lines.map((line) => line.replace(noContinuation, '_'))
}

export function splitLines(text: string): string[] {
  return text.split(/(?<=\n)/)
}
