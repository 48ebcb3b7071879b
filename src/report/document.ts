import type { Gantt } from './gantt.ts'

/** A part of the summary. All of its texts may come from others: whoever writes them escapes them. */
export type Block =
  | { kind: 'heading'; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'table'; head: string[]; rows: string[][] }
  /** Lines as they are. */
  | { kind: 'output'; title: string; text: string }
  | { kind: 'gantt'; gantt: Gantt }

/** Rows of a list or table, and their bytes: few enough of them stay under the 1 MiB that GitHub takes. */
const MOST_ROWS = 100
const MOST_BYTES = 60_000

/** The first rows, and how many are left out. */
export function firstRows<T>(items: readonly T[], write: (item: T) => string): string[] {
  const shown: string[] = []
  let room = MOST_BYTES
  for (const item of items.slice(0, MOST_ROWS)) {
    const row = write(item)
    room -= Buffer.byteLength(row)
    if (room < 0) break
    shown.push(row)
  }
  return items.length > shown.length ? [...shown, `… and ${items.length - shown.length} more`] : shown
}
