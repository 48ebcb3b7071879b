import { isEngineGone } from './engine/docker.ts'

/**
 * Why a registry did not do what we asked.
 * `absent`: there is no such tag or repository. `refused`: it wants another login, or none of this name exists and it does not say which.
 * `unreachable`: no answer, or an answer that it cannot serve us now. Of all these only that may pass by itself.
 * `untrusted`: its certificate is not accepted, or it speaks no TLS.
 */
export type RegistryError = 'absent' | 'refused' | 'unreachable' | 'untrusted' | 'unknown'

const REFUSED =
  /error getting credentials|executable file not found|unauthorized|authentication required|denied|forbidden|insufficient_scope|no basic auth|invalid_token|\b40[13]\b|authorization failed/i
const UNTRUSTED =
  /x509|certificate|server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i
// 400 of a manifest: of two pushes at once that share a layer the containerd store lets one overtake the other's upload of it
const UNREACHABLE =
  /no answer within|connection refused|connection reset|connection timed out|no such host|server misbehaving|temporary failure in name resolution|\btimeout|timed out|deadline exceeded|unreachable|no route to host|\bEOF\b|broken pipe|tls:|toomanyrequests|too many requests|\b429\b|(status|HTTP|code)\W.{0,20}\b5\d\d\b|(?<!line )\b5\d\d [a-z]|internal server error|INTERNAL_ERROR|use of closed network connection|bad gateway|service unavailable|gateway time-?out|PUT request to \S+\/manifests\/\S+: 400|blob upload unknown|blob unknown|unknown blob|retry-after|error from registry: unknown|unknown error|server closed|transport closing|http2: |GOAWAY|unexpected commit digest|failed size validation/i
const ABSENT =
  /not found|manifest unknown|name unknown|not known to registry|no such (image|manifest)|does not exist|\b404\b/i

/**
 * Tells from what docker or BuildKit printed. They pass on the registry's words (distribution `errcode`), containerd's
 * (`core/remotes/docker`), or those of Go's net package.
 *
 * @param reference the image that was asked for: what its name says is no reason
 */
export function classifyRegistryError(message: string, reference: string): RegistryError {
  // "connection refused" by the engine is nothing that a registry said
  if (isEngineGone(message)) return 'unknown'
  const repository = reference.replace(/(@sha256:[0-9a-f]{64}|:[^:/]*)$/, '')
  const names = [reference, repository, repository.replace(/^[^/]*\//, '')].filter((name) => name !== '')
  // as a word of its own: an image may be named "author"
  const text = names.reduce(
    (rest, name) => rest.replace(new RegExp(`(?<!\\w)${RegExp.escape(name)}(?!\\w)`, 'g'), ''),
    // a registry's own state in an upload's URL is letters at random
    message.replaceAll(/\?_state=\S+/g, '')
  )
  if (REFUSED.test(text)) return 'refused'
  if (UNTRUSTED.test(text)) return 'untrusted'
  if (UNREACHABLE.test(text)) return 'unreachable'
  return ABSENT.test(text) ? 'absent' : 'unknown'
}

/** The message, if what it says may pass by itself: then it is worth asking again. */
export function passingFailure(message: string | undefined, reference: string): string | undefined {
  return message !== undefined && classifyRegistryError(message, reference) === 'unreachable' ? message : undefined
}

/** One sentence for a cache source that could not be read; undefined where that is no problem. */
export function describeUnreadable(reference: string, text: string): string | undefined {
  switch (classifyRegistryError(text, reference)) {
    case 'absent':
      return undefined
    case 'refused':
      return `The registry refused us ${reference}, so nothing of it was reused: log in to the registry first, with a token that may read it; if nothing was ever published there, some registries answer like this too (${text})`
    case 'untrusted':
      return `The registry of ${reference} is not trusted, so nothing of it was reused: give the engine its certificate (${text})`
    case 'unreachable':
      return `The registry could not be reached for ${reference}, so nothing of it was reused (${text})`
    case 'unknown':
      return `${reference} could not be read as a cache, so nothing of it was reused (${text})`
  }
}

/** One sentence for a push that failed. */
export function describeFailedPush(reference: string, text: string): string {
  switch (classifyRegistryError(text, reference)) {
    case 'refused':
      // registries say "denied" to whom they know, and "unauthorized" to whom they do not
      return /denied|forbidden|\b403\b|insufficient_scope/i.test(text.replaceAll(reference, '')) &&
        !/invalid_token/.test(text)
        ? `The registry refused the push of ${reference}: log in to it before this step, with a token that may write to this repository (on ghcr.io the job needs permissions: packages: write) (${text})`
        : `The registry refused the push of ${reference}: log in to it before this step; the user name or the token is missing, wrong or expired (on ghcr.io the job needs permissions: packages: write) (${text})`
    case 'untrusted':
      return `The registry of ${reference} is not trusted, so it was not pushed: give the engine its certificate (${text})`
    case 'unreachable':
      return `The registry could not be reached to push ${reference}, or cannot store it now (${text})`
    case 'absent':
      return `${reference} could not be pushed: the registry has no such repository, and does not make one by itself; create it first (${text})`
    case 'unknown':
      return `${reference} could not be pushed (${text})`
  }
}
