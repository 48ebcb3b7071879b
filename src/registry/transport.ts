import type { SecureContext } from 'node:tls'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { CancelledError } from '../lib/errors.ts'
import { makeSecureContext } from './certificates.ts'
import { failureOfConnection, RegistryError } from './failure.ts'
import { type Environment, isInRange, isLoopback, proxyFor } from './proxy.ts'

/** Registries that the engine may ask without TLS, or with any certificate: `docker info`, RegistryConfig. */
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
  /** Bytes of the answer's body at most; a longer one is a failure. */
  mostBytes: number
  /** Ends the request: a cancellation of the run, or the end of the time for all of the work that it is a part of. */
  signal: AbortSignal
}

export interface HttpAnswer {
  status: number
  /** Names in lower case; of a repeated header all values, joined by commas. */
  headers: Partial<Record<string, string>>
  body: Buffer
  /** Where the answer came from, before any redirect was followed. */
  url: URL
}

/** Milliseconds for the connection, for the answer's headers, and between two pieces of its body. */
const CONNECT_WITHIN = 10_000
const ANSWER_WITHIN = 30_000

/** HTTP with a registry and its token server: TLS, proxies and time limits, without credentials and redirects. */
export class Transport {
  readonly #registry: string
  readonly #env: Environment
  readonly #isInsecure: boolean
  readonly #dispatchers = new Map<string, Dispatcher>()
  #secureContext: Promise<SecureContext> | undefined
  #scheme: Promise<'https' | 'http'> | undefined

  /** @param registry host[:port] as a reference names it */
  constructor(registry: string, env: Environment, insecure: InsecureRegistries) {
    this.#registry = registry
    this.#env = env
    this.#isInsecure = isInsecure(registry, insecure)
  }

  /** `https` or, if the engine may do so and the registry does not speak TLS, `http`. */
  scheme(host: string, signal: AbortSignal): Promise<'https' | 'http'> {
    this.#scheme ??= this.#isInsecure ? this.#findScheme(host, signal) : Promise.resolve('https')
    return this.#scheme
  }

  /** Whether credentials may be sent to a URL: never in plain text, unless the engine does so, too. */
  mayHaveCredentials(url: URL): boolean {
    return url.protocol === 'https:' || this.#isInsecure
  }

  /**
   * Sends one request.
   *
   * @throws RegistryError if there is no whole answer
   * @throws CancelledError if the signal aborts it without a timeout as its reason
   */
  async send(url: URL, { method, headers = {}, body, mostBytes, signal }: HttpRequest): Promise<HttpAnswer> {
    try {
      const dispatcher = await this.#dispatcherFor(url)
      const answer = await request(url, {
        ...{ method, dispatcher, signal, headersTimeout: ANSWER_WITHIN, bodyTimeout: ANSWER_WITHIN },
        headers: { 'user-agent': 'shared-docker-layers', ...headers },
        ...(body === undefined ? {} : { body })
      })
      const text = method === 'HEAD' ? Buffer.alloc(0) : await readBody(answer.body, mostBytes)
      // of a HEAD there is nothing to read, but the connection is free only after it
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

  /** As engines do: TLS first, then plain HTTP (moby/moby registry/service_v2.go). */
  async #findScheme(host: string, signal: AbortSignal): Promise<'https' | 'http'> {
    try {
      await this.send(new URL(`https://${host}/v2/`), { method: 'GET', mostBytes: SHORT_ANSWER, signal })
      return 'https'
    } catch (error) {
      if (error instanceof RegistryError && error.failure.kind === 'untrusted') return 'http'
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
    // another request may have been faster
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

/** Bytes of an answer of which only the status is of interest. */
const SHORT_ANSWER = 65_536

/** Whether the engine asks a registry without TLS or without checking its certificate. Loopback addresses always are. */
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
      // leaving the loop ends the connection
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

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
