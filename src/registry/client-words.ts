import { isEngineGone } from '../docker/errors.ts'
import { type FailureKind, isImmutableTag, type RegistryFailure } from './failure.ts'
import { repositoryOf } from './reference.ts'

/**
 * Matches a status where docker, BuildKit and containerd print one: `HTTP status: 520`, `error parsing HTTP 403 response body`,
 * `unexpected status from PUT request to URL: 403 Forbidden`, `unexpected status code [manifests latest]: 401`. Other numbers are
 * sizes, ports and ids.
 */
function statusIn(codes: string): string {
  return String.raw`(?:\b(?:status|http|code)\b[^\n\d]{0,80}|request to \S+: |\]: )(?:${codes})\b(?! ?!=)`
}

const LIMITED = /toomanyrequests|too many requests|retry-after: |rate limit/i
const REFUSED = new RegExp(
  `error getting credentials|executable file not found|unauthorized|authentication required|denied|forbidden|insufficient_scope|no basic auth|invalid_token|authorization failed|${statusIn('401|403')}`,
  'i'
)
const UNTRUSTED =
  /x509|certificate|server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i
// HTTP 400 on a manifest: with the containerd store, one of two concurrent pushes may overtake the other's upload of a shared layer
const UNREACHABLE = new RegExp(
  String.raw`no answer within|connection refused|connection reset|connection timed out|no such host|server misbehaving|temporary failure in name resolution|\btimeout|timed out|deadline exceeded|unreachable|no route to host|\bEOF\b|broken pipe|tls:|${statusIn(String.raw`408|425|429|5\d\d`)}|(?<!line )\b5\d\d (?!bytes)[a-z]|internal server error|INTERNAL_ERROR|use of closed network connection|bad gateway|service unavailable|gateway time-?out|PUT request to \S+\/manifests\/\S+: 400|blob upload unknown|blob unknown|unknown blob|error from registry: unknown|unknown error|server closed|transport closing|transport is closing|transport connection broken|error while dialing|http2: |GOAWAY|unexpected commit digest|failed size validation`,
  'i'
)
const ABSENT = new RegExp(
  `not found|manifest unknown|name unknown|not known to registry|no such (image|manifest)|does not exist|${statusIn('404')}`,
  'i'
)

/**
 * Classifies an error message of docker or BuildKit. They pass on messages of the registry (distribution `errcode`), of
 * containerd (`core/remotes/docker`) and of Go's net package.
 *
 * @param reference the requested image: its name is not part of the error
 */
export function classifyRegistryError(message: string, reference: string): FailureKind {
  // "connection refused" by the engine is not an error of the registry
  if (isEngineGone(message)) return 'unknown'
  const repository = repositoryOf(reference)
  const names = [reference, repository, repository.replace(/^[^/]*\//, '')].filter((name) => name !== '')
  // match whole words only: an image may be named "author"
  const text = names.reduce(
    (rest, name) => rest.replace(new RegExp(`(?<!\\w)${RegExp.escape(name)}(?!\\w)`, 'g'), ''),
    // the registry's state in an upload URL consists of random letters
    message.replaceAll(/\?_state=\S+/g, '')
  )
  if (isImmutableTag(text)) return 'immutable'
  // GitHub's secondary rate limit is a 403 with a pause
  if (LIMITED.test(text)) return 'unreachable'
  if (REFUSED.test(text)) return 'refused'
  if (UNTRUSTED.test(text)) return 'untrusted'
  if (UNREACHABLE.test(text)) return 'unreachable'
  return ABSENT.test(text) ? 'absent' : 'unknown'
}

/** Converts an error message of docker or BuildKit about a registry to a failure. */
export function failureOfWords(text: string, reference: string): RegistryFailure {
  const pause = askedPause(text)
  return { kind: classifyRegistryError(text, reference), message: text, ...(pause > 0 && { pause }) }
}

/** The status with which a registry rejected a manifest. */
const REJECTED_MANIFEST = /PUT request to \S+\/manifests\/\S+: (400|403|405|409|412)\b/

/**
 * Returns the status with which a registry rejected a manifest, if that is all that the engine reports: with the containerd store
 * before Docker 28 it reports neither code nor message of the registry (containerd remotes/docker/pusher.go).
 */
export function statusOfRejectedManifest(message: string): number | undefined {
  const [, status] = REJECTED_MANIFEST.exec(message) ?? []
  return status === undefined ? undefined : Number(status)
}

/** Returns the failure if it is a transient error, which is worth a retry. */
export function transientFailure(failure: RegistryFailure | undefined): RegistryFailure | undefined {
  return failure?.kind === 'unreachable' ? failure : undefined
}

/** Maximum pause that a registry may request, in milliseconds. */
const LONGEST_PAUSE = 60_000

/** Returns the pause in milliseconds that the text of a 429 requests, as ghcr.io's does: `retry-after: 1.5s`, a duration in Go's format. */
export function askedPause(text: string): number {
  const [, duration = ''] = /retry-after: ((?:\d+(?:\.\d+)?(?:ms|µs|us|ns|h|m|s))+)/i.exec(text) ?? []
  const units: Record<string, number> = {
    h: 3_600_000,
    m: 60_000,
    s: 1_000,
    ms: 1,
    µs: 0.001,
    us: 0.001,
    ns: 0.000_001
  }
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|µs|us|ns|h|m|s)/g)]
  const sum = parts.reduce((total, [, number, unit = '']) => total + Number(number) * (units[unit] ?? 0), 0)
  return Math.min(Math.ceil(sum), LONGEST_PAUSE)
}

/** Returns one sentence about a cache source that could not be read, or undefined if this is not a problem. */
export function describeUnreadable(reference: string, { kind, message }: RegistryFailure): string | undefined {
  switch (kind) {
    case 'absent':
      return undefined
    case 'refused':
      return `Access denied to ${reference}; continuing without its cache: log in to the registry first, with a token that may read it. Some registries also answer so if nothing was ever published there (${message})`
    case 'untrusted':
      return `The registry of ${reference} is not trusted; continuing without its cache: give the engine its certificate (${message})`
    case 'unreachable':
      return `The registry of ${reference} could not be reached; continuing without its cache (${message})`
    case 'immutable':
    case 'unknown':
      return `${reference} could not be read as a cache; continuing without it (${message})`
  }
}
