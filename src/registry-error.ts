/**
 * Why a registry did not give us an image.
 * `absent`: there is no such tag or repository. `refused`: it wants another login, or none of this name exists and it does not say which.
 * `unreachable`: no answer, or an answer that it cannot serve us now.
 */
export type RegistryError = 'absent' | 'refused' | 'unreachable' | 'unknown'

/**
 * Tells from what docker or BuildKit printed. They pass on the registry's words (distribution `errcode`), containerd's
 * (`core/remotes/docker`), or those of Go's net package.
 *
 * @param reference the image that was asked for: what its name says is no reason
 */
export function classifyRegistryError(message: string, reference: string): RegistryError {
  const repository = reference.replace(/:[^:/]*$/, '')
  const text = [reference, repository, repository.replace(/^[^/]*\//, '')].reduce(
    (rest, name) => rest.replaceAll(name, ''),
    message
  )
  if (
    /unauthorized|authentication required|denied|forbidden|insufficient_scope|no basic auth|\b40[13]\b|authorization failed/i.test(
      text
    )
  ) {
    return 'refused'
  }
  if (
    /connection refused|connection reset|no such host|server misbehaving|timeout|timed out|deadline exceeded|unreachable|no route to host|\bEOF\b|broken pipe|tls:|x509|toomanyrequests|\b429\b|\b50[0-4]\b|internal server error|bad gateway|service unavailable|gateway/i.test(
      text
    )
  ) {
    return 'unreachable'
  }
  if (/not found|manifest unknown|name unknown|no such (image|manifest)|\b404\b/i.test(text)) return 'absent'
  return 'unknown'
}

/** One sentence for a cache source that could not be read; undefined where that is no problem. */
export function describeUnreadable(reference: string, text: string): string | undefined {
  switch (classifyRegistryError(text, reference)) {
    case 'absent':
      return undefined
    case 'refused':
      return `The registry refused us ${reference}, so nothing of it was reused: log in to the registry first, with a token that may read it; if nothing was ever published there, some registries answer like this too (${text})`
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
      return `The registry refused the push of ${reference}: log in to it before this step, with a token that may write (on ghcr.io the job needs permissions: packages: write) (${text})`
    case 'unreachable':
      return `The registry could not be reached to push ${reference} (${text})`
    default:
      return `${reference} could not be pushed (${text})`
  }
}
