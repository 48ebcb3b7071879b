/**
 * Reads the build context as docker sees it: from the disk, after the .dockerignore.
 *
 * `fs:` cites docker's behaviour in github.com/tonistiigi/fsutil.
 */
import { createHash, hash } from 'node:crypto'
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync
} from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type FolderMatch, ignoreList, type PatternList } from '../dockerfile/patterns.ts'
import { type Entry, hashItems, type Selection, select, type Taken } from './context-tree.ts'

/** The files of a build context, as far as the given instructions take them. */
export interface ContextDescription {
  /** Returns what a selection takes; undefined if this cannot be known. */
  take(selection: Selection): Taken | undefined
}

/**
 * Milliseconds of work at a time: synchronous calls are several times faster than others, but stop everything else in the
 * process.
 */
const SLICE = 15
const CHUNK = 1 << 20

/**
 * Reads the context once, and the content of files that `selections` take. Nothing in the context makes this fail: what
 * cannot be read is unknown, and so is what takes it. Follows no link.
 *
 * Does not see extended attributes, which BuildKit counts except for `security.*` and `system.*`.
 *
 * @param folder the build context
 * @param dockerignore the text of the .dockerignore that applies, see `readDockerignore`
 * @param selections what the instructions take, see `contextSelections`
 */
export async function describeContext(
  folder: string,
  dockerignore: string,
  selections: readonly Selection[]
): Promise<ContextDescription> {
  const pause = pauser()
  const ignored = ignoreList(dockerignore)
  const root: Entry = { type: 'folder', mode: 0, children: new Map() }
  if (selections.length > 0 && ignored.isValid)
    await readFolder(Buffer.from(folder), '', root, ignored, undefined, pause)
  const known = new Map<string, Taken | undefined>()
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (const selection of selections) {
    const key = JSON.stringify(selection)
    if (known.has(key)) continue
    const items = ignored.isValid ? select(root, selection) : undefined
    for (const { path, entry } of items ?? []) {
      if (entry.type !== 'file' || entry.digest !== undefined) continue
      const digest = await digestOf(folder + path, entry.mode, buffer, pause)
      if (digest === undefined) entry.type = 'unknown'
      else entry.digest = digest
      await pause()
    }
    known.set(key, items && hashItems(items))
  }
  return { take: (selection) => known.get(JSON.stringify(selection)) }
}

type Pause = () => Promise<void> | undefined

function pauser(): Pause {
  let end = performance.now() + SLICE
  return () => {
    if (performance.now() < end) return undefined
    return setImmediate().then(() => {
      end = performance.now() + SLICE
    })
  }
}

/** Reads a folder into `entry`; a folder that is ignored is there if something in it is not (fs: filter.go, Walk). */
async function readFolder(
  folder: Buffer,
  below: string,
  entry: Entry,
  ignored: PatternList,
  above: FolderMatch | undefined,
  pause: Pause
): Promise<void> {
  let children: Dirent<Buffer>[]
  try {
    children = readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })
  } catch {
    entry.type = 'unknown'
    return
  }
  const found: [string, Entry][] = []
  for (const { name: bytes } of children) {
    const name = bytes.toString()
    const path = below === '' ? name : `${below}/${name}`
    const { isMatch, each } = ignored.match(path, above)
    const full = Buffer.concat([folder, Buffer.from('/'), bytes])
    const child = Buffer.compare(Buffer.from(name), bytes) === 0 ? readEntry(full) : UNKNOWN()
    if (child.type === 'folder') {
      if (isMatch && !ignored.hasExceptions) continue
      await readFolder(full, path, child, ignored, each, pause)
      // an ignored folder is sent only for the sake of what is in it
      if (isMatch && (child.children?.size ?? 0) === 0) continue
    } else if (isMatch) continue
    found.push([name, child])
    const wait = pause()
    if (wait) await wait
  }
  entry.children = new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const UNKNOWN = (): Entry => ({ type: 'unknown', mode: 0 })

function readEntry(path: Buffer): Entry {
  try {
    const stat = lstatSync(path)
    const mode = stat.mode & 0o7777
    if (stat.isFile()) return { type: 'file', mode }
    if (stat.isDirectory()) return { type: 'folder', mode }
    if (stat.isSymbolicLink()) {
      const bytes = readlinkSync(path, { encoding: 'buffer' })
      const target = bytes.toString()
      if (Buffer.compare(Buffer.from(target), bytes) === 0) return { type: 'link', mode, target }
    }
  } catch {
    // it vanished or cannot be read
  }
  return UNKNOWN()
}

/** Hashes a file; undefined if it cannot be read or is no longer what it was. */
async function digestOf(path: string, mode: number, buffer: Buffer, pause: Pause): Promise<string | undefined> {
  let file: number
  try {
    // a file may have become a link or a pipe since: neither follow the one nor wait for the other
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile() || (stat.mode & 0o7777) !== mode) return undefined
    let length = readSync(file, buffer, 0, CHUNK, null)
    if (length === stat.size && length < CHUNK) return hash('sha256', buffer.subarray(0, length), 'hex')
    const sum = createHash('sha256')
    for (; length > 0; length = readSync(file, buffer, 0, CHUNK, null)) {
      sum.update(buffer.subarray(0, length))
      await pause()
    }
    return sum.digest('hex')
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}
