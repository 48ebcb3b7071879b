/**
 * What an instruction takes of the build context, and the hash of it.
 *
 * `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.
 */
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { clean, compileGlob, type FolderMatch, hasWildcard, PatternList } from '../dockerfile/patterns.ts'

/** An entry of the build context that the .dockerignore lets through. */
export interface Entry {
  /** `unknown`: docker may refuse it or does not read it as it is here: a socket, a name that is not UTF-8, an unreadable file. */
  type: 'file' | 'folder' | 'link' | 'unknown'
  /** Permissions with setuid, setgid and sticky bit; without meaning for links. */
  mode: number
  /** Target of a link. */
  target?: string
  /** SHA-256 of a file's content in hex; undefined if it was not read. */
  digest?: string
  /** Content of a folder, sorted by name. */
  children?: Map<string, Entry>
}

/** One source of an instruction. */
export interface Selection {
  /** The named context; by default the build context. */
  context?: string
  /** The path in the context, or a pattern; variables are expanded. */
  source: string
  /** Whether a wildcard in the source counts: not in a mount. */
  wildcards: boolean
  excludes: readonly string[]
  /** COPY --parents: the source may have a pivot `/./`. */
  parents: boolean
}

export interface Taken {
  /** 64 hex */
  hash: string
  /** Paths below the context of files and links, sorted. */
  files: string[]
}

/** What is taken, before it is hashed. */
interface Item {
  /** The path as it counts for the hash. */
  name: string
  path: string
  entry: Entry
}

const MOST_LINKS = 255

/** Returns what a selection takes; undefined if the build fails or this cannot be known (bk: cache/contenthash/checksum.go). */
export function select(root: Entry, { source, wildcards, excludes, parents }: Selection): Item[] | undefined {
  const excluded = new PatternList(excludes)
  if (!excluded.isValid) return undefined
  if (parents) return selectParents(root, source, excluded)
  const path = clean(posix.join('/', source))
  if (wildcards && hasWildcard(path)) return selectPattern(root, path, excluded)
  if (excludes.length === 0) {
    const found = resolve(root, path, true)
    return found && everything(found.entry, found.path, '', [])
  }
  return selectFiltered(root, path, excluded, undefined)
}

/** COPY --parents: every folder above counts, too. */
function selectParents(root: Entry, source: string, excluded: PatternList): Item[] | undefined {
  const [pivot, ...rest] = source.includes('/./') ? source.split('/./') : ['/', source]
  if (hasWildcard(pivot ?? '')) return undefined
  const pattern = clean(posix.join('/', rest.join('/./'))).slice(1)
  const included = new PatternList([pattern])
  return included.isValid ? selectFiltered(root, clean(posix.join('/', pivot ?? '')), excluded, included) : undefined
}

/** bk: includedPaths without wildcard. */
function selectFiltered(
  root: Entry,
  path: string,
  excluded: PatternList,
  included: PatternList | undefined
): Item[] | undefined {
  const found = resolve(root, path, false)
  if (!found) return undefined
  if (found.entry.type !== 'folder') return followed(root, found, '')
  const items: Item[] = []
  const isRoot = path === '/'
  const inside = filtered(root, found, { excluded, included, followsLinks: isRoot })
  if (inside === undefined) return undefined
  if (!isRoot && (included === undefined || inside.length > 0)) items.push({ name: '', ...found })
  return [...items, ...inside]
}

/** bk: includedPaths with a wildcard: links count as their targets where the pattern matches them, and nowhere below. */
function selectPattern(root: Entry, path: string, excluded: PatternList): Item[] | undefined {
  const names = path.slice(1).split('/')
  const first = names.findIndex(hasWildcard)
  const start = resolve(root, `/${names.slice(0, first).join('/')}`, true)
  if (!start) return undefined
  const items: Item[] = []
  const visit = ({ path, entry }: Found, depth: number, name: string): boolean => {
    const matches = compileGlob(names[depth] ?? '')
    for (const [child, childEntry] of entry.children ?? []) {
      if (!matches(child)) continue
      const found = { path: join(path, child), entry: childEntry }
      const below = `${name}/${child}`
      if (depth + 1 < names.length) {
        if (!visit(found, depth + 1, below)) return false
        continue
      }
      const inside =
        childEntry.type === 'folder'
          ? filtered(root, found, { excluded, included: undefined, followsLinks: false }, below)
          : followed(root, found, below)
      if (inside === undefined) return false
      if (childEntry.type === 'folder') items.push({ name: below, ...found })
      items.push(...inside)
    }
    return true
  }
  return visit(start, first, '') ? items : undefined
}

