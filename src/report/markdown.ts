import { shortened } from '../lib/text.ts'
import { type Block, firstRows } from './document.ts'
import { mermaidOf } from './gantt.ts'

const MOST_OF_A_CELL = 200
const MOST_OF_A_SENTENCE = 1_000
const MOST_OF_AN_OUTPUT = 20_000

/** Writes GitHub-flavoured Markdown for the job summary: untrusted text appears verbatim, never as HTML or Markdown. */
export function markdown(blocks: readonly Block[]): string {
  return `${blocks.map(write).join('\n\n')}\n`
}

function write(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `### ${text(block.text)}`
    case 'paragraph':
      return text(block.text)
    case 'list':
      return firstRows(block.items, (item) => `- ${text(item)}`).join('\n')
    case 'table':
      return [
        `| ${block.head.join(' | ')} |`,
        `|${' --- |'.repeat(block.head.length)}`,
        ...firstRows(
          block.rows,
          (row) => `| ${row.map((value, index) => cell(value, index === row.length - 1)).join(' | ')} |`
        )
      ].join('\n')
    case 'output':
      return `${text(block.title)}:\n\n${fenced(shortened(block.text, MOST_OF_AN_OUTPUT))}`
    case 'gantt':
      return fenced(mermaidOf(block.gantt), 'mermaid')
  }
}

/** Characters with a meaning in Markdown or HTML: anywhere, at the start of a line, or in a web address. */
const MARKUP = /[&<>\\`*_{}[\]()#+!|~@]|^-|(?<=^\d+)\.(?=\s|$)|(?<=www)\.|:(?=\/\/)/gi

function text(value: string): string {
  return shortened(value, MOST_OF_A_SENTENCE)
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .replaceAll(MARKUP, (character) => `&#${character.codePointAt(0)};`)
}

/** Writes a table cell; only the last column may be wide. */
function cell(value: string, isLast: boolean): string {
  return text(shortened(value, isLast ? MOST_OF_A_SENTENCE : MOST_OF_A_CELL))
}

/** Writes a code block whose fence is longer than any within it. */
function fenced(lines: string, language = ''): string {
  const longest = Math.max(2, ...[...lines.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${lines.replaceAll(/(?!\n)[\p{Cc}\u2028\u2029]/gu, ' ')}\n${fence}`
}
