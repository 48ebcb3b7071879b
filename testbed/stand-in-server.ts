import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Behaviour, type Subject, specified } from './stand-in-behaviour.ts'
import { distort, endless, tooManyRequests, trickle } from './stand-in-faults.ts'
import { blobReply, type Call, Distribution, isReading, needsOf, type Route, routeOf } from './stand-in-protocol.ts'
import { empty, RegistryError, type Reply } from './stand-in-reply.ts'
import { Tokens } from './stand-in-tokens.ts'

/** Options of an HTTPS server, all in PEM. */
export interface Tls {
  key: string | Buffer
  cert: string | Buffer
  /** Certificate of the authority for client certificates. */
  ca?: string | Buffer
  /** Whether clients must send a certificate. */
  requestCert?: boolean
}

/** A request that the stand-in received. */
export interface Recorded {
  /** `storage` serves redirected blobs. */
  server: 'registry' | 'storage'
  method: string
  /** Path without the query. */
  path: string
  query: string
  authorization: 'none' | 'basic' | 'bearer' | 'other'
  userAgent: string
  /** Milliseconds since 1970. */
  time: number
}

/** An answer, and the object that it is about if the behaviour may distort it. */
interface Answer {
  reply: Reply
  subject?: Subject
}

/** The two servers of a stand-in registry: its API, and the storage to which it redirects. */
export class StandInServer {
  readonly requests: Recorded[] = []
  readonly distribution = new Distribution(() => this.#behaviour)
  readonly #tokens = new Tokens(() => this.#behaviour)
  readonly #scheme: 'http' | 'https'
  readonly #api: Server
  readonly #storage: Server
  /** Digest and content, by the signature that the registry issued. */
  readonly #signed = new Map<string, { digest: string; bytes: Buffer }>()
  #host = ''
  #behaviour: Behaviour = specified
  #tooManySoFar = 0

  constructor(tls: Tls | undefined) {
    this.#scheme = tls ? 'https' : 'http'
    this.#api = makeServer(tls, (request, response) => void this.#handle('registry', request, response))
    this.#storage = makeServer(tls, (request, response) => void this.#handle('storage', request, response))
  }

  async listen(address: string, port: number, storageAddress: string): Promise<void> {
    await listen(this.#api, address, port)
    // Another address: Go's HTTP client treats another port of the same address as the same host, and sends it the credentials.
    await listen(this.#storage, storageAddress, 0)
    this.#host = hostOf(this.#api)
  }

  /** Stops listening and ends all connections, including those that wait for an answer. */
  async close(): Promise<void> {
    await Promise.all([close(this.#api), close(this.#storage)])
  }

  get host(): string {
    return this.#host
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`
  }

  get behaviour(): Behaviour {
    return this.#behaviour
  }

  set behaviour(behaviour: Behaviour) {
    if (behaviour.tooMany !== this.#behaviour.tooMany) this.#tooManySoFar = 0
    this.#behaviour = behaviour
  }

  async #handle(server: Recorded['server'], request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(`${this.url}${request.url}`)
      this.requests.push(recorded(server, request, url))
      await sleep(this.#behaviour.delay)
      const answer = server === 'registry' ? await this.#answer(request, url) : this.#answerOfStorage(request, url)
      if (answer) await this.#send(request, response, answer)
    } catch (error) {
      const { reply } = error instanceof RegistryError ? error : new RegistryError(500, 'UNKNOWN', String(error))
      if (response.headersSent) response.destroy()
      else respond(request, response, reply)
    }
  }

  /** The answer to a request; undefined if the request stays unanswered. */
  async #answer(request: IncomingMessage, url: URL): Promise<Answer | undefined> {
    const { method = 'GET', headers } = request
    const route = routeOf(url.pathname)
    const call = { method, route, query: url.searchParams, headers }
    const realm = `${this.#scheme}://${headers.host ?? this.host}/token`
    if (route.kind !== 'token') this.#tokens.check(headers.authorization, needsOf(call), realm)
    this.#checkRefusal(method, route, realm)
    const subject = subjectOf(method, route)
    this.#checkTooMany(method, subject)
    const { silent } = this.#behaviour
    if (silent !== undefined && silent === (subject ?? (isTagging(method, route) ? 'tag' : undefined))) return undefined
    const reply = this.#reply({ ...call, body: await buffer(request) })
    return subject === undefined || reply.status === 307 ? { reply } : { reply, subject }
  }

  #reply(call: Call): Reply {
    const { method, route, query, headers, body } = call
    if (route.kind === 'token') {
      return this.#tokens.issue({ method, query, authorization: headers.authorization, body: body.toString() })
    }
    const reply = this.distribution.answer(call)
    const isRedirected = route.kind === 'blob' && method === 'GET' && this.#behaviour.redirectBlobs
    return isRedirected ? this.#redirect(route) : reply
  }

  #redirect({ repository, reference }: Route): Reply {
    const signature = randomUUID()
    const bytes = this.distribution.existing(repository)?.blobs.get(reference) ?? Buffer.alloc(0)
    this.#signed.set(signature, { digest: reference, bytes })
    const location = `${this.#scheme}://${hostOf(this.#storage)}/${reference}?signature=${signature}`
    return empty(307, { location })
  }

  /** Like Amazon S3: a signed address is an authentication, and a second one is an error. */
  #answerOfStorage({ method, headers }: IncomingMessage, { pathname, searchParams }: URL): Answer {
    if (headers.authorization !== undefined) {
      throw new RegistryError(400, 'UNSUPPORTED', 'only one way of authentication is allowed')
    }
    const signed = this.#signed.get(searchParams.get('signature') ?? '')
    if (!signed || pathname !== `/${signed.digest}` || !isReading(method ?? 'GET')) {
      throw new RegistryError(403, 'DENIED', 'the signature does not match')
    }
    return { reply: blobReply(signed.digest, signed.bytes, headers.range), subject: 'blob' }
  }

  #checkRefusal(method: string, route: Route, realm: string): void {
    const { refuse } = this.#behaviour
    if (!refuse || refuse.action !== actionOf(method, route)) return
    if (refuse.reference !== undefined && refuse.reference !== route.reference) return
    const needs = needsOf({ method, route, query: new URLSearchParams() })
    const challenge = refuse.status === 401 ? { 'www-authenticate': this.#tokens.challenge(needs, realm) } : {}
    throw new RegistryError(refuse.status, refuse.code, 'refused on purpose', challenge)
  }

  #checkTooMany(method: string, subject: Subject | undefined): void {
    const { tooMany } = this.#behaviour
    if (!tooMany || this.#tooManySoFar >= tooMany.count) return
    if (tooMany.subject !== undefined && tooMany.subject !== subject) return
    if (tooMany.method !== undefined && !tooMany.method.split('|').includes(method)) return
    this.#tooManySoFar++
    throw tooManyRequests(tooMany)
  }

  async #send(request: IncomingMessage, response: ServerResponse, { reply, subject }: Answer): Promise<void> {
    const behaviour = this.#behaviour
    const { status, headers, body } = distort(reply, subject, behaviour)
    const isEndless = subject !== undefined && [behaviour.endless, behaviour.trickle].includes(subject)
    if (!isEndless || request.method === 'HEAD') return respond(request, response, { status, headers, body })
    response.writeHead(status, headers)
    await pipeline(subject === behaviour.endless ? endless(body) : trickle(body), response)
  }
}

function recorded(server: Recorded['server'], { method = 'GET', headers }: IncomingMessage, url: URL): Recorded {
  const { authorization } = headers
  const kind = /^(basic|bearer) /i.exec(authorization ?? '')?.[1]?.toLowerCase() as 'basic' | 'bearer' | undefined
  return {
    server,
    method,
    path: url.pathname,
    query: url.search.slice(1),
    authorization: authorization === undefined ? 'none' : (kind ?? 'other'),
    userAgent: headers['user-agent'] ?? '',
    time: Date.now()
  }
}

/** The object that a request reads. */
function subjectOf(method: string, { kind }: Route): Subject | undefined {
  if (kind === 'token') return kind
  return isReading(method) && (kind === 'manifest' || kind === 'blob') ? kind : undefined
}

function isTagging(method: string, { kind }: Route): boolean {
  return method === 'PUT' && kind === 'manifest'
}

function actionOf(method: string, { kind }: Route): 'pull' | 'push' | 'token' | undefined {
  if (kind === 'ping') return undefined
  if (kind === 'token') return 'token'
  return isReading(method) ? 'pull' : 'push'
}

function respond(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, {
    'docker-distribution-api-version': 'registry/2.0',
    ...headers,
    ...(status !== 204 && { 'content-length': body.length })
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function makeServer(
  tls: Tls | undefined,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void
): Server {
  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest)
  // Never close a kept-alive connection while a client may reuse it.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  return server
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  server.listen(port, address)
  await once(server, 'listening')
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}

function hostOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo
  return `${address}:${port}`
}
