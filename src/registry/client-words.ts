import { isEngineGone } from '../docker/errors.ts'
import type { FailureKind, RegistryFailure } from './failure.ts'
import { repositoryOf } from './reference.ts'

const REFUSED =
  /error getting credentials|executable file not found|unauthorized|authentication required|denied|forbidden|insufficient_scope|no basic auth|invalid_token|\b40[13]\b|authorization failed/i
const UNTRUSTED =
  /x509|certificate|server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i
// HTTP 400 on a manifest: with the containerd store, one of two concurrent pushes may overtake the other's upload of a shared layer
const UNREACHABLE =
  /no answer within|connection refused|connection reset|connection timed out|no such host|server misbehaving|temporary failure in name resolution|\btimeout|timed out|deadline exceeded|unreachable|no route to host|\bEOF\b|broken pipe|tls:|toomanyrequests|too many requests|\b429\b|(status|HTTP|code)\W.{0,20}\b5\d\d\b|(?<!line )\b5\d\d [a-z]|internal server error|INTERNAL_ERROR|use of closed network connection|bad gateway|service unavailable|gateway time-?out|PUT request to \S+\/manifests\/\S+: 400|blob upload unknown|blob unknown|unknown blob|retry-after|error from registry: unknown|unknown error|server closed|transport closing|http2: |GOAWAY|unexpected commit digest|failed size validation/i
const ABSENT =
  /not found|manifest unknown|name unknown|not known to registry|no such (image|manifest)|does not exist|\b404\b/i

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
    case 'unknown':
      return `${reference} could not be read as a cache; continuing without it (${message})`
  }
}
