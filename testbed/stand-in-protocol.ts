import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Action, Behaviour } from './stand-in-behaviour.ts'
import { empty, json, RegistryError, type Reply } from './stand-in-reply.ts'
import { isDigest, isIndex, Repository, sha256 } from './stand-in-store.ts'
import type { Scope } from './stand-in-tokens.ts'

export type Kind = 'ping' | 'token' | 'tags' | 'manifest' | 'uploads' | 'upload' | 'blob'

/** The object that a path names. */
export interface Route {
  kind: Kind
  repository: string
  /** A tag, a digest or the ID of an upload. */
  reference: string
}

export interface Call {
  method: string
  route: Route
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: Buffer
}

/** An unfinished upload of a blob. */
interface Upload {
  repository: string
  /** Part of the address of the next request; every address is valid only once. */
  state: string
  bytes: Buffer
}

const paths: [Kind, RegExp][] = [
  ['ping', /^\/v2\/?$/],
  ['token', /^\/token$/],
  ['tags', /^\/v2\/(.+)\/tags\/list$/],
  ['manifest', /^\/v2\/(.+)\/manifests\/([^/]+)$/],
  ['uploads', /^\/v2\/(.+)\/blobs\/uploads\/$/],
  ['upload', /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/],
  ['blob', /^\/v2\/(.+)\/blobs\/([^/]+)$/]
]

// The formats of the OCI distribution specification.
const repositoryForm = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/
const tagForm = /^\w[\w.-]{0,127}$/
const digestForm = /^sha256:[0-9a-f]{64}$/

/** Finds the object that a path names. */
export function routeOf(path: string): Route {
  for (const [kind, pattern] of paths) {
    const match = pattern.exec(decodeURIComponent(path))
    if (match) return checked({ kind, repository: match[1] ?? '', reference: match[2] ?? '' })
  }
  throw new RegistryError(404, 'UNSUPPORTED', 'page not found')
}

function checked(route: Route): Route {
  const { kind, repository, reference } = route
  if (kind === 'ping' || kind === 'token') return route
  if (!repositoryForm.test(repository)) throw new RegistryError(400, 'NAME_INVALID', 'invalid repository name')
  const needsDigest = kind === 'blob' || (kind === 'manifest' && isDigest(reference))
  if (needsDigest && !digestForm.test(reference)) throw new RegistryError(400, 'DIGEST_INVALID', 'invalid digest')
  if (kind === 'manifest' && !needsDigest && !tagForm.test(reference)) {
    throw new RegistryError(400, 'TAG_INVALID', 'invalid tag')
  }
  return route
}

/** The scopes that a request needs. */
export function needsOf({ method, route, query }: Omit<Call, 'body' | 'headers'>): Scope[] {
  if (route.kind === 'ping') return []
  const from = query.get('from')
  const mounted: Scope[] = from !== null && query.has('mount') ? [{ repository: from, actions: ['pull'] }] : []
  return [{ repository: route.repository, actions: actionsOf(method) }, ...mounted]
}

function actionsOf(method: string): Action[] {
  if (method === 'DELETE') return ['delete']
  return isReading(method) ? ['pull'] : ['pull', 'push']
}

export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Implements the requests of the distribution specification (github.com/opencontainers/distribution-spec, spec.md). */
export class Distribution {
  readonly #behaviour: () => Behaviour
  readonly #repositories = new Map<string, Repository>()
  readonly #uploads = new Map<string, Upload>()

  constructor(behaviour: () => Behaviour) {
    this.#behaviour = behaviour
  }

  /** The repository of that name; created if it does not exist. */
  repository(name: string): Repository {
    const repository = this.#repositories.get(name) ?? new Repository()
    this.#repositories.set(name, repository)
    return repository
  }

  /** The repository of that name, if it exists. */
  existing(name: string): Repository | undefined {
    return this.#repositories.get(name)
  }

  answer(call: Call): Reply {
    switch (call.route.kind) {
      case 'ping':
        return json(200, {})
      case 'tags':
        return this.#tags(call)
      case 'manifest':
        return this.#manifest(call)
      case 'blob':
        return this.#blob(call)
      case 'uploads':
        return this.#startUpload(call)
      case 'upload':
        return this.#upload(call)
      default:
        throw new RegistryError(404, 'UNSUPPORTED', 'page not found')
    }
  }

