import { createHash } from 'node:crypto'
import { messageOf } from '../lib/errors.ts'
import { RegistryError } from './failure.ts'
import { isReference, parseReference, parseRepository, sameRepository } from './image-reference.ts'

/** Where a reference leads. */
export interface Address {
  /** host[:port], `docker.io` for Docker Hub. */
  registry: string
  /** The repository's path in the registry. */
  path: string
  /** A tag or a digest. */
  target: string
}

/** @throws RegistryError if the text is not a reference: a Dockerfile may say anything */
export function addressOf(reference: string): Address {
  try {
    const { repository, tag, digest } = parseReference(reference)
    const { registry, path } = parseRepository(repository)
    return { registry, path, target: digest ?? tag ?? 'latest' }
  } catch (error) {
    throw new RegistryError({ kind: 'unknown', message: messageOf(error) })
  }
}

/** The digest in one of an image's RepoDigests (Docker Engine API, ImageInspect), if that is of the repository of `reference`. */
export function digestInRepository(repoDigest: string, reference: string): string | undefined {
  const digest = repoDigest.replace(/^.*@/, '')
  return isDigest(digest) && isReference(reference) && sameRepository(repoDigest, reference) ? digest : undefined
}

/** The repository of a reference, as it is written there. */
export function repositoryOf(reference: string): string {
  return reference.replace(/(@sha256:[0-9a-f]{64}|:[^:/]*)$/, '')
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
