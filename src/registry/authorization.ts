import type { BoundedSignal } from '../lib/bounds.ts'
import { at, parseJson, text } from '../lib/json.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type Credentials, type FoundCredentials, findCredentials, secretsOf } from './credentials.ts'
import { kindOfStatus, RegistryError, readRetryAfter } from './failure.ts'
import type { Environment } from './proxy.ts'
import { type HttpAnswer, type HttpRequest, isRedirect, type Transport } from './transport.ts'

/** Maximum size of a token server's answer in bytes. */
const LONGEST_TOKEN = 1_048_576

/** Seconds that a token is valid if the server does not specify it, and seconds before its expiry in which it is no longer used. */
const USUAL_LIFETIME = 60
const MARGIN = 10

/** Logins for one request at most. */
const MOST_LOGINS = 2

interface Token {
  header: string
  /** Milliseconds since 1970. */
  until: number
}

/**
 * The logins to one registry: Basic, or Bearer with tokens of a token server (distribution docs, "Token Authentication
 * Specification" and "OAuth2 Token Authentication"). No code outside this folder receives a credential.
 */
export class Authorization {
  readonly #transport: Transport
  readonly #find: (signal: AbortSignal) => Promise<FoundCredentials>
  /** By scope. */
  readonly #tokens = new Map<string, Promise<Token>>()
  #credentials: Promise<FoundCredentials> | undefined
  readonly #secrets = new Set<string>()
  /** Whether credentials were not sent to a token server, because that would have been in plain text. */
  #isWithheld: boolean = false

  constructor(registry: string, env: Environment, transport: Transport) {
    this.#transport = transport
    this.#find = (signal) => findCredentials(registry, env, signal)
  }

  /**
   * Sends a request and, if the registry requires a login, sends it again with credentials.
   *
   * @param scope `repository:NAME:pull` or `repository:NAME:pull,push`
   * @throws RegistryError, also if the registry rejects the login
   */
  async send(url: URL, scope: string, request: HttpRequest): Promise<HttpAnswer> {
    for (let logins = 0; ; logins++) {
      const used = this.#tokens.get(scope)
      const answer = await this.#sendWith(await headerOf(used), url, request)
      if (answer.status !== 401) {
        const hidden =
          used === undefined && logins === 0 ? await this.#findHidden(url, answer, request.signal) : undefined
        if (!hidden) return answer
        await this.#renew(used, url, scope, hidden, request.signal)
        continue
      }
      // a token may end between two requests that share it, but not again and again
      if (logins === MOST_LOGINS) throw this.#refused(answer, await this.#readCredentials(request.signal))
      await this.#renew(used, url, scope, answer, request.signal)
    }
  }

  /** Redacts the credentials in a text. */
  redact(message: string): string {
    return [...this.#secrets].reduce((shown, secret) => shown.replaceAll(secret, '***'), message)
  }

  /**
   * Returns the challenge of a registry that hides a repository from anonymous users, with 403 or 404 instead of 401; undefined if
   * there is none, or no credentials for it.
   */
  async #findHidden({ origin }: URL, { status }: HttpAnswer, signal: BoundedSignal): Promise<HttpAnswer | undefined> {
    if (![403, 404].includes(status) || !(await this.#readCredentials(signal)).credentials) return undefined
    const ping = await this.#transport.send(new URL('/v2/', origin), {
      method: 'GET',
      mostBytes: LONGEST_TOKEN,
      signal
    })
    return ping.status === 401 ? ping : undefined
  }

