import { createHash } from 'node:crypto'
import { messageOf } from '../lib/errors.ts'
import { RegistryError } from './failure.ts'
import { isReference, parseReference, parseRepository, sameRepository } from './image-reference.ts'

/** The parts of a reference that requests need. */
export interface Address {
  /** host[:port]; `docker.io` for Docker Hub. */
  registry: string
  /** The path of the repository in the registry. */
  path: string
  /** A tag or a digest. */
  target: string
}

/** @throws RegistryError if the text is not a reference: a Dockerfile may contain any text */
export function addressOf(reference: string): Address {
  try {
    const { repository, tag, digest } = parseReference(reference)
    const { registry, path } = parseRepository(repository)
    return { registry, path, target: digest ?? tag ?? 'latest' }
  } catch (error) {
    throw new RegistryError({ kind: 'unknown', message: messageOf(error) })
  }
}

/** Returns the digest in one of an image's RepoDigests (Docker Engine API, ImageInspect), if its repository is that of `reference`. */
export function digestInRepository(repoDigest: string, reference: string): string | undefined {
  const digest = repoDigest.replace(/^.*@/, '')
  return isDigest(digest) && isReference(reference) && sameRepository(repoDigest, reference) ? digest : undefined
}

/** Returns the repository of a reference verbatim. */
export function repositoryOf(reference: string): string {
  return reference.replace(/(@sha256:[0-9a-f]{64}|:[^:/]*)$/, '')
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
