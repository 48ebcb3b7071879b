import type { Gantt } from './gantt.ts'

/** A part of the summary. All of its texts may be untrusted: the code that writes them must escape them. */
export type Block =
  | { kind: 'heading'; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'table'; head: string[]; rows: string[][] }
  /** Verbatim lines. */
  | { kind: 'output'; title: string; text: string }
  | { kind: 'gantt'; gantt: Gantt }

/** Maximum rows of a list or table, and their bytes, so that the summary stays below GitHub's limit of 1 MiB. */
const MOST_ROWS = 100
const MOST_BYTES = 60_000

/** Returns the first rows, and the number of omitted rows. */
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
