import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { Log } from '../../../src/lib/log.ts'
import { Timeline } from '../../../src/lib/timeline.ts'
import { HttpRegistry } from '../../../src/registry/registry.ts'
import { makeCertificates, serverTls } from '../../../testbed/certificates.ts'
import type { Behaviour } from '../../../testbed/stand-in-behaviour.ts'
import { StandInRegistry } from '../../../testbed/stand-in-registry.ts'

const RECORDS = Buffer.from('[{"layers":[{"layer":0}]}]').toString('base64')
const CONFIG = {
  architecture: 'amd64',
  os: 'linux',
  config: { Labels: { a: 'b' }, OnBuild: ['RUN x'] },
  rootfs: { type: 'layers', diff_ids: ['sha256:1'] },
  history: [{ created_by: 'RUN a' }, { created_by: 'ENV a', empty_layer: true }],
  'moby.buildkit.cache.v0': RECORDS
}
const LAYER = Buffer.from('a layer')

let folder: string
let registry: StandInRegistry
let digest: string
let configDigest: string
/** What ends after each test. */
const opened: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'registry-'))
  registry = await StandInRegistry.start()
  const added = registry.addImage('octo/app', 'latest', { config: CONFIG, layers: [LAYER] })
  digest = added.digest
  configDigest = added.configDigest
})
afterEach(async () => {
  for (const end of opened.splice(0).reverse()) await end()
  await registry.stop()
  rmSync(folder, { recursive: true })
})

interface Opened {
  client: HttpRegistry
  calls: string[]
  log: () => string
  cancel: () => void
}

/** A client with docker's login, and a docker that knows nothing. */
function open({ login = true, retries = 0, patience = 5_000, buildx = '0.29.1', env = {}, engine = '' } = {}): Opened {
  const { username, password, identityToken, auth } = registry.behaviour
  const entry =
    auth === 'bearer-identity'
      ? { identitytoken: identityToken }
      : { auth: Buffer.from(`${username}:${password}`).toString('base64') }
  if (login) writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths: { [registry.host]: entry } }))
  const calls: string[] = []
  const docker: Docker = {
    call: async (args) => {
      calls.push(args.join(' '))
      if (args[0] === 'context' && engine !== '') return { exitCode: 0, stdout: `unix://${engine}\n`, stderr: '' }
      return { exitCode: 1, stdout: '', stderr: 'ERROR: connection refused' }
    }
  }
  let printed = ''
  const cancellation = new AbortController()
  const client = new HttpRegistry({
    docker,
    env: { DOCKER_CONFIG: folder, HOME: folder, ...env },
    insecure: { hosts: [], ranges: [] },
    platform: undefined,
    buildx,
    retries,
    patience,
    log: new Log(folder, true, (text) => {
      printed += text
    }),
    timeline: new Timeline(),
    signal: cancellation.signal
  })
  opened.push(() => client.end())
  return { client, calls, log: () => printed, cancel: () => cancellation.abort() }
}

const latest = (): string => `${registry.host}/octo/app:latest`

