import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, type Dispatcher, request } from 'undici'
import { deadline } from '../lib/bounds.ts'
import { CancelledError } from '../lib/errors.ts'
import { at, parseJson, text } from '../lib/json.ts'
import type { Docker } from './docker.ts'

/** Maximum size of an answer in bytes. */
const LONGEST_ANSWER = 1_048_576

/** Environment variables of the docker client. */
type Environment = Readonly<Record<string, string | undefined>>

/** An answer of the engine's API. */
export interface EngineAnswer {
  status: number
  json: unknown
}

/** Where the engine's API listens. */
interface Address {
  origin: string
  dispatcher: Dispatcher
}

/**
 * Asks the engine's API (docs.docker.com, "Docker Engine API") what no docker command tells, at the address that the docker client
 * uses: a socket, or TCP with the certificates in DOCKER_CERT_PATH.
 *
 * @returns undefined if the address is of another kind, or if no complete answer arrives
 */
export async function askEngine(
  docker: Docker,
  env: Environment,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal
): Promise<EngineAnswer | undefined> {
  const args = ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']
  const { exitCode, stdout } = await docker.call(args, { signal, bound: 'engine-address' })
  const address = exitCode === 0 ? await addressOfEngine(stdout.trim(), env).catch(() => undefined) : undefined
  if (address === undefined) return undefined
  const { origin, dispatcher } = address
  try {
    const answer = await request(`${origin}${path}`, { dispatcher, headers, signal: deadline('engine-api', signal) })
    let body = ''
    for await (const chunk of answer.body) {
      body += String(chunk)
      if (body.length > LONGEST_ANSWER) return undefined
    }
    return { status: answer.statusCode, json: parseJson(body) }
  } catch {
    if (signal.aborted) throw new CancelledError()
    return undefined
  } finally {
    await dispatcher.destroy()
  }
}

async function addressOfEngine(host: string, env: Environment): Promise<Address | undefined> {
  const [, scheme, rest = ''] = /^(unix|tcp):\/\/(.+)$/.exec(host) ?? []
  if (scheme === undefined) return undefined
  if (scheme === 'unix') return { origin: 'http://engine', dispatcher: new Agent({ connect: { socketPath: rest } }) }
  const { DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, HOME = '/' } = env
  if (!DOCKER_TLS_VERIFY) return { origin: `http://${rest}`, dispatcher: new Agent() }
  const folder = DOCKER_CERT_PATH || join(HOME, '.docker')
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(join(folder, name)))
  )
  return { origin: `https://${rest}`, dispatcher: new Agent({ connect: { ca, cert, key } }) }
}

/** Returns the digest of an image in a registry (API DistributionInspect), by what the engine answered. */
export function digestIn({ json }: EngineAnswer): string {
  return text(at(json, 'Descriptor', 'digest'))
}
