import type { SecureContext } from 'node:tls'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { type BoundedSignal, requireBounded } from '../lib/bounds.ts'
import { CancelledError } from '../lib/errors.ts'
import { makeSecureContext } from './certificates.ts'
import { failureOfConnection, isTimeout, RegistryError } from './failure.ts'
import { type Environment, isInRange, isLoopback, proxyFor } from './proxy.ts'

/** Registries that the engine may access without TLS or with any certificate: `docker info`, RegistryConfig. */
export interface InsecureRegistries {
  /** host[:port] */
  hosts: readonly string[]
  /** Address ranges in CIDR notation. */
  ranges: readonly string[]
}

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  headers?: Record<string, string>
  body?: Buffer | string
  /** Maximum size of the answer's body in bytes; a larger one is a failure. */
  mostBytes: number
  /** Aborts the request: after a cancellation of the run, or a timeout of the operation that contains it. */
  signal: BoundedSignal
}

export interface HttpAnswer {
  status: number
  /** Names are in lower case; commas join the values of a repeated header. */
  headers: Partial<Record<string, string>>
  body: Buffer
  /** The URL of the request: the transport does not follow redirects. */
  url: URL
}

/** Time limits in milliseconds: for the connection; for the answer's headers, and between two parts of its body. */
const CONNECT_WITHIN = 10_000
const ANSWER_WITHIN = 30_000

/** HTTP to a registry and its token server: handles TLS, proxies and time limits, but neither credentials nor redirects. */
export class Transport {
  readonly #registry: string
  readonly #env: Environment
  readonly #isInsecure: boolean
  readonly #dispatchers = new Map<string, Dispatcher>()
  #secureContext: Promise<SecureContext> | undefined
  #scheme: Promise<'https' | 'http'> | undefined

  /** @param registry host[:port] as in a reference */
  constructor(registry: string, env: Environment, insecure: InsecureRegistries) {
    this.#registry = registry
    this.#env = env
    this.#isInsecure = isInsecure(registry, insecure)
  }

  /** Returns `https` or, if the engine may use plain HTTP and the registry does not support TLS, `http`. */
  scheme(host: string, signal: BoundedSignal): Promise<'https' | 'http'> {
    this.#scheme ??= this.#isInsecure ? this.#findScheme(host, signal) : Promise.resolve('https')
    return this.#scheme
  }

  /** Returns whether a URL may receive credentials: over plain HTTP only if the engine sends them so, too. */
  mayHaveCredentials(url: URL): boolean {
    return url.protocol === 'https:' || this.#isInsecure
  }

  /**
   * Sends one request.
   *
   * @throws RegistryError if no complete answer arrives
   * @throws CancelledError if the signal aborts the request for another reason than a timeout
   */
  async send(url: URL, { method, headers = {}, body, mostBytes, signal }: HttpRequest): Promise<HttpAnswer> {
    requireBounded(signal, `${method} ${url.origin}`)
    try {
      const dispatcher = await this.#dispatcherFor(url)
      const sent = request(url, {
        ...{ method, dispatcher, signal, headersTimeout: ANSWER_WITHIN, bodyTimeout: ANSWER_WITHIN },
        headers: { 'user-agent': 'shared-docker-layers', ...headers },
        ...(body === undefined ? {} : { body })
      })
      // undici ignores the signal until the connection is up: a proxy may never answer
      const answer = await orAborted(sent, signal)
      const text = method === 'HEAD' ? Buffer.alloc(0) : await readBody(answer.body, mostBytes)
      // a HEAD has no body to read, but reading it frees the connection
      if (method === 'HEAD') await answer.body.dump()
      return { status: answer.statusCode, headers: joined(answer.headers), body: text, url }
    } catch (error) {
      throw asFailure(error, signal)
    }
  }

  /** Closes all connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()))
  }

  /** Tries TLS first, then plain HTTP, as engines do (moby/moby registry/service_v2.go). */
  async #findScheme(host: string, signal: BoundedSignal): Promise<'https' | 'http'> {
    try {
      await this.send(new URL(`https://${host}/v2/`), { method: 'GET', mostBytes: SHORT_ANSWER, signal })
      return 'https'
    } catch (error) {
      // nothing listens on the port for TLS, or what listens does not support it
      const isHttp =
        error instanceof RegistryError && (error.failure.kind === 'untrusted' || /ECONNREFUSED/.test(error.message))
      if (isHttp) return 'http'
      this.#scheme = undefined
      throw error
    }
  }

  async #dispatcherFor(url: URL): Promise<Dispatcher> {
    const known = this.#dispatchers.get(url.origin)
    if (known) return known
    this.#secureContext ??= this.#makeSecureContext()
    const secureContext = url.protocol === 'https:' ? await this.#secureContext : undefined
    const tls = { ...(secureContext && { secureContext }), rejectUnauthorized: !this.#isInsecure }
    const proxy = proxyFor(url, this.#env)
    const made =
      proxy === undefined
        ? new Agent({ connect: { ...tls, timeout: CONNECT_WITHIN } })
        : new ProxyAgent({ uri: proxy, requestTls: { ...tls, timeout: CONNECT_WITHIN } })
    // another request may have stored one meanwhile
    const dispatcher = this.#dispatchers.get(url.origin) ?? made
    this.#dispatchers.set(url.origin, dispatcher)
    return dispatcher
  }

  async #makeSecureContext(): Promise<SecureContext> {
    try {
      return await makeSecureContext(this.#registry, this.#env)
    } catch (error) {
      const message = `its certificates in certs.d cannot be read: ${(error as Error).message}`
      throw new RegistryError({ kind: 'untrusted', message, clientMaySucceed: true })
    }
  }
}

/** Maximum size in bytes of an answer of which only the status matters. */
const SHORT_ANSWER = 65_536

/** Returns whether the engine accesses a registry without TLS or without verifying its certificate. Always true for loopback addresses. */
export function isInsecure(registry: string, { hosts, ranges }: InsecureRegistries): boolean {
  if (hosts.includes(registry)) return true
  const host = registry.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isLoopback(host) || ranges.some((range) => isInRange(host, range))
}

async function readBody(body: Dispatcher.ResponseData['body'], mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostBytes) {
      // leaving the loop closes the connection
      throw new RegistryError({ kind: 'unknown', message: `the answer is longer than ${mostBytes} bytes` })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value = '']) => [
    name,
    Array.isArray(value) ? value.join(', ') : value
  ])
  return Object.fromEntries(entries)
}

function asFailure(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof RegistryError) return error
  if (signal.aborted) {
    return isTimeout(signal.reason)
      ? new RegistryError({ kind: 'unreachable', message: 'no answer in time' })
      : new CancelledError()
  }
  return new RegistryError(failureOfConnection(error))
}

/** Whether an answer is a redirect (RFC 9110, 15.4). */
export function isRedirect({ status }: Pick<HttpAnswer, 'status'>): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** Rejects as soon as the signal is aborted, whatever becomes of the work. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([work, aborted])
}