describe('A registry that only the engine can access', () => {
  const NOWHERE = '127.0.0.1:1/octo/app:latest'
  let socket: string
  let asked: { url: string | undefined; auth: string }[]

  /** Starts an engine that answers all questions so. */
  async function startEngine(status: number, json: object): Promise<void> {
    asked = []
    socket = join(folder, 'docker.sock')
    const server = createServer(({ url, headers }, response) => {
      asked.push({ url, auth: Buffer.from(String(headers['x-registry-auth'] ?? ''), 'base64url').toString() })
      response.writeHead(status).end(JSON.stringify(json))
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    opened.push(async () => server.close())
  }

  it('the engine tells the digest, with the login', async () => {
    await startEngine(200, { Descriptor: { digest } })
    const { client, log } = open({ engine: socket })
    const auths = { '127.0.0.1:1': { auth: Buffer.from('me:secret').toString('base64') } }
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths }))
    expect(await client.digest(NOWHERE)).toEqual({ value: digest })
    expect(await client.digest(`127.0.0.1:1/octo/app@${digest}`)).toEqual({ value: digest })
    expect(asked.map(({ url }) => url)).toEqual([
      `/distribution/${NOWHERE}/json`,
      `/distribution/127.0.0.1:1/octo/app@${digest}/json`
    ])
    expect(JSON.parse(asked[0]?.auth ?? '')).toEqual({
      ...{ username: 'me', password: 'secret', serveraddress: '127.0.0.1:1' }
    })
    expect(log().match(/The engine inspected/g)).toHaveLength(1)
    expect(log()).not.toContain('secret')
  })

  it('the engine tells that an image does not exist', async () => {
    await startEngine(404, { message: 'manifest unknown: manifest unknown' })
    expect((await open({ engine: socket }).client.digest(NOWHERE)).failure?.kind).toBe('absent')
  })

  it('nobody tells it: the failure is the own one, and the engine is asked once', async () => {
    await startEngine(500, { message: 'Get "https://127.0.0.1:1/v2/": x509: certificate signed by unknown authority' })
    const { client, calls } = open({ engine: socket })
    for (const tag of ['a', 'b']) {
      const { failure } = await client.digest(`127.0.0.1:1/octo/app:${tag}`)
      expect(failure).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') })
    }
    expect([asked.length, calls.length]).toEqual([1, 1])
  })
})