  #tags({ method, route: { repository: name }, query }: Call): Reply {
    if (!isReading(method)) throw notAllowed()
    const repository = this.existing(name)
    if (!repository) throw new RegistryError(404, 'NAME_UNKNOWN', 'repository name not known to registry')
    const after = repository.tagNames().filter((tag) => tag > (query.get('last') ?? ''))
    const tags = after.slice(0, Number(query.get('n') ?? after.length))
    const next = `</v2/${name}/tags/list?n=${tags.length}&last=${tags.at(-1)}>; rel="next"`
    return json(200, { name, tags }, tags.length > 0 && tags.length < after.length ? { link: next } : {})
  }

  #manifest(call: Call): Reply {
    const { method, route } = call
    if (method === 'HEAD' && this.#behaviour().noHead) throw notAllowed()
    if (isReading(method)) return this.#readManifest(call)
    if (method === 'PUT') return this.#putManifest(call)
    if (method !== 'DELETE') throw notAllowed()
    if (!this.existing(route.repository)?.deleteManifest(route.reference)) throw manifestUnknown(route.reference)
    return empty(202)
  }

  #readManifest({ route, headers }: Call): Reply {
    const { repository, reference } = route
    const manifest = this.existing(repository)?.manifest(reference)
    if (!manifest) {
      const { blobAsManifest } = this.#behaviour()
      const isBlob = this.existing(repository)?.blobs.has(reference)
      if (isBlob && blobAsManifest === 405) throw notAllowed()
      if (isBlob && blobAsManifest === 500) throw new RegistryError(500, 'UNKNOWN', 'unknown error')
      throw manifestUnknown(reference)
    }
    const { mediaType, digest, bytes } = manifest
    if (!accepts(headers.accept, mediaType)) throw manifestUnknown(`${reference} of an accepted type`)
    return { status: 200, headers: { 'content-type': mediaType, 'docker-content-digest': digest }, body: bytes }
  }

  #putManifest({ route, headers, body }: Call): Reply {
    const [mediaType = ''] = (headers['content-type'] ?? '').split(';')
    if (isIndex(mediaType) && this.#behaviour().refuseIndex) {
      throw new RegistryError(400, 'MANIFEST_INVALID', 'manifest invalid')
    }
    this.#checkImmutable(route, body)
    const { digest } = this.repository(route.repository).putManifest(route.reference, mediaType, body)
    return empty(201, {
      location: `/v2/${route.repository}/manifests/${digest}`,
      'docker-content-digest': digest
    })
  }

  #checkImmutable({ repository, reference }: Route, body: Buffer): void {
    const { immutable } = this.#behaviour()
    const digest = this.existing(repository)?.manifest(reference)?.digest
    if (!immutable || immutable.except.includes(reference) || digest === undefined || digest === sha256(body)) return
    throw new RegistryError(immutable.status, immutable.code, immutable.message)
  }

  #blob({ method, route: { repository, reference }, headers }: Call): Reply {
    if (!isReading(method)) throw notAllowed()
    const bytes = this.existing(repository)?.blobs.get(reference)
    if (!bytes) throw new RegistryError(404, 'BLOB_UNKNOWN', `blob unknown to registry: ${reference}`)
    return blobReply(reference, bytes, method === 'GET' ? headers.range : undefined)
  }

  #startUpload({ method, route: { repository: name }, query, body }: Call): Reply {
    if (method !== 'POST') throw notAllowed()
    if (query.has('from') && this.#behaviour().refuseMount) {
      throw new RegistryError(403, 'DENIED', 'requested access to the resource is denied')
    }
    const mounted = this.existing(query.get('from') ?? '')?.blobs.get(query.get('mount') ?? '')
    if (mounted) return created(name, this.repository(name).putBlob(mounted))
    const digest = query.get('digest')
    if (digest !== null) return this.#finish(name, digest, body)
    const id = randomUUID()
    const upload = { repository: name, state: randomUUID(), bytes: Buffer.alloc(0) }
    this.#uploads.set(id, upload)
    return progress(202, id, upload)
  }

  #upload({ method, route: { repository, reference: id }, query, headers, body }: Call): Reply {
    const upload = this.#uploads.get(id)
    if (upload?.repository !== repository) {
      throw new RegistryError(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
    }
    if (query.get('state') !== upload.state) {
      throw new RegistryError(400, 'BLOB_UPLOAD_INVALID', 'not the address that the last answer named')
    }
    if (method === 'GET') return progress(204, id, upload)
    if (method === 'DELETE') {
      this.#uploads.delete(id)
      return empty(204)
    }
    if (method !== 'PATCH' && method !== 'PUT') throw notAllowed()
    append(upload, id, headers['content-range'], body)
    if (method === 'PATCH') return progress(202, id, upload)
    this.#uploads.delete(id)
    return this.#finish(repository, query.get('digest') ?? '', upload.bytes)
  }

  #finish(name: string, digest: string, bytes: Buffer): Reply {
    if (sha256(bytes) !== digest) {
      throw new RegistryError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
    }
    return created(name, this.repository(name).putBlob(bytes))
  }
}

/** The content of a blob, or the part that a header Range requests. */
export function blobReply(digest: string, bytes: Buffer, range?: string): Reply {
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes'
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (first === undefined) return { status: 200, headers, body: bytes }
  const body = bytes.subarray(Number(first), last ? Number(last) + 1 : undefined)
  if (body.length === 0) {
    throw new RegistryError(416, 'SIZE_INVALID', 'no such range', { 'content-range': `bytes */${bytes.length}` })
  }
  const part = `bytes ${first}-${Number(first) + body.length - 1}/${bytes.length}`
  return { status: 206, headers: { ...headers, 'content-range': part }, body }
}

function append(upload: Upload, id: string, range: string | undefined, body: Buffer): void {
  const { length } = upload.bytes
  if (range !== undefined && body.length > 0 && range !== `${length}-${length + body.length - 1}`) {
    const { headers } = progress(416, id, upload)
    throw new RegistryError(416, 'BLOB_UPLOAD_INVALID', 'chunks come in order', headers)
  }
  upload.bytes = Buffer.concat([upload.bytes, body])
  upload.state = randomUUID()
}

function progress(status: number, id: string, { repository, state, bytes }: Upload): Reply {
  return empty(status, {
    location: `/v2/${repository}/blobs/uploads/${id}?state=${state}`,
    range: `0-${Math.max(bytes.length - 1, 0)}`,
    'docker-upload-uuid': id
  })
}

function created(repository: string, digest: string): Reply {
  return empty(201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
}

/** Whether a header Accept, which may have several lines, includes a type. Without the header, every type is accepted. */
function accepts(accept: string | undefined, mediaType: string): boolean {
  const types = (accept ?? '*/*').split(',').map((type) => type.split(';')[0]?.trim())
  return types.some((type) => type === mediaType || type === '*/*' || type === 'application/*')
}

function notAllowed(): RegistryError {
  return new RegistryError(405, 'UNSUPPORTED', 'the operation is unsupported')
}

function manifestUnknown(reference: string): RegistryError {
  return new RegistryError(404, 'MANIFEST_UNKNOWN', `manifest unknown: ${reference}`)
}