  /** Logs in anew, unless another request has done so meanwhile. */
  async #renew(
    used: Promise<Token> | undefined,
    url: URL,
    scope: string,
    refused: HttpAnswer,
    signal: BoundedSignal
  ): Promise<void> {
    const found = await this.#readCredentials(signal)
    if (this.#tokens.get(scope) === used) {
      this.#tokens.set(scope, this.#login(url, scope, refused, found.credentials, signal))
    }
    const token = this.#tokens.get(scope)
    try {
      if ((await token)?.header === '') throw this.#refused(refused, found)
    } catch (error) {
      if (this.#tokens.get(scope) === token) this.#tokens.delete(scope)
      const isRefused = error instanceof RegistryError && error.failure.kind === 'refused'
      throw isRefused && found.failure !== undefined ? this.#refused(refused, found) : error
    }
  }

  #refused(answer: HttpAnswer, { failure }: FoundCredentials): RegistryError {
    if (failure !== undefined) return new RegistryError(withoutHelper(failure))
    const message = this.redact(wordsOf(answer))
    return new RegistryError({ kind: 'refused', message, ...(this.#isWithheld && { clientMaySucceed: true }) })
  }

  #sendWith(header: string, url: URL, request: HttpRequest): Promise<HttpAnswer> {
    const headers = { ...request.headers, ...(header === '' ? {} : { authorization: header }) }
    return this.#transport.send(url, { ...request, headers })
  }

  async #readCredentials(signal: BoundedSignal): Promise<FoundCredentials> {
    this.#credentials ??= this.#find(signal)
    const credentials = this.#credentials
    const found = await credentials.catch((error: unknown) => {
      if (this.#credentials === credentials) this.#credentials = undefined
      throw error
    })
    if (found.credentials) for (const secret of secretsOf(found.credentials)) this.#secrets.add(secret)
    return found
  }

  /** @returns a token without a header if no credentials fit the registry's challenges */
  async #login(
    url: URL,
    scope: string,
    refused: HttpAnswer,
    credentials: Credentials | undefined,
    signal: BoundedSignal
  ): Promise<Token> {
    const challenges = parseChallenges(refused.headers['www-authenticate'] ?? '')
    const mayHave = this.#transport.mayHaveCredentials(url)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer) {
      if (credentials?.kind === 'registry-token' && mayHave) return forEver(`Bearer ${credentials.token}`)
      return this.#fetchToken(bearer, scope, credentials, signal)
    }
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
    if (isBasic && credentials?.kind === 'password' && mayHave) return forEver(basic(credentials))
    return forEver('')
  }

  async #fetchToken(
    { parameters }: Challenge,
    scope: string,
    credentials: Credentials | undefined,
    signal: BoundedSignal
  ): Promise<Token> {
    const { realm = '', service } = parameters
    const url = URL.canParse(realm) ? new URL(realm) : undefined
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new RegistryError({ kind: 'unknown', message: 'the registry names no valid token server' })
    }
    const usable = this.#transport.mayHaveCredentials(url) ? credentials : undefined
    this.#isWithheld ||= credentials !== undefined && usable === undefined
    // request more than the scope in the challenge: a push also reads
    const scopes = [...new Set([...(parameters.scope ?? '').split(' '), scope].filter((one) => one !== ''))]
    const answer =
      usable?.kind === 'identity-token'
        ? await this.#refresh(url, usable.token, service, scopes, signal)
        : await this.#ask(url, usable, service, scopes, signal)
    const body = parseJson(answer.body.toString())
    const token = text(at(body, 'token')) || text(at(body, 'access_token'))
    if (answer.status !== 200 || token === '') {
      const words = this.redact(wordsOf(answer))
      const kind = answer.status === 200 ? 'unknown' : kindOfStatus(answer.status)
      const pause = readRetryAfter(answer.headers['retry-after'])
      throw new RegistryError({
        kind: kind === 'absent' ? 'unknown' : kind,
        message: `token server: ${words}`,
        ...(pause !== undefined && { pause }),
        // the docker client follows redirects of token servers
        ...((isRedirect(answer) || this.#isWithheld) && { clientMaySucceed: true })
      })
    }
    this.#secrets.add(token)
    const lifetime = Number(at(body, 'expires_in')) || USUAL_LIFETIME
    return { header: `Bearer ${token}`, until: Date.now() + Math.max(0, lifetime - MARGIN) * 1_000 }
  }

  #ask(
    realm: URL,
    credentials: Credentials | undefined,
    service: string | undefined,
    scopes: string[],
    signal: BoundedSignal
  ): Promise<HttpAnswer> {
    const url = new URL(realm)
    if (service !== undefined) url.searchParams.set('service', service)
    for (const scope of scopes) url.searchParams.append('scope', scope)
    const headers: Record<string, string> = {}
    if (credentials?.kind === 'password') {
      url.searchParams.set('account', credentials.username)
      headers.authorization = basic(credentials)
    }
    return this.#transport.send(url, { method: 'GET', headers, mostBytes: LONGEST_TOKEN, signal })
  }

  #refresh(
    realm: URL,
    refreshToken: string,
    service: string | undefined,
    scopes: string[],
    signal: BoundedSignal
  ): Promise<HttpAnswer> {
    const form = new URLSearchParams({
      ...{ grant_type: 'refresh_token', client_id: 'shared-docker-layers', refresh_token: refreshToken },
      ...(service !== undefined && { service }),
      scope: scopes.join(' ')
    })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return this.#transport.send(realm, {
      ...{ method: 'POST', headers, body: form.toString(), mostBytes: LONGEST_TOKEN, signal }
    })
  }
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Returns the header of a token, or '' if it was not obtained or has expired. */
async function headerOf(token: Promise<Token> | undefined): Promise<string> {
  const { header, until } = (await token?.catch(() => undefined)) ?? forEver('')
  return until < Date.now() ? '' : header
}

function forEver(header: string): Token {
  return { header, until: Number.POSITIVE_INFINITY }
}

function withoutHelper(message: string): RegistryError['failure'] {
  return { kind: 'refused', message, clientMaySucceed: true }
}

/** Maximum number of characters of a registry's message to show. */
const MOST_WORDS = 300

/** Describes the error in an answer: its status, and the code and message in its body (distribution specification, "Error Codes"). */
export function wordsOf({ status, body }: Pick<HttpAnswer, 'status' | 'body'>): string {
  const errors = at(parseJson(body.toString()), 'errors')
  const first = Array.isArray(errors) ? errors[0] : undefined
  const words = [text(at(first, 'code')), text(at(first, 'message'))].filter((word) => word !== '').join(': ')
  return `HTTP status ${status}${words === '' ? '' : ` (${words.slice(0, MOST_WORDS)})`}`
}