describe('published', () => {
  it.each<[string, Partial<Behaviour>]>([
    ['as the specification has it', {}],
    ['405 for a config as a manifest', { blobAsManifest: 405 }],
    ['500 for a config as a manifest', { blobAsManifest: 500 }],
    ['no HEAD', { noHead: true }],
    ['no Docker-Content-Digest', { noDigestHeader: true }],
    ['blobs elsewhere', { redirectBlobs: true }],
    ['Basic', { auth: 'basic' }],
    ['Bearer', { auth: 'bearer' }],
    ['Bearer for everybody', { auth: 'anonymous' }],
    ['Bearer with an identity token', { auth: 'bearer-identity' }],
    ['a token for one request', { auth: 'bearer', tokenUses: 1 }],
    ['blobs elsewhere, with Bearer', { auth: 'bearer', redirectBlobs: true }]
  ])('%s: the image is read, and no docker client is started', async (_, behaviour) => {
    registry.behaviour = behaviour
    const { client, calls } = open()
    expect(await client.published(latest())).toEqual({
      image: {
        digest,
        ids: [digest, configDigest],
        platform: 'linux/amd64',
        labels: { a: 'b' },
        runtime: expect.any(String),
        hasTriggers: true,
        layers: ['sha256:1'],
        manifest: { bytes: expect.any(Number), layers: [{ digest: expect.any(String), size: LAYER.length }] },
        history: [
          { createdBy: 'RUN a', empty: false },
          { createdBy: 'ENV a', empty: true }
        ],
        recorded: [0]
      }
    })
    expect(calls).toEqual([])
  })

  it.each<[string, Partial<Behaviour>, string, RegExp]>([
    ['a wrong password', { auth: 'basic', password: 'other' }, 'refused', /401/],
    ['a wrong password at the token server', { auth: 'bearer', password: 'other' }, 'refused', /401/],
    ['no right to pull', { auth: 'bearer', grants: [] }, 'refused', /40[13]/],
    ['a lying digest', { lyingDigest: true }, 'unknown', /digest/],
    ['a corrupt manifest', { corrupt: 'manifest' }, 'unknown', /digest/],
    ['a corrupt config', { corrupt: 'blob' }, 'unknown', /digest/],
    ['a manifest without an end', { endless: 'manifest' }, 'unknown', /longer than/],
    ['a config without an end', { endless: 'blob' }, 'unknown', /longer than/],
    ['a token without an end', { auth: 'bearer', endless: 'token' }, 'unknown', /longer than/],
    ['a manifest that trickles', { trickle: 'manifest' }, 'unreachable', /no answer in time/],
    ['a registry that never answers', { silent: 'manifest' }, 'unreachable', /no answer in time/],
    ['a token server that never answers', { auth: 'bearer', silent: 'token' }, 'unreachable', /no answer in time/],
    ['500', { refuse: { action: 'pull', status: 500, code: 'UNKNOWN' } }, 'unreachable', /500.*UNKNOWN/],
    ['403', { refuse: { action: 'pull', status: 403, code: 'DENIED' } }, 'refused', /403.*DENIED/],
    ['418', { refuse: { action: 'pull', status: 418, code: 'TEAPOT' } }, 'unknown', /418/]
  ])('%s is a failure', async (_, behaviour, kind, message) => {
    const { client, log } = (() => {
      registry.behaviour = { auth: behaviour.auth ?? 'none' }
      const made = open({ patience: 1_500 })
      registry.behaviour = behaviour
      return made
    })()
    const { failure } = await client.published(latest())
    expect(failure).toMatchObject({ kind, message: expect.stringMatching(message) })
    expect(log() + JSON.stringify(failure)).not.toContain('password-of-the-stand-in')
  })

  it('a tag, a repository or a registry that does not exist', async () => {
    const { client } = open()
    expect((await client.published(`${registry.host}/octo/app:none`)).failure?.kind).toBe('absent')
    expect((await client.published(`${registry.host}/octo/none:latest`)).failure?.kind).toBe('absent')
    const refused = await client.published('127.0.0.1:1/octo/app:latest')
    expect(refused.failure).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') })
    expect((await client.published('not a reference')).failure?.kind).toBe('unknown')
  })

  it('is read once, and side by side', async () => {
    registry.set({ delay: 100 })
    const { client } = open()
    const start = performance.now()
    const references = ['latest', `latest@${digest}`].map((tag) => `${registry.host}/octo/app:${tag}`)
    await Promise.all([...references, ...references].map((reference) => client.published(reference)))
    // one after the other it would be four times 100 ms, and more for what is asked twice
    expect(performance.now() - start).toBeLessThan(700)
    expect(registry.requests.filter(({ path }) => path.includes('/manifests/'))).toHaveLength(2)
  })

  it('one login serves all requests of a scope', async () => {
    registry.behaviour = { auth: 'bearer' }
    const { client } = open()
    await Promise.all([client.published(latest()), client.published(`${registry.host}/octo/app@${digest}`)])
    expect(registry.requests.filter(({ path }) => path.includes('token'))).toHaveLength(1)
  })

  it.each(['seconds', 'date'] as const)('429 is tried again after Retry-After in %s', async (retryAfter) => {
    registry.set({ tooMany: { count: 1, retryAfter, seconds: 2 } })
    const { client, log } = open({ retries: 1, patience: 20_000 })
    const start = performance.now()
    expect((await client.published(latest())).image?.digest).toBe(digest)
    expect(performance.now() - start).toBeGreaterThan(1_900)
    expect(log()).toMatch(/transient error, retrying in \d\.\d s \(attempt 2 of 2\): HTTP status 429/)
  })

  it('credentials go to the registry and its token server alone, and only after a challenge', async () => {
    registry.behaviour = { auth: 'bearer', redirectBlobs: true }
    const { client } = open()
    await client.published(latest())
    expect(registry.requests[0]?.authorization).toBe('none')
    expect(
      registry.requests.filter(({ server, authorization }) => server === 'storage' && authorization !== 'none')
    ).toEqual([])
    expect(registry.requests.find(({ server }) => server === 'storage')).toBeDefined()
  })

  it('a cancellation ends it', async () => {
    registry.set({ silent: 'manifest' })
    const { client, cancel } = open({ patience: 60_000 })
    const read = client.published(latest())
    setTimeout(cancel, 100)
    await expect(read).rejects.toThrow(CancelledError)
  })

  it('the image of a platform is chosen from an index, and attestations are not images', async () => {
    const other = registry.addImage('octo/app', 'other', { config: { ...CONFIG, config: { Labels: { a: 'arm' } } } })
    registry.addIndex('octo/app', 'index', [
      { digest: other.digest, platform: { os: 'unknown', architecture: 'unknown' } },
      { digest: other.digest, platform: { os: 'linux', architecture: 'riscv64' } },
      { digest, platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : 'arm64' } }
    ])
    const { client } = open()
    const { image } = await client.published(`${registry.host}/octo/app:index`)
    expect(image).toMatchObject({ labels: { a: 'b' }, digest: registry.digestOf('octo/app', 'index') })
    expect(image?.ids).toEqual([registry.digestOf('octo/app', 'index'), digest, configDigest])
  })
})

