import { type BoundedSignal, deadline } from '../lib/bounds.ts'
import { Authorization, wordsOf } from './authorization.ts'
import { isImmutableTag, kindOfStatus, RegistryError, readRetryAfter } from './failure.ts'
import type { Environment } from './proxy.ts'
import { digestOf, isDigest } from './reference.ts'
import { type HttpAnswer, type InsecureRegistries, isRedirect, Transport } from './transport.ts'

/** A manifest or an index with the exact bytes of the registry. */
export interface RawManifest {
  mediaType: string
  /** sha256:… of `bytes`. */
  digest: string
  bytes: Buffer
}

/** Media types of images and indexes: OCI image-spec media-types.md, and distribution docs, "Image Manifest V 2, Schema 2". */
const MEDIA_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json'
]

/** Maximum size of a manifest in bytes: registries must accept this size (distribution specification, "Pushing Manifests"). */
const LONGEST_MANIFEST = 4_194_304
const LONGEST_ANSWER = 65_536

const MOST_REDIRECTS = 5

/** A client for one repository (OCI distribution specification). Methods throw RegistryError, or CancelledError after a cancellation. */
export class RepositoryClient {
  readonly #host: string
  readonly #path: string
  readonly #registry: RegistryConnection
  readonly #signal: AbortSignal

  constructor(registry: RegistryConnection, path: string, signal: AbortSignal) {
    this.#host = registry.host
    this.#path = path
    this.#registry = registry
    this.#signal = signal
  }

  /** Returns the digest of a tag. Reads the manifest only if the registry does not return the digest alone. */
  async digest(target: string): Promise<string> {
    const signal = this.#deadline()
    const head = await this.#ask('HEAD', `manifests/${target}`, signal, { accept: MEDIA_TYPES.join(', ') })
    const digest = head.headers['docker-content-digest'] ?? ''
    if (head.status === 200 && isDigest(digest)) return digest
    if (![200, 400, 405, 501].includes(head.status)) throw this.#failure(head)
    // some registries do not support HEAD or this header
    return (await this.#manifest(target, signal)).digest
  }

  /** @param target a tag or a digest */
  manifest(target: string): Promise<RawManifest> {
    return this.#manifest(target, this.#deadline())
  }

  async #manifest(target: string, signal: BoundedSignal): Promise<RawManifest> {
    const headers = { accept: MEDIA_TYPES.join(', ') }
    const answer = await this.#ask('GET', `manifests/${target}`, signal, headers, LONGEST_MANIFEST)
    if (answer.status !== 200) throw this.#failure(answer)
    const bytes = answer.body
    const digest = digestOf(bytes)
    const told = answer.headers['docker-content-digest'] ?? ''
    if (isDigest(target) && digest !== target) throw mismatch(target, digest)
    if (isDigest(told) && digest !== told) throw mismatch(told, digest)
    return { mediaType: (answer.headers['content-type'] ?? '').replace(/;.*$/, '').trim(), digest, bytes }
  }

  /**
   * Reads a whole blob.
   *
   * @param mostBytes maximum size; a larger blob is a failure
   */
  async blob(digest: string, mostBytes: number): Promise<Buffer> {
    const signal = this.#deadline()
    let answer = await this.#ask('GET', `blobs/${digest}`, signal, {}, mostBytes)
    for (let count = 0; isRedirect(answer); count++) {
      if (count === MOST_REDIRECTS) throw new RegistryError({ kind: 'unknown', message: 'too many redirects' })
      const target = redirectOf(answer)
      // the registry's storage must not receive credentials
      answer = await this.#registry.transport.send(target, { method: 'GET', mostBytes, signal })
    }
    if (answer.status !== 200) throw this.#failure(answer)
    if (digestOf(answer.body) !== digest) throw mismatch(digest, digestOf(answer.body))
    return answer.body
  }

