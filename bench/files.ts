import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Reads all files below a folder but git's own, by path. */
export function filesIn(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  const own = paths.filter((path) => !path.startsWith('.git/'))
  return Object.fromEntries(own.map((path) => [path, readFileSync(join(folder, path), 'utf8')]))
}