describe('current', () => {
  it('is read anew, and the config only if the image is another one', async () => {
    const { client } = open()
    await client.published(latest())
    registry.clearRequests()
    expect((await client.current(latest())).image?.digest).toBe(digest)
    expect(registry.requests.map(({ path }) => path)).toEqual(['/v2/octo/app/manifests/latest'])
    const other = registry.addImage('octo/app', 'latest', { config: { ...CONFIG, author: 'x' } })
    expect((await client.current(latest())).image?.digest).toBe(other.digest)
    expect((await client.published(latest())).image?.digest).toBe(digest)
  })
})

describe('digest', () => {
  it.each<[string, Partial<Behaviour>, string]>([
    ['by HEAD', {}, 'HEAD'],
    ['by GET where there is no HEAD', { noHead: true }, 'HEAD GET'],
    ['by GET where HEAD tells no digest', { noDigestHeader: true }, 'HEAD GET']
  ])('%s', async (_, behaviour, methods) => {
    registry.behaviour = behaviour
    const { client } = open()
    expect(await client.digest(latest())).toEqual({ value: digest })
    const asked = registry.requests.filter(({ path }) => path.includes('/manifests/'))
    expect(asked.map(({ method }) => method).join(' ')).toBe(methods)
    expect((await client.digest(`${registry.host}/octo/app:none`)).failure?.kind).toBe('absent')
  })
})

describe('tag', () => {
  it('gives an image further tags of its repository, byte for byte', async () => {
    registry.behaviour = { auth: 'bearer' }
    const { client, calls } = open()
    const references = ['a', 'b'].map((tag) => `${registry.host}/octo/app:${tag}`)
    const { tagged, failure } = await client.tag(`${registry.host}/octo/app@${digest}`, references)
    expect({ failure, tagged: [...tagged] }).toEqual({
      failure: undefined,
      tagged: references.map((one) => [one, digest])
    })
    for (const tag of ['a', 'b'])
      expect(registry.manifest('octo/app', tag)).toEqual(registry.manifest('octo/app', 'latest'))
    expect(calls).toEqual([])
  })

  it('takes an index as it is', async () => {
    const index = registry.addIndex('octo/app', 'index', [{ digest, platform: { os: 'linux', architecture: 'amd64' } }])
    const { client } = open()
    await client.tag(`${registry.host}/octo/app:index`, [`${registry.host}/octo/app:a`])
    expect(registry.digestOf('octo/app', 'a')).toBe(index)
  })

  it('says which were set before one failed', async () => {
    registry.set({ refuse: { action: 'push', status: 403, code: 'DENIED', reference: 'b' } })
    const { client } = open()
    const references = ['a', 'b', 'c'].map((tag) => `${registry.host}/octo/app:${tag}`)
    const { tagged, failure } = await client.tag(latest(), references)
    expect([...tagged.keys()]).toEqual(references.slice(0, 1))
    expect(failure).toMatchObject({ kind: 'refused', message: expect.stringContaining('DENIED') })
    expect(registry.tags('octo/app')).toEqual(['a', 'latest'])
  })

  it.each<[string, Partial<Behaviour>, string]>([
    ['an image that is not there', {}, 'absent'],
    ['a login that may only pull', { auth: 'bearer', grants: ['pull'] }, 'refused'],
    ['a registry that never answers', { silent: 'tag' }, 'unreachable']
  ])('%s: nothing is tagged', async (_, behaviour, kind) => {
    registry.behaviour = behaviour
    const { client } = open({ patience: 1_000 })
    const source = kind === 'absent' ? `${registry.host}/octo/app:none` : latest()
    const { tagged, failure } = await client.tag(source, [`${registry.host}/octo/app:a`])
    expect({ tagged: [...tagged], kind: failure?.kind }).toEqual({ tagged: [], kind })
    expect(registry.tags('octo/app')).toEqual(['latest'])
  })

  it('in another repository is done by the docker client', async () => {
    const { client, calls } = open()
    await client.tag(latest(), [`${registry.host}/octo/other:a`])
    expect(calls).toEqual([
      `buildx imagetools create --prefer-index=false --tag ${registry.host}/octo/other:a ${latest()}`
    ])
  })
})

