import { show } from '../lib/text.ts'
/**
 * Names of images, as in github.com/distribution/reference, whose grammar docker itself uses: `regexp.go` (the
 * grammar), `reference.go` (lengths, digests) and `normalize.go` (registries, and short names of Docker Hub).
 */

/** A name is not valid in any registry. The message is one sentence: what is wrong and what would be right. */
export class ImageRefError extends Error {
  override name = 'ImageRefError'
}

/** `repository` is verbatim; `registry` and `path` are as docker completes them (`docker.io`, `library/app`). */
export interface Repository {
  registry: string
  path: string
  repository: string
}

/** A verbatim reference, without the defaults that docker adds: `tag` is undefined if the text has none. */
export interface Reference {
  repository: string
  tag?: string
  digest?: string
  reference: string
}

const MAX_PATH = 255
const HOST_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const REGISTRY = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`)
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
/** The digests that go-digest supports: algorithm and number of lower-case hex digits. */
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/

/** Docker interprets such a name as an image id everywhere. */
const IMAGE_ID = /^[a-f0-9]{64}$/
const TAG_RULE = "a tag is 1 to 128 letters, digits, '_', '.' or '-', and does not begin with '.' or '-'"

/**
 * Parses a repository to publish to, without tag or digest: `ghcr.io/octo/app`, `octo/app`, `localhost:5000/app`.
 *
 * @throws ImageRefError
 */
export function parseRepository(text: string): Repository {
  const { name, tag, digest } = split(text)
  if (isBareRegistry(text, name, tag)) {
    throw new ImageRefError(`${show(text)} is a registry without a repository; add one: ${show(`${text}/app`)}`)
  }
  const repository = parseName(name)
  if (tag !== undefined || digest !== undefined) {
    const extra = tag === undefined ? 'digest' : 'tag'
    throw new ImageRefError(`${show(text)} has a ${extra}; give the repository alone: ${show(name)}`)
  }
  if (IMAGE_ID.test(text)) {
    throw new ImageRefError(`${text} reads as an image's id; put a registry before it: docker.io/${text}`)
  }
  return repository
}

/**
 * Parses a reference with an optional tag and digest: `ghcr.io/octo/app:1.2`, `app`, `app@sha256:…`.
 *
 * @throws ImageRefError
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = split(text)
  if (tag === undefined && digest === undefined) parseRepository(text)
  else parseName(name)
  if (tag !== undefined && !isTag(tag)) throw new ImageRefError(`${show(text)} has no valid tag; ${TAG_RULE}`)
  if (digest !== undefined && !DIGEST.test(digest)) {
    throw new ImageRefError(
      `${show(text)} has no valid digest; a digest is sha256: and 64 lower-case hex digits (or sha384, sha512)`
    )
  }
  return {
    repository: name,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    reference: text
  }
}

/** Returns whether a text is a valid tag by the OCI distribution specification ("Pulling manifests"). */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Returns whether `parseReference` accepts a text. */
export function isReference(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}

/**
 * Returns the full reference for one item of the input `tags`: either a full reference with a tag (of any repository, as
 * docker/metadata-action prints them) or only a tag of `repository`. A tag never contains `/`, `:` or `@`, so an item
 * with one of them is a reference.
 *
 * @throws ImageRefError
 */
export function resolveTag(repository: string, text: string): string {
  if (/[/:@]/.test(text)) {
    const { tag, digest, reference } = parseReference(text)
    if (digest !== undefined) {
      throw new ImageRefError(`${show(text)} has a digest; an image is pushed to a tag: ${show(`${repository}:1.2`)}`)
    }
    if (tag === undefined)
      throw new ImageRefError(
        `${show(text)} has no tag; write a tag's name, which has no '/', or add a tag: ${show(`${text}:1.2`)}`
      )
    return reference
  }
  if (!isTag(text)) throw new ImageRefError(`${show(text)} is not a tag; ${TAG_RULE}`)
  return parseReference(`${repository}:${text}`).reference
}

/**
 * Returns whether two references name the same image in the same registry. Completes them as docker does (`app` is
 * `docker.io/library/app`, `index.docker.io` is `docker.io`, the default tag is `latest`, and a digest takes precedence
 * over a tag: `ParseDockerRef`), ignores the case of host names, and treats port 443 as the default.
 *
 * @throws ImageRefError if one of them is not a valid reference
 */
export function sameReference(a: string, b: string): boolean {
  return canonical(a) === canonical(b)
}

/** Returns whether two references name images of the same repository. */
export function sameRepository(a: string, b: string): boolean {
  return canonicalRepository(a) === canonicalRepository(b)
}

