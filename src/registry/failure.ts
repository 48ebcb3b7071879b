/**
 * Why a request to a registry failed.
 * `absent`: the tag, digest or repository does not exist. `refused`: the credentials are missing, wrong or not sufficient;
 * some registries return the same error for a repository that does not exist. `unreachable`: a transient error, the only
 * kind that is worth a retry. `untrusted`: the registry's certificate is not accepted, or it does not support TLS.
 * `immutable`: the tag names another manifest, and the registry does not let it change.
 */
export type FailureKind = 'absent' | 'refused' | 'unreachable' | 'untrusted' | 'immutable' | 'unknown'

/** A failed request to a registry. */
export interface RegistryFailure {
  kind: FailureKind
  /** The error for users: a status and the registry's message, or the error of the connection. Contains no credentials. */
  message: string
  /** Milliseconds that the registry requests to wait before the next request. */
  pause?: number
  /** Whether the docker client may succeed although this request failed: its network, certificates and credential helpers may differ. */
  clientMaySucceed?: boolean
}

/** A value, or the failure to obtain it. */
export type Answer<T> = { value: T; failure?: undefined } | { value?: undefined; failure: RegistryFailure }

/** An error that only this folder throws and catches; `answer` converts it to data. */
export class RegistryError extends Error {
  readonly failure: RegistryFailure

  constructor(failure: RegistryFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/** Returns the result of `work` as data, also if it fails with a RegistryError. */
export async function answer<T>(work: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work }
  } catch (error) {
    if (error instanceof RegistryError) return { failure: error.failure }
    throw error
  }
}

/** Returns the kind of failure for a status: RFC 9110, and the distribution specification ("Error Codes"). */
export function kindOfStatus(status: number): FailureKind {
  if (status === 404) return 'absent'
  if (status === 401 || status === 403) return 'refused'
  return [408, 425, 429].includes(status) || status >= 500 ? 'unreachable' : 'unknown'
}

/**
 * The words of Amazon ECR, Google Artifact Registry, Docker Hub, Harbor, Alibaba Cloud, Mirantis, Nexus, Artifactory, Azure and
 * Cloudsmith if a tag must not change; their status is 400, 403, 405, 409 or 412.
 */
const IMMUTABLE =
  /immutab|ImageTagAlreadyExists|cannot be overwritten|does not allow updating|tag .{0,200}already exists|permissions? to overwrite|needs DELETE permission|operation is disallowed on this|attributes already exists/i

/** Returns whether a registry's message says that a tag must not change. The message must not contain names of images. */
export function isImmutableTag(message: string): boolean {
  return IMMUTABLE.test(message)
}

/** Maximum pause that a registry may request, in milliseconds. */
const LONGEST_PAUSE = 60_000

/**
 * Returns the milliseconds that a Retry-After header requests, in seconds or as a date (RFC 9110, 10.2.3).
 *
 * @param now milliseconds since 1970
 * @returns undefined for anything else
 */
export function readRetryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const wanted = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(wanted) ? undefined : Math.min(Math.max(0, wanted), LONGEST_PAUSE)
}

/** Codes of OpenSSL and Node.js for a certificate that is not accepted, and for a server that does not support TLS. */
const UNTRUSTED = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$|HOSTNAME_MISMATCH)/

/** Codes for a connection that this process could not establish; the docker client may have another route. */
const NO_CONNECTION =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|UND_ERR_PRX_TLS|ETIMEDOUT|UND_ERR_ABORTED|UND_ERR_INVALID_ARG)$/

/** Converts a network error to a failure. */
export function failureOfConnection(error: unknown): RegistryFailure {
  const code = codeOf(error)
  const message = messageOf(error)
  if (UNTRUSTED.test(code)) return { kind: 'untrusted', message, clientMaySucceed: true }
  return { kind: 'unreachable', message, ...(NO_CONNECTION.test(code) && { clientMaySucceed: true }) }
}

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  if (typeof code === 'string' && code !== 'UND_ERR_SOCKET') return code
  return cause === undefined ? String(code ?? '') : codeOf(cause)
}

/** Returns the message of an error. Node.js aggregates the errors for each address of a host into one without a message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  const message = error instanceof Error ? error.message : String(error)
  // its advice on options of Node.js is of no use to users of an action
  return message.replace(/; if the root CA is installed locally.*$/s, '')
}

/** Whether the reason of an aborted signal is a time limit instead of a cancellation. */
export function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