describe('Where this machine has no access', () => {
  it('the docker client is asked once for a registry', async () => {
    const { client, calls } = open()
    for (const tag of ['a', 'b', 'c']) await client.published(`127.0.0.1:1/octo/app:${tag}`)
    expect(calls).toEqual(['buildx imagetools inspect --raw 127.0.0.1:1/octo/app:a'])
  })

  it('and the engine where an image must be read at this moment', async () => {
    const { client, calls } = open({ buildx: '' })
    await client.current('127.0.0.1:1/octo/app:a')
    expect(calls.filter((call) => call.startsWith('pull'))).toEqual(['pull 127.0.0.1:1/octo/app:a'])
  })

  it('a credential helper that fails is named, and the client is asked', async () => {
    registry.behaviour = { auth: 'bearer' }
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ credsStore: 'shared-docker-layers-none' }))
    const { client, calls } = open({ login: false })
    const { failure } = await client.published(latest())
    expect(failure?.message).toBe('the credential helper docker-credential-shared-docker-layers-none could not be run')
    expect(calls).toHaveLength(1)
  })
})

describe('TLS', () => {
  let certificates: Awaited<ReturnType<typeof makeCertificates>>
  let files: string

  beforeAll(async () => {
    files = mkdtempSync(join(tmpdir(), 'certificates-'))
    certificates = await makeCertificates(files)
  })
  afterAll(() => rmSync(files, { recursive: true }))

  /** Loopback addresses are never verified, so the registry has a name, and a proxy that leads to it. */
  async function openByName(withClient: boolean, trusted: boolean): Promise<Opened & { name: string }> {
    await registry.stop()
    registry = await StandInRegistry.start({}, { tls: await serverTls(certificates, withClient) })
    registry.addImage('octo/app', 'latest', { config: CONFIG, layers: [LAYER] })
    const [, port] = registry.host.split(':')
    const proxy = createServer()
    const sockets = new Set<Socket>()
    proxy.on('connect', (_, socket: Socket) => {
      const server = connect(Number(port), '127.0.0.1')
      for (const one of [socket, server]) {
        sockets.add(one)
        one.on('error', () => one.destroy())
      }
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      server.pipe(socket).pipe(server)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    opened.push(async () => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    })
    const name = 'registry.test'
    if (trusted) {
      const own = join(folder, '.config', 'docker', 'certs.d', name)
      mkdirSync(own, { recursive: true })
      const { readFileSync } = await import('node:fs')
      writeFileSync(join(own, 'ca.crt'), readFileSync(certificates.ca))
      if (withClient) {
        writeFileSync(join(own, 'client.cert'), readFileSync(certificates.client.certificate))
        writeFileSync(join(own, 'client.key'), readFileSync(certificates.client.key))
      }
    }
    const env = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` }
    return { ...open({ login: false, env }), name }
  }

  it.each([
    ['a private CA', false],
    ['a client certificate', true]
  ])('%s of certs.d is used, by way of a proxy', async (_, withClient) => {
    const { client, name } = await openByName(withClient, true)
    expect((await client.published(`${name}/octo/app:latest`)).image?.digest).toBe(digest)
  })

  it('a certificate of an unknown CA is refused', async () => {
    const { client, name } = await openByName(false, false)
    const { failure } = await client.published(`${name}/octo/app:latest`)
    expect(failure).toMatchObject({ kind: 'untrusted', clientMaySucceed: true })
    expect(registry.requests).toEqual([])
  })

  it('a registry on a loopback address may have any certificate', async () => {
    await registry.stop()
    registry = await StandInRegistry.start({}, { tls: await serverTls(certificates) })
    registry.addImage('octo/app', 'latest', { config: CONFIG, layers: [LAYER] })
    const { client } = open()
    expect((await client.published(latest())).image?.digest).toBe(digest)
  })
})

describe('Registries and proxies that differ from the specification', () => {
  /** A server for one test. */
  async function serve(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
    onConnect?: (socket: Socket) => void
  ): Promise<string> {
    const server = createServer(answer)
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => sockets.add(socket))
    if (onConnect) server.on('connect', (_, socket: Socket) => onConnect(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push(async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('a repository that is hidden from anonymous users is read after a login at /v2/', async () => {
    const asked: string[] = []
    const bytes = JSON.stringify({ config: { digest: `sha256:${'c'.repeat(64)}`, size: 1 }, layers: [] })
    const host = await serve(({ url = '', headers }, response) => {
      asked.push(`${url} ${headers.authorization === undefined ? 'anonymous' : 'with a login'}`)
      if (headers.authorization !== undefined) response.end(bytes)
      else if (url === '/v2/') response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      else response.writeHead(404).end()
    })
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth: 'YTpi' } } }))
    const { client } = open({ login: false })
    expect((await client.digest(`${host}/octo/app:a`)).value).toBe(
      `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    )
    expect(asked).toContain('/v2/ anonymous')
    expect(asked.at(-1)).toBe('/v2/octo/app/manifests/a with a login')
  })

  it('without credentials a 404 is an answer, and nothing more is asked', async () => {
    const asked: string[] = []
    const host = await serve(({ url = '' }, response) => {
      asked.push(url)
      response.writeHead(404).end()
    })
    const { client } = open({ login: false })
    expect((await client.published(`${host}/octo/app:a`)).failure?.kind).toBe('absent')
    expect(asked.filter((url) => url.startsWith('/v2/octo'))).toEqual(['/v2/octo/app/manifests/a'])
  })

  it('a redirect of a manifest or of the token server is left to the docker client', async () => {
    const host = await serve((_, response) => response.writeHead(307, { location: 'https://other.test/' }).end())
    const { client, calls } = open({ login: false })
    const { failure } = await client.published(`${host}/octo/app:a`)
    expect(failure).toMatchObject({ clientMaySucceed: true, message: 'HTTP status 307' })
    expect(calls).toHaveLength(1)
  })

  it.each(['never answers', 'refuses'])('a proxy that %s is no end of the run', async (how) => {
    const proxy = await serve(
      () => {},
      (socket) => void (how === 'refuses' && socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
    )
    const { client } = open({ login: false, patience: 1_000, env: { HTTPS_PROXY: `http://${proxy}` } })
    const start = performance.now()
    const { failure } = await client.published('registry.test/octo/app:a')
    expect(failure?.kind).toBe('unreachable')
    expect(performance.now() - start).toBeLessThan(5_000)
  })

  it('a cancellation ends a request by way of a proxy that never answers', async () => {
    const proxy = await serve(
      () => {},
      () => {}
    )
    const { client, cancel } = open({ login: false, patience: 60_000, env: { HTTPS_PROXY: `http://${proxy}` } })
    const read = client.published('registry.test/octo/app:a')
    setTimeout(cancel, 100)
    await expect(read).rejects.toThrow(CancelledError)
    await client.end()
  })

  it('a manifest that was read need not be read again to be tagged', async () => {
    const { client } = open()
    await client.published(`${registry.host}/octo/app@${digest}`)
    registry.clearRequests()
    await client.tag(`${registry.host}/octo/app@${digest}`, [`${registry.host}/octo/app:a`])
    expect(registry.requests.filter(({ path }) => path.includes('/manifests/')).map(({ method }) => method)).toEqual([
      'PUT'
    ])
  })
})
