/**
 * Which files of the build context a COPY reads.
 *
 * What docker does is cited as `bk:` github.com/moby/buildkit at 73ed682.
 */
import { readFile, realpath } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import ignore from '@balena/dockerignore'

/** A component of a source: its text, and which names it takes. */
interface Component {
  text: string
  takes: (name: string) => boolean
}

/** Stands for what is in a folder of which only the name is known. */
const ANY_FILE = 'any file'

/**
 * Paths among `paths` that are in the build context and that one of `sources` takes. '.' and '/' take all; a leading
 * '/' or './' counts nothing.
 *
 * A path that ends in '/' is a folder of unknown content; it is taken if a file in it may be. Of a folder that the
 * .dockerignore excludes, the files it makes exceptions of are seen only where a source names them.
 *
 * A source is a path or, with a wildcard, a pattern of Go's path.Match, to which `**` is no more than `*` (bk:
 * cache/contenthash/checksum.go, includedPaths). COPY --parents, where it is more, is not known here. Links are not
 * followed: see `followLinks`.
 *
 * @param paths below the build context, '/'-separated
 * @param sources as docker sees them: without quotes, variables replaced
 * @param excludes values of COPY --exclude: patterns as in a .dockerignore, but below what the source takes; what the
 *   source takes itself they do not exclude (bk: the same, shouldIncludePath)
 * @param dockerignore the text of the file
 */
export function takenFrom(paths: string[], sources: string[], excludes: string[], dockerignore: string): string[] {
  const isIgnored = matcher(dockerignore.replace(/^\uFEFF/, '').split(/\r?\n/))
  const isExcluded = matcher(excludes)
  const patterns = sources.map(readSource)
  return paths.filter((path) =>
    patterns.some((pattern) => {
      const file = takenFile(path, pattern)
      return file !== undefined && !isIgnored(file.join('/')) && !isExcluded(file.slice(pattern.length).join('/'))
    })
  )
}

/**
 * The text of the .dockerignore that is in force: `FILE.dockerignore` beside the Dockerfile or, if there is none, that
 * of the context (bk: frontend/dockerui/config.go). The legacy builder knows the second only. '' without any.
 */
export async function readDockerignore(contextFolder: string, file: string): Promise<string> {
  for (const path of [`${file}.dockerignore`, join(contextFolder, '.dockerignore')]) {
    // docker, too, goes on without one that cannot be read (bk: the same)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}

/** The path if a pattern takes it; for a folder a file in it that the pattern may take. */
function takenFile(path: string, pattern: Component[]): string[] | undefined {
  const isFolder = path.endsWith('/')
  const names = (isFolder ? path.slice(0, -1) : path).split('/')
  if (!names.every((name, index) => pattern[index]?.takes(name) ?? true)) return undefined
  const rest = pattern.slice(names.length).map(({ text }) => text)
  if (!isFolder) return rest.length > 0 ? undefined : names
  return [...names, ...(rest.length > 0 ? rest : [ANY_FILE])]
}

/**
 * Where those sources lead that are links, or below one: docker copies what a link leads to if a source names it. What
 * leads out of the context is left out, as are sources with a wildcard.
 *
 * @returns by source, the path below the context; none for a source that is what it says
 */
export async function followLinks(context: string, sources: readonly string[]): Promise<Map<string, string[]>> {
  const top = await realpath(context)
  const links = new Map<string, string[]>()
  for (const source of sources) {
    const path = join(top, posix.normalize(`/${source}`)).replace(/\/$/, '')
    const target = await realpath(path).catch(() => undefined)
    if (target?.startsWith(top + sep) && target !== path) links.set(source, [relative(top, target)])
  }
  return links
}

function readSource(source: string): Component[] {
  const components = posix
    .normalize(`/${source}`)
    .split('/')
    .filter((name) => name !== '')
  // a backslash takes the special meaning from the next character, but not in a path without wildcards (bk: the same)
  const hasWildcard = /[*?[]/.test(source.replace(/\\./gs, ''))
  return components.map((text) => {
    if (!hasWildcard) return { text, takes: (name) => name === text }
    const pattern = toRegExp(text)
    return { text, takes: (name) => pattern.test(name) }
  })
}

/** One component of a pattern of Go's path.Match, which has no `**`; a malformed one, as to Go, takes nothing. */
function toRegExp(component: string): RegExp {
  const body = component.replace(
    /\\(.)|(\*+)|(\?)|\[(\^?)((?:\\.|[^\\\]])+)\]|./gsu,
    (token, escaped?: string, star?: string, any?: string, not?: string, characters?: string) => {
      if (star) return '.*'
      if (any) return '.'
      if (characters) return `[${not}${characters.replace(/\\?(.)/gsu, inSet)}]`
      return (escaped ?? token).replace(/[\\^$.*+?()[\]{}|]/, '\\$&')
    }
  )
  try {
    return new RegExp(`^${body}$`, 'su')
  } catch {
    return /(?!)/
  }
}

/** A character between the brackets of a pattern, for those of a RegExp; a bare '-' is a range in both. */
function inSet(token: string, character: string): string {
  return token !== '-' && /[\\\]^-]/.test(character) ? `\\${character}` : character
}

/** Whether a path, or a folder it is in, matches patterns as in a .dockerignore. */
function matcher(patterns: string[]): (path: string) => boolean {
  // the typed export of this CommonJS module is its property `default`, in Node and in the bundle
  const rules = ignore.default({ ignorecase: false })
  for (const pattern of patterns) {
    // these mean nothing to docker, but the library leaves them to RegExp (github.com/moby/patternmatcher, shouldEscape)
    const escaped = pattern.replace(/(\\.)|[+(){}|]/g, (token, pair?: string) => pair ?? `\\${token}`)
    if (isValid(escaped)) rules.add([escaped])
  }
  return (path) => path !== '' && rules.ignores(path)
}

/** docker refuses to build with a malformed pattern; the library throws when it first uses one. */
function isValid(pattern: string): boolean {
  try {
    ignore.default().add([pattern]).ignores('a')
    return true
  } catch {
    return false
  }
}
