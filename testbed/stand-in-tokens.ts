import { randomUUID } from 'node:crypto'
import type { Action, Behaviour } from './stand-in-behaviour.ts'
import { json, RegistryError, type Reply } from './stand-in-reply.ts'

/** Actions in a repository that a request needs, or that a token allows. */
export interface Scope {
  repository: string
  actions: Action[]
}

interface Token {
  scopes: Scope[]
  uses: number
}

/** A request to the token endpoint. */
export interface TokenRequest {
  method: string
  query: URLSearchParams
  authorization: string | undefined
  body: string
}

const SERVICE = 'stand-in'
const BASIC = 'Basic realm="stand-in"'

/** The authorization of the stand-in registry. */
export class Tokens {
  readonly #behaviour: () => Behaviour
  readonly #tokens = new Map<string, Token>()

  constructor(behaviour: () => Behaviour) {
    this.#behaviour = behaviour
  }

  /**
   * Checks that a request is authorized for the scopes that it needs.
   *
   * @param realm address of the token endpoint for the client
   * @throws RegistryError with a challenge
   */
  check(authorization: string | undefined, needs: Scope[], realm: string): void {
    const { auth, tokenUses = Number.POSITIVE_INFINITY } = this.#behaviour()
    if (auth === 'none') return
    if (auth === 'basic') {
      if (!this.#isUser(authorization)) throw unauthorized(BASIC)
      return
    }
    const name = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1]
    const token = this.#tokens.get(name ?? '')
    if (!token || token.uses >= tokenUses) {
      throw unauthorized(bearer(realm, needs, name === undefined ? undefined : 'invalid_token'))
    }
    token.uses++
    if (!needs.every((need) => covers(token.scopes, need))) {
      throw unauthorized(bearer(realm, needs, 'insufficient_scope'), 'DENIED')
    }
  }

  /** The challenge that requests other credentials than the client's. */
  challenge(needs: Scope[], realm: string): string {
    const { auth } = this.#behaviour()
    return auth === 'none' || auth === 'basic' ? BASIC : bearer(realm, needs, 'insufficient_scope')
  }

  /** Answers a request to the token endpoint (distribution.github.io/distribution/spec/auth, "token" and "oauth"). */
  issue({ method, query, authorization, body }: TokenRequest): Reply {
    const { auth, noTokenPost } = this.#behaviour()
    if (auth === 'none' || auth === 'basic') throw new RegistryError(404, 'UNSUPPORTED', 'there are no tokens here')
    if (method === 'POST' && !noTokenPost) return this.#oauth(new URLSearchParams(body))
    if (method !== 'GET') throw new RegistryError(405, 'UNSUPPORTED', 'method not allowed')
    const isUser = this.#isUser(authorization)
    if (!isUser && !(auth === 'anonymous' && authorization === undefined)) throw unauthorized(BASIC)
    const wantsIdentity = isUser && query.get('offline_token') === 'true'
    const token = this.#newToken(query, auth !== 'bearer-identity')
    return json(200, { token, expires_in: 300, ...this.#identity(wantsIdentity) })
  }

  #oauth(form: URLSearchParams): Reply {
    const { auth, username, password, identityToken } = this.#behaviour()
    const hasIdentity = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === identityToken
    const isUser =
      form.get('grant_type') === 'password' && form.get('username') === username && form.get('password') === password
    if (!isUser && !(hasIdentity && auth === 'bearer-identity')) {
      throw new RegistryError(401, 'UNAUTHORIZED', 'incorrect username, password or identity token')
    }
    const access_token = this.#newToken(form, hasIdentity || auth !== 'bearer-identity')
    const identity = this.#identity(isUser && form.get('access_type') === 'offline')
    return json(200, { access_token, expires_in: 300, scope: form.getAll('scope').join(' '), ...identity })
  }

  #identity(isWanted: boolean): object {
    const { auth, identityToken } = this.#behaviour()
    return isWanted && auth === 'bearer-identity' ? { refresh_token: identityToken } : {}
  }

  #newToken(asked: URLSearchParams, isForScopes: boolean): string {
    if (asked.get('service') !== SERVICE) throw new RegistryError(400, 'UNSUPPORTED', 'another service than that asked')
    const { grants } = this.#behaviour()
    const scopes = isForScopes ? asked.getAll('scope').flatMap(parseScopes) : []
    const granted = scopes.map(({ repository, actions }) => ({
      repository,
      actions: actions.filter((action) => grants.includes(action))
    }))
    const token = randomUUID()
    this.#tokens.set(token, { scopes: granted, uses: 0 })
    return token
  }

  #isUser(authorization: string | undefined): boolean {
    const { username, password } = this.#behaviour()
    const credentials = Buffer.from(`${username}:${password}`).toString('base64')
    return /^Basic (.+)$/i.exec(authorization ?? '')?.[1] === credentials
  }
}

function parseScopes(text: string): Scope[] {
  return [...text.matchAll(/repository:(\S+):([a-z,]+)/g)].map(([, repository = '', actions = '']) => ({
    repository,
    actions: actions.split(',') as Action[]
  }))
}

function covers(scopes: Scope[], { repository, actions }: Scope): boolean {
  const granted = scopes.filter((scope) => scope.repository === repository).flatMap((scope) => scope.actions)
  return actions.every((action) => granted.includes(action))
}

function bearer(realm: string, needs: Scope[], error?: string): string {
  const scope = needs.map(({ repository, actions }) => `repository:${repository}:${actions.join(',')}`).join(' ')
  const parameters = { realm, service: SERVICE, ...(scope && { scope }), ...(error && { error }) }
  return `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')}`
}

function unauthorized(challenge: string, code = 'UNAUTHORIZED'): RegistryError {
  const message = code === 'DENIED' ? 'requested access to the resource is denied' : 'authentication required'
  return new RegistryError(401, code, message, { 'www-authenticate': challenge })
}
