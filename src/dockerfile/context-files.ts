/**
 * Finds the files of the build context that a COPY reads.
 *
 * `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.
 */
import { readFile, realpath } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import ignore from '@balena/dockerignore'

/** A component of a source: its text, and the names that it matches. */
interface Component {
  text: string
  takes: (name: string) => boolean
}

/** Placeholder for the content of a folder of which only the name is known. */
const ANY_FILE = 'any file'

/**
 * Returns those of `paths` that are in the build context and that one of `sources` matches. '.' and '/' match all paths;
 * a leading '/' or './' has no effect.
 *
 * A path that ends in '/' is a folder of unknown content; it matches if a file in it may match. If the .dockerignore
 * excludes a folder with exceptions, a source matches the excepted files only if it names them.
 *
 * A source is a path or, with a wildcard, a pattern of Go's path.Match, in which `**` means the same as `*` (bk:
 * cache/contenthash/checksum.go, includedPaths). This function does not support COPY --parents, where `**` means more.
 * It does not follow links: see `followLinks`.
 *
 * @param paths below the build context, '/'-separated
 * @param sources as docker processes them: without quotes, with expanded variables
 * @param excludes values of COPY --exclude: patterns as in a .dockerignore, but relative to the path that the source
 *   matches; they do not exclude this path itself (bk: the same, shouldIncludePath)
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
 * Reads the .dockerignore that applies: `FILE.dockerignore` beside the Dockerfile or, if this does not exist, the one in
 * the context (bk: frontend/dockerui/config.go). The legacy builder uses only the second. Returns '' if neither exists.
 */
export async function readDockerignore(contextFolder: string, file: string): Promise<string> {
  for (const path of [`${file}.dockerignore`, join(contextFolder, '.dockerignore')]) {
    // docker also ignores a file that it cannot read (bk: the same)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}

/** Returns the path if a pattern matches it; for a folder, a file in it that the pattern may match. */
function takenFile(path: string, pattern: Component[]): string[] | undefined {
  const isFolder = path.endsWith('/')
  const names = (isFolder ? path.slice(0, -1) : path).split('/')
  if (!names.every((name, index) => pattern[index]?.takes(name) ?? true)) return undefined
  const rest = pattern.slice(names.length).map(({ text }) => text)
  if (!isFolder) return rest.length > 0 ? undefined : names
  return [...names, ...(rest.length > 0 ? rest : [ANY_FILE])]
}

/**
 * Resolves the sources that are links or below a link: docker copies the target of a link that a source names. Omits
 * targets outside the context, and sources with a wildcard.
 *
 * @returns by source, the path below the context; a source without a link has no entry
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
  // a backslash escapes the next character, but not in a path without wildcards (bk: the same)
  const hasWildcard = /[*?[]/.test(source.replace(/\\./gs, ''))
  return components.map((text) => {
    if (!hasWildcard) return { text, takes: (name) => name === text }
    const pattern = toRegExp(text)
    return { text, takes: (name) => pattern.test(name) }
  })
}

/** Converts one component of a pattern of Go's path.Match, which has no `**`. As in Go, a malformed one matches nothing. */
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

/** Converts a character in a bracket expression of a pattern for a RegExp; an unescaped '-' is a range in both. */
function inSet(token: string, character: string): string {
  return token !== '-' && /[\\\]^-]/.test(character) ? `\\${character}` : character
}

/** Returns a function that tells whether a path, or a folder that contains it, matches patterns as in a .dockerignore. */
function matcher(patterns: string[]): (path: string) => boolean {
  // the typed export of this CommonJS module is its property `default`, in Node and in the bundle
  const rules = ignore.default({ ignorecase: false })
  for (const pattern of patterns) {
    // docker takes these literally, but the library passes them to RegExp (github.com/moby/patternmatcher, shouldEscape)
    const escaped = pattern.replace(/(\\.)|[+(){}|]/g, (token, pair?: string) => pair ?? `\\${token}`)
    if (isValid(escaped)) rules.add([escaped])
  }
  return (path) => path !== '' && rules.ignores(path)
}

/** Returns whether a pattern is well-formed: docker rejects a malformed one, and the library throws when it first uses it. */
function isValid(pattern: string): boolean {
  try {
    ignore.default().add([pattern]).ignores('a')
    return true
  } catch {
    return false
  }
}
