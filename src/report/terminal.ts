import { harmless, shortened } from '../lib/text.ts'
import { type Block, firstRows } from './document.ts'
import type { Gantt } from './gantt.ts'

/** Writes the summary as plain text for a terminal, without control characters from untrusted text. */
export function plainText(blocks: readonly Block[]): string {
  return `${blocks.map((block) => write(block).map(harmless).join('\n')).join('\n\n')}\n`
}

function write(block: Block): string[] {
  switch (block.kind) {
    case 'heading':
    case 'paragraph':
      return [block.text]
    case 'list':
      return firstRows(block.items, (item) => `- ${item}`)
    case 'table':
      return aligned([block.head.map((word) => word.toUpperCase()), ...block.rows])
    case 'output':
      return [`${block.title}:`, ...block.text.split('\n').map((line) => `    ${line}`)]
    case 'gantt':
      return bars(block.gantt)
  }
}

/** Maximum characters of a cell: a wide one would push all others out of sight. */
const WIDEST_CELL = 60

function aligned(all: readonly string[][]): string[] {
  // the last column pushes no other
  const rows = all.map((row) =>
    row.map((cell, column) => (column < row.length - 1 ? shortened(cell, WIDEST_CELL) : cell))
  )
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return firstRows(rows, (row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  )
}

/** Characters that represent the duration of the whole run. */
const WIDTH = 40

function bars({ sections, more }: Gantt): string[] {
  const tasks = sections.flatMap((section) => section.tasks)
  const end = Math.max(...tasks.map(({ start, seconds }) => start + seconds))
  const place = (seconds: number): number => Math.round((seconds / end) * WIDTH)
  const rows = tasks.map(({ name, start, seconds }) => {
    const bar = '█'.repeat(Math.max(1, place(start + seconds) - place(start)))
    return [
      `${' '.repeat(Math.min(place(start), WIDTH - 1))}${bar}`.padEnd(WIDTH),
      `${seconds.toFixed(1)} s`.padStart(8),
      name
    ]
  })
  return [...aligned(rows), ...(more > 0 ? [`… and ${more} more`] : [])]
}