interface Filter {
  excluded: PatternList
  included: PatternList | undefined
  /** Whether links directly in the folder count as their targets. */
  followsLinks: boolean
}

/** Returns what filters leave of a folder's content; a folder counts if something in it does. */
function filtered(root: Entry, folder: Found, filter: Filter, name = ''): Item[] | undefined {
  const { excluded, included, followsLinks } = filter
  const items: Item[] = []
  const visit = (
    { path, entry }: Found,
    below: string,
    above: { excluded?: FolderMatch | undefined; included?: FolderMatch | undefined }
  ): boolean => {
    for (const [child, childEntry] of entry.children ?? []) {
      const candidate = below === '' ? child : `${below}/${child}`
      const found = { path: join(path, child), entry: childEntry }
      const out = excluded.match(candidate, above.excluded)
      const taken = included?.match(candidate, above.included)
      const isTaken = !out.isMatch && taken?.isMatch !== false
      const item = { name: `${name}/${candidate}`, ...found }
      if (childEntry.type === 'folder') {
        const before = items.length
        if (!visit(found, candidate, { excluded: out.each, included: taken?.each })) return false
        if (isTaken || items.length > before) items.splice(before, 0, item)
      } else if (isTaken && followsLinks && below === '') {
        const target = followed(root, found, item.name)
        if (target === undefined) return false
        items.push(...target)
      } else if (isTaken) {
        items.push(item)
      }
    }
    return true
  }
  return visit(folder, '', {}) ? items : undefined
}

/** Returns the target of a link with all that is in it, or the entry itself. */
function followed(root: Entry, found: Found, name: string): Item[] | undefined {
  const target = found.entry.type === 'link' ? resolve(root, found.path, true) : found
  return target && everything(target.entry, target.path, name, [])
}

/** The root itself does not count: its mode is never sent (bk: HandleChange). */
function everything(entry: Entry, path: string, name: string, items: Item[]): Item[] {
  if (path !== '/') items.push({ name, path, entry })
  for (const [child, childEntry] of entry.children ?? []) {
    everything(childEntry, join(path, child), `${name}/${child}`, items)
  }
  return items
}

interface Found {
  /** From the root of the context: `/src/a`. */
  path: string
  entry: Entry
}

/** Finds an entry; links are relative to the context, which nothing leaves (bk: getFollowLinksCallback). */
function resolve(root: Entry, path: string, followsLast: boolean): Found | undefined {
  let rest = path.split('/').filter((name) => name !== '' && name !== '.')
  let above: Found[] = []
  let found: Found = { path: '/', entry: root }
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() ?? ''
    if (name === '..') {
      found = above.pop() ?? found
      continue
    }
    const entry = found.entry.children?.get(name)
    if (entry === undefined) return undefined
    if (entry.type !== 'link' || (!followsLast && rest.length === 0)) {
      above.push(found)
      found = { path: join(found.path, name), entry }
      continue
    }
    if (++links > MOST_LINKS) return undefined
    const target = entry.target ?? ''
    rest = [...target.split('/').filter((part) => part !== '' && part !== '.'), ...rest]
    if (target.startsWith('/')) {
      above = []
      found = { path: '/', entry: root }
    }
  }
  return found
}

function join(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`
}

/** Hashes what was taken; undefined if something of it is not known. */
export function hashItems(items: readonly Item[]): Taken | undefined {
  const hash = createHash('sha256')
  const files: string[] = []
  for (const { name, path, entry } of items) {
    const { type, mode, target = '', digest = '' } = entry
    if (type === 'unknown' || (type === 'file' && digest === '')) return undefined
    hash.update(`${name}\0${type}\0${type === 'link' ? '' : mode.toString(8)}\0${type === 'link' ? target : digest}\0`)
    if (type !== 'folder') files.push(path.slice(1))
  }
  return { hash: hash.digest('hex'), files: sorted(files) }
}

/** Sorts by code units, without duplicates. */
export function sorted(words: Iterable<string>): string[] {
  return [...new Set(words)].sort((a, b) => (a < b ? -1 : 1))
}
