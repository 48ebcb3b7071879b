import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BoundError, describeLateness } from '../lib/bounds.ts'
import { exec } from '../lib/exec.ts'
import { at, parseJson, text } from '../lib/json.ts'
import { isTimeout, RegistryError } from './failure.ts'
import type { Environment } from './proxy.ts'

/** Credentials for a login. */
export type Credentials =
  | { kind: 'password'; username: string; password: string }
  /** An OAuth 2.0 refresh token, which the token server exchanges for access tokens. */
  | { kind: 'identity-token'; token: string }
  /** A bearer token for the registry itself. */
  | { kind: 'registry-token'; token: string }

/** The credentials for a registry, if any. */
export interface FoundCredentials {
  credentials?: Credentials
  /** Why a credential helper failed, if it did. Contains no secret. */
  failure?: string
}

/** The name under which docker stores the login to Docker Hub (moby/moby registry/config.go, IndexServer). */
const HUB = 'https://index.docker.io/v1/'

/**
 * Finds the credentials that the docker client uses for a registry (docker/cli docs "docker login", Credential stores;
 * cli/config/configfile). Uses the first of these sources: DOCKER_AUTH_CONFIG, the registry's own credential helper, the
 * common credential store, the file config.json.
 *
 * @param registry host[:port] as in a reference; `docker.io` for Docker Hub
 * @param env the environment of the docker client
 */
export async function findCredentials(
  registry: string,
  env: Environment,
  signal: AbortSignal
): Promise<FoundCredentials> {
  const given = readAuths(parseJson(env.DOCKER_AUTH_CONFIG || ''), registry)
  if (given) return { credentials: given }
  const config = await readConfig(env)
  const helper = findHelper(config, registry)
  if (helper !== undefined) return askHelper(helper, registry, env, signal)
  const credentials = readAuths(config, registry)
  return credentials ? { credentials } : {}
}

async function readConfig(env: Environment): Promise<unknown> {
  const folder = env.DOCKER_CONFIG || join(env.HOME || '/', '.docker')
  return parseJson(await readFile(join(folder, 'config.json'), 'utf8').catch(() => ''))
}

/** Returns the names by which docker finds a registry in `credHelpers` and `auths`. */
function namesOf(registry: string): string[] {
  return registry === 'docker.io' ? [HUB, 'index.docker.io', 'docker.io'] : [registry]
}

/** Returns the suffix of `docker-credential-SUFFIX`, or undefined if no helper is configured for the registry. */
export function findHelper(config: unknown, registry: string): string | undefined {
  const own = namesOf(registry).map((name) => text(at(config, 'credHelpers', name)))
  const name = own.find((helper) => helper !== '') ?? text(at(config, 'credsStore'))
  return name === '' ? undefined : name
}

/** Reads the credentials in the `auths` of a config.json. */
export function readAuths(config: unknown, registry: string): Credentials | undefined {
  const auths = at(config, 'auths')
  if (typeof auths !== 'object' || auths === null) return undefined
  const names = namesOf(registry)
  const keys = Object.keys(auths)
  const key = names.find((name) => keys.includes(name)) ?? keys.find((other) => names.includes(hostOf(other)))
  return key === undefined ? undefined : readEntry(at(auths, key))
}

/** Returns the host in a key such as `https://host/v1/` (docker/cli cli/config/credentials/file_store.go, ConvertToHostname). */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')
}

function readEntry(entry: unknown): Credentials | undefined {
  const identityToken = text(at(entry, 'identitytoken'))
  if (identityToken !== '') return { kind: 'identity-token', token: identityToken }
  const registryToken = text(at(entry, 'registrytoken'))
  if (registryToken !== '') return { kind: 'registry-token', token: registryToken }
  const decoded = Buffer.from(text(at(entry, 'auth')), 'base64').toString()
  const colon = decoded.indexOf(':')
  const [username, password] =
    colon > 0
      ? [decoded.slice(0, colon), decoded.slice(colon + 1).replace(/\0+$/, '')]
      : [text(at(entry, 'username')), text(at(entry, 'password'))]
  return username === '' || password === '' ? undefined : { kind: 'password', username, password }
}

/** Runs a credential helper: it reads a name from its input and prints JSON (docker/docker-credential-helpers README, "Development"). */
async function askHelper(
  helper: string,
  registry: string,
  env: Environment,
  signal: AbortSignal
): Promise<FoundCredentials> {
  // it becomes part of the name of a program
  if (!/^[\w.-]+$/.test(helper)) return { failure: 'the name of the credential helper in config.json is not valid' }
  const program = `docker-credential-${helper}`
  const input = namesOf(registry)[0] ?? registry
  const options = { bound: 'credential-helper' as const, env, input, signal }
  const result = await exec(program, ['get'], options).catch((error: unknown) => {
    if (error instanceof BoundError) return error
    if (!signal.aborted) return undefined
    throw isTimeout(signal.reason)
      ? new RegistryError({ kind: 'unreachable', message: `no answer from ${program} in time` })
      : error
  })
  if (result instanceof BoundError)
    return { failure: `the credential helper ${program} gave ${describeLateness('credential-helper')}` }
  if (result === undefined) return { failure: `the credential helper ${program} could not be run` }
  if (result.exitCode !== 0) {
    // the helpers' constant for a missing login, which is not an error (docker-credential-helpers credentials/error.go)
    if (/credentials not found/i.test(result.stdout)) return {}
    return { failure: `the credential helper ${program} ended with exit code ${result.exitCode}` }
  }
  const answer = parseJson(result.stdout)
  const [username, secret] = [text(at(answer, 'Username')), text(at(answer, 'Secret'))]
  if (secret === '') return {}
  // this user name marks an identity token (docker/docker-credential-helpers README)
  if (username === '<token>') return { credentials: { kind: 'identity-token', token: secret } }
  return { credentials: { kind: 'password', username, password: secret } }
}

/** Returns credentials as the engine takes them, in the header X-Registry-Auth (API, "Authentication"). */
export function registryAuth(registry: string, credentials: Credentials): string {
  const serveraddress = registry === 'docker.io' ? HUB : registry
  const auth =
    credentials.kind === 'password'
      ? { username: credentials.username, password: credentials.password, serveraddress }
      : { [credentials.kind.replace('-', '')]: credentials.token, serveraddress }
  return Buffer.from(JSON.stringify(auth)).toString('base64url')
}

/** Returns the texts to redact for these credentials. */
export function secretsOf(credentials: Credentials): string[] {
  if (credentials.kind !== 'password') return [credentials.token]
  const { username, password } = credentials
  return [password, Buffer.from(`${username}:${password}`).toString('base64')]
}