  /** Stores a manifest under a tag. The repository must already contain its blobs and children. */
  async putManifest(tag: string, { mediaType, bytes, digest }: RawManifest): Promise<void> {
    const headers = { 'content-type': mediaType }
    const answer = await this.#ask('PUT', `manifests/${tag}`, this.#deadline(), headers, LONGEST_ANSWER, bytes)
    if (answer.status < 200 || answer.status > 299) throw asImmutable(this.#failure(answer), this.#path)
    const told = answer.headers['docker-content-digest'] ?? ''
    if (isDigest(told) && told !== digest) throw mismatch(digest, told)
  }

  /** Deletes a manifest, and with it all tags that name it. */
  async deleteManifest(digest: string): Promise<void> {
    const answer = await this.#ask('DELETE', `manifests/${digest}`, this.#deadline(), {})
    if (answer.status !== 202) throw this.#failure(answer)
  }

  #deadline(): BoundedSignal {
    return deadline('registry', this.#signal, this.#registry.patience)
  }

  async #ask(
    method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
    path: string,
    signal: BoundedSignal,
    headers: Record<string, string>,
    mostBytes = LONGEST_ANSWER,
    body?: Buffer
  ): Promise<HttpAnswer> {
    const { transport, authorization } = this.#registry
    const scheme = await transport.scheme(this.#host, signal)
    const url = new URL(`${scheme}://${this.#host}/v2/${this.#path}/${path}`)
    const actions = method === 'PUT' ? 'pull,push' : method === 'DELETE' ? 'delete' : 'pull'
    const scope = `repository:${this.#path}:${actions}`
    return authorization.send(url, scope, { method, headers, mostBytes, signal, ...(body && { body }) })
  }

  #failure(answer: HttpAnswer): RegistryError {
    const pause = readRetryAfter(answer.headers['retry-after'])
    const kind = kindOfStatus(answer.status)
    return new RegistryError({
      // GitHub's secondary rate limit is a 403 with a pause (docs.github.com, "Rate limits for the REST API")
      kind: pause !== undefined && answer.status === 403 ? 'unreachable' : kind,
      message: this.#registry.authorization.redact(wordsOf(answer)),
      ...(pause !== undefined && { pause }),
      // the docker client follows redirects of manifests
      ...(isRedirect(answer) && { clientMaySucceed: true })
    })
  }
}

/** The connections and logins that all repositories of one registry share. */
export class RegistryConnection {
  /** host[:port] of the registry's API. */
  readonly host: string
  readonly transport: Transport
  readonly authorization: Authorization
  /** Time limit in milliseconds for one method of RepositoryClient, instead of the usual bound. */
  readonly patience: number | undefined

  /** @param registry host[:port] as in a reference; `docker.io` for Docker Hub */
  constructor(registry: string, env: Environment, insecure: InsecureRegistries, patience?: number) {
    this.patience = patience
    // docker uses this name for it (moby/moby registry/config.go)
    this.host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
    this.transport = new Transport(registry, env, insecure)
    this.authorization = new Authorization(registry, env, this.transport)
  }

  end(): Promise<void> {
    return this.transport.end()
  }
}

/** @param path of the repository, which the message may contain */
function asImmutable(error: RegistryError, path: string): RegistryError {
  const { failure } = error
  const isImmutable =
    ['refused', 'unknown'].includes(failure.kind) && isImmutableTag(failure.message.replaceAll(path, ''))
  return isImmutable ? new RegistryError({ ...failure, kind: 'immutable' }) : error
}

function mismatch(expected: string, found: string): RegistryError {
  return new RegistryError({ kind: 'unknown', message: `the digest of the answer is ${found} instead of ${expected}` })
}

function redirectOf({ headers, url }: HttpAnswer): URL {
  const location = headers.location ?? ''
  if (!URL.canParse(location, url)) throw new RegistryError({ kind: 'unknown', message: 'a redirect without a target' })
  const target = new URL(location, url)
  const isAllowed = target.protocol === 'https:' || (target.protocol === 'http:' && url.protocol === 'http:')
  if (!isAllowed) throw new RegistryError({ kind: 'unknown', message: 'a redirect to an address without TLS' })
  target.username = ''
  target.password = ''
  return target
}