function canonical(text: string): string {
  const { tag, digest } = parseReference(text)
  const name = canonicalRepository(text)
  return digest === undefined ? `${name}:${tag ?? 'latest'}` : `${name}@${digest}`
}

function canonicalRepository(text: string): string {
  const { registry, path } = parseName(parseReference(text).repository)
  return `${registry.toLowerCase().replace(/:443$/, '')}/${path}`
}

/** Splits `name[:tag][@digest]`, and rejects texts that no name could contain. */
function split(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  if (text === '') throw new ImageRefError('The image name is empty; give one such as ghcr.io/octo/app')
  // The message omits the text: a user name and a password precede such an '@'.
  if (text.includes('@') && text.lastIndexOf('/') > text.indexOf('@')) {
    throw new ImageRefError("The image name has an '@' before a '/'; log in separately and write ghcr.io/octo/app")
  }
  if (/[\p{Z}\p{Cc}]/u.test(text)) {
    throw new ImageRefError(`${show(text)} has white space or a control character; an image name has none`)
  }
  const [scheme] = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text) ?? []
  if (scheme) {
    throw new ImageRefError(
      `${show(text)} is a URL; leave out ${show(scheme)} and give an image name: ${show(text.slice(scheme.length))}`
    )
  }
  // Docker would interpret it as an option.
  if (text.startsWith('-')) {
    throw new ImageRefError(`${show(text)} begins with '-'; an image name begins with a letter or a digit`)
  }
  const [whole = '', digest] = cut(text, text.indexOf('@'))
  // A colon before the last slash belongs to a port or an IPv6 address.
  const [name = '', tag] = cut(whole, whole.indexOf(':', whole.lastIndexOf('/') + 1))
  return { name, tag, digest }
}

/** Returns whether a text is only a registry. In the grammar, `localhost:5000` is an image with a tag, but users never mean that. */
function isBareRegistry(text: string, name: string, tag: string | undefined): boolean {
  if (text.startsWith('[')) return REGISTRY.test(text)
  return (name === 'localhost' || name.includes('.')) && !name.includes('/') && /^[0-9]+$/.test(tag ?? '')
}

function cut(text: string, index: number): [string, string?] {
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

function parseName(name: string): Repository {
  if (name === '') throw new ImageRefError('The repository is missing before the tag or digest; write ghcr.io/octo/app')
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isRegistry = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase()
  if (isRegistry && !REGISTRY.test(first)) {
    throw new ImageRefError(
      `${show(first)} in ${show(name)} is not a registry; write a host name, if need be with a port: registry.example.com:5000`
    )
  }
  const rest = isRegistry ? name.slice(slash + 1) : name
  const registry = !isRegistry || first === 'index.docker.io' ? 'docker.io' : first
  const path = registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest
  const wrong = path.split('/').find((component) => !COMPONENT.test(component))
  if (wrong !== undefined) throw new ImageRefError(explain(name, rest, wrong))
  if (path.length > MAX_PATH) {
    throw new ImageRefError(
      `${show(name)} has ${path.length} characters after its registry; at most ${MAX_PATH} are allowed`
    )
  }
  return { registry, path, repository: name }
}

function explain(name: string, rest: string, wrong: string): string {
  if (wrong.includes(':')) {
    const [before = '', tag = ''] = cut(name, name.indexOf(':', name.length - rest.length))
    return `${show(name)} has a '/' in its tag; write another character: ${show(`${before}:${tag.replaceAll('/', '-')}`)}`
  }
  if (rest.split('/').every((component) => COMPONENT.test(component.toLowerCase()))) {
    return `${show(name)} has upper-case letters; registries allow lower case only: ${show(name.toLowerCase())}`
  }
  if (wrong === '') {
    return `${show(name)} has an empty part; write one '/' between two parts, and none at either end`
  }
  return (
    `${show(wrong)} in ${show(name)} is not allowed; write lower-case letters and digits, ` +
    "with '.', '_', '__' or '-' between them"
  )
}

/** Compares names, which may be any text, like `sameReference`; false if one is not a reference. */
export function sameImage(a: string, b: string): boolean {
  return isReference(a) && isReference(b) && sameReference(a, b)
}

/** Returns whether a registry can mount layers of one image for the other: it holds both, in two repositories. */
export function isMountSource(source: string, target: string): boolean {
  if (!isReference(source) || !isReference(target) || sameRepository(source, target)) return false
  const [from, to] = [source, target].map((one) => canonicalRepository(one).replace(/\/.*$/, ''))
  return from === to
}
