import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type Agent,
  type AgentOptions,
  availableEngines,
  type Behaviour,
  type Certificates,
  type EngineSpec,
  makeCertificates,
  type StandInRegistry,
  serverTls,
  startStandIn
} from '../../testbed/index.ts'
import { type Event, type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, executedRuns, isNewest, missesOf, sampled, short } from '../support/harness.ts'
import { mergeGroupEvent } from '../support/workflow-events.ts'

const REVISION = 'org.opencontainers.image.revision'
/** User agent of the action's own requests. */
const OWN = 'shared-docker-layers'
/** RUN instructions that a warm run executes after `nextCommit`. */
const CHANGED = ['builder: RUN cat src/* > app.txt']

/** The legacy strategy without buildx, and the inline strategy with the newest engine and the containerd store. */
const engines = sampled(
  availableEngines().filter(
    ({ version, store }) => version === '20.10' || (version === '28.5' && store === 'containerd')
  ),
  isNewest
)
/** The legacy strategy, whose engine passes on the words of registries, and the one that tells only a status. */
const enginesByWords = availableEngines().filter(
  ({ version, store }) => version === '20.10' || (version === '26.1' && store === 'containerd')
)

let source: SourceRepository
let commits = 0

beforeAll(() => {
  source = new SourceRepository(bed.folder, application(base))
})

function nextCommit(): string {
  return source.commit({ 'src/main.txt': `version ${++commits}\n` })
}

async function play(
  agent: Agent,
  image: string,
  sha: string,
  inputs: Record<string, string> = {},
  event: Event = pushEvent(sha, 'master')
): Promise<Outcome> {
  return runAction(agent, {
    workspace: source.checkout(sha),
    event,
    inputs: { image, tests: 'test "$CI" = true', ...inputs }
  })
}

async function withStandIn<T>(
  behaviour: Partial<Behaviour>,
  use: (registry: StandInRegistry) => Promise<T>,
  options: Parameters<typeof startStandIn>[2] = {}
): Promise<T> {
  const registry = await startStandIn(bed, behaviour, options)
  try {
    return await use(registry)
  } finally {
    await registry.stop()
  }
}

/** Does something on a brand-new agent. */
async function onAgent<T>(spec: EngineSpec, use: (agent: Agent) => Promise<T>, options: AgentOptions = {}): Promise<T> {
  const agent = await bed.agent(spec, options)
  try {
    return await use(agent)
  } finally {
    await agent.stop()
  }
}

/** Does something for each, all at once, and waits for all of it, also where one fails. */
async function forAll<T>(all: readonly T[], use: (one: T, index: number) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(all.map(use))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function logIn(agent: Agent, host: string, { username, password }: Behaviour): Promise<void> {
  await agent.run('docker', ['login', '--username', username, '--password-stdin', host], { input: password })
}

/** The calls of docker in a run's timeline. */
function commandsOf({ report }: Outcome): string[] {
  const { timeline } = report as { timeline: { kind: string; name: string }[] }
  return timeline.flatMap(({ kind, name }) => (kind === 'command' ? [name] : []))
}

/** The docker clients that a run started to inspect or tag images. */
function clientsOf(outcome: Outcome): string[] {
  return commandsOf(outcome).filter((name) => name.startsWith('docker buildx imagetools'))
}

/** Requests of the action itself for manifests: METHOD TAG. */
function ownRequests(registry: StandInRegistry): string[] {
  return registry.requests
    .filter(({ userAgent, path }) => userAgent === OWN && path.includes('/manifests/'))
    .map(({ method, path }) => `${method} ${path.replace(/^.*\//, '')}`)
}

/** Requests of the action in a run that publishes; with the legacy strategy the engine pushes the builder image. */
function publishingRequests({ version }: EngineSpec): string[] {
  return ['GET latest', 'PUT latest', ...(version === '20.10' ? [] : ['PUT builder'])]
}

function said(outcome: Outcome): string[] {
  return [...annotations(outcome, 'warning'), ...annotations(outcome, 'error')]
}

/** Asserts that a run reused all unchanged layers and published, without a warning. */
function expectWarm(outcome: Outcome): void {
  expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
  expect({ said: said(outcome), ran: executedRuns(outcome) }).toEqual({ said: [], ran: CHANGED })
  expect(outcome.outputs).toMatchObject({ 'cache-hit': 'partial', pushed: 'true', published: 'true' })
}

describe('Two commits on new agents', () => {
  let shas: string[]

  beforeAll(() => {
    shas = [nextCommit(), nextCommit()]
  })

  /** What a run tells programs. */
  interface Told {
    told: object
    pullBytes: number
  }

  function toldBy(outcome: Outcome, host: string): Told {
    const names = ['cache-hit', 'cached-steps', 'total-steps', 'pushed', 'published', 'publish-reason', 'tags']
    const values = names.map((name) => [name, outcome.outputs[name]])
    const misses = Object.entries(missesOf(outcome)).map(([stage, miss]) => [stage, miss?.line, miss?.kind])
    const told = JSON.stringify({ ...Object.fromEntries(values), misses, said: said(outcome) })
    return { told: JSON.parse(told.replaceAll(host, 'HOST')), pullBytes: Number(outcome.outputs['pull-bytes']) }
  }

  /** @param standIn instead of the bed's own registry */
  async function playChain(engine: EngineSpec, repository: string, standIn?: StandInRegistry): Promise<Told[]> {
    const results: Told[] = []
    for (const sha of shas) {
      await onAgent(engine, async (agent) => {
        const host = standIn ? await agent.forward(5002, standIn.url) : bed.registry.host
        const outcome = await play(agent, `${host}/${repository}`, sha)
        if (sha === shas[0]) expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        else expectWarm(outcome)
        // the last test of this file finds such a command, with a registry that the action cannot access
        expect(commandsOf(outcome)).toEqual(expect.arrayContaining(['docker info', 'docker push']))
        expect(clientsOf(outcome)).toEqual([])
        results.push(toldBy(outcome, host))
      })
    }
    return results
  }

  it.each(engines)(
    'have the same outputs if the registry serves no config as a manifest: Docker $version, $store store',
    async (engine) => {
      const repository = `octo/chain-${engine.version}-${engine.store}`
      await withStandIn({ blobAsManifest: 500 }, async (standIn) => {
        const [real = [], other = []] = await Promise.all([
          playChain(engine, repository),
          playChain(engine, repository, standIn)
        ])
        expect(other.map(({ told }) => told)).toEqual(real.map(({ told }) => told))
        for (const [index, { pullBytes }] of real.entries()) {
          // a graph driver compresses the base image again for another registry
          expect(Math.abs(Number(other[index]?.pullBytes) / pullBytes - 1)).toBeLessThan(0.05)
        }
        const digests = standIn.requests.flatMap(({ path }) => /\/manifests\/(sha256:.*)$/.exec(path)?.[1] ?? [])
        expect(digests.length).toBeGreaterThan(0)
        expect(digests.filter((digest) => !standIn.manifest(repository, digest))).toEqual([])
      })
    }
  )
})

/** Repository for the commits of most tests with shared runners. */
const CHAIN = 'octo/chain'

/** An agent that tests share, and the stand-in that it reaches as HOST. */
interface Runner {
  agent: Agent
  registry: StandInRegistry
  host: string
}

describe('Docker 20.10 and 28.5', () => {
  let runners: Runner[]

  beforeAll(async () => {
    runners = await Promise.all(engines.map(startRunner))
    const sha = nextCommit()
    await forAll(runners, async (runner) => {
      expect(ending(await playAnew(runner, CHAIN, sha))).toEqual({ exitCode: 0, log: '' })
    })
  })

  afterAll(async () => {
    await forAll(runners, async ({ agent, registry }) => {
      await agent.stop()
      await registry.stop()
    })
  })

  async function startRunner(engine: EngineSpec): Promise<Runner> {
    const [agent, registry] = await Promise.all([bed.agent(engine), startStandIn(bed)])
    return { agent, registry, host: await agent.forward(5002, registry.url) }
  }

  /** Runs a commit after removing all images and build cache of the engine. */
  async function playAnew(
    { agent, registry, host }: Runner,
    repository: string,
    sha: string,
    inputs: Record<string, string> = {}
  ): Promise<Outcome> {
    await agent.docker('system', 'prune', '--all', '--force')
    registry.clearRequests()
    return play(agent, `${host}/${repository}`, sha, inputs)
  }

  function movingDigests({ registry }: Runner, repository = CHAIN): (string | undefined)[] {
    return ['builder', 'latest'].map((tag) => registry.digestOf(repository, tag))
  }

  function commitOfLatest({ registry }: Runner): string {
    return registry.config(CHAIN, 'latest').config.Labels[REVISION]
  }

  describe('login', () => {
    /** Credentials and tokens in the header Authorization of all requests. */
    const sent = new Set<string>()

    function onRequest(message: unknown): void {
      const { authorization = '' } = (message as { request: IncomingMessage }).request.headers
      const [, value] = /^\w+ (.+)$/.exec(authorization) ?? []
      if (value !== undefined) sent.add(value)
    }

    beforeAll(() => subscribe('http.server.request.start', onRequest))
    afterAll(() => {
      unsubscribe('http.server.request.start', onRequest)
    })

    function ownTokens({ registry }: Runner): number {
      return registry.requests.filter(({ userAgent, path }) => userAgent === OWN && path === '/token').length
    }

    it.each([
      ['bearer', 'bearer'],
      ['basic', 'bearer-identity']
    ] as const)('the action publishes, renews its token and shows no credential: %s and %s', async (...kinds) => {
      const inputs = { 'skip-unchanged-tests': 'true' }
      const [first, second] = [nextCommit(), nextCommit()]
      const third = source.commit({ 'docs.txt': `${kinds.join()}\n` })
      await forAll(runners, async (runner, index) => {
        const auth = kinds[index] ?? 'bearer'
        const repository = `octo/login-${auth}`
        const { agent, registry, host } = runner
        registry.behaviour = { auth }
        await logIn(agent, host, registry.behaviour)

        const cold = await playAnew(runner, repository, first, inputs)
        expect(ending(cold)).toEqual({ exitCode: 0, log: '' })
        expect({ said: said(cold), ran: executedRuns(cold).length }).toEqual({ said: [], ran: 3 })
        const before = movingDigests(runner, repository)

        const warm = await playAnew(runner, repository, second, inputs)
        expectWarm(warm)
        const after = movingDigests(runner, repository)
        expect([...before, ...after]).not.toContain(undefined)
        expect(new Set([...before, ...after]).size).toBe(4)
        expect(after[1]).toBe(warm.outputs.digest)
        expect(ownRequests(registry)).toEqual(expect.arrayContaining(publishingRequests(agent.spec)))
        // one for pull, one for pull and push
        expect(ownTokens(runner)).toBe(auth === 'basic' ? 0 : 2)

        // engines cannot push with a token that expires meanwhile, but this run pushes nothing
        registry.set({ tokenUses: 4 })
        const unchanged = await playAnew(runner, repository, third, inputs)
        expect(ending(unchanged)).toEqual({ exitCode: 0, log: '' })
        expect(said(unchanged)).toEqual([])
        expect(commandsOf(unchanged)).not.toContain('docker push')
        expect(unchanged.outputs).toMatchObject({ 'cache-hit': 'full', published: 'true', digest: after[1] })
        expect(registry.digestOf(repository, short(third))).toBe(after[1])
        // one more after each four requests
        expect(ownTokens(runner)).toBe(auth === 'basic' ? 0 : 4)

        const { password, identityToken } = registry.behaviour
        const secrets = [password, identityToken, ...sent]
        expect(secrets.length).toBeGreaterThan(2)
        for (const { log, report, summary, outputs, post } of [cold, warm, unchanged]) {
          const told = JSON.stringify({ log, report, summary, outputs, post })
          expect(told).toContain(`${host}/${repository}`)
          expect(secrets.filter((secret) => told.includes(secret))).toEqual([])
        }
      })
    })
  })

  describe('registry that differs', () => {
    it.each<Partial<Behaviour>>([
      { noHead: true, redirectBlobs: true },
      { noDigestHeader: true, refuseIndex: true }
    ])('the next run is warm and publishes: %j', async (behaviour) => {
      const sha = nextCommit()
      await forAll(runners, async (runner) => {
        const { agent, registry } = runner
        registry.behaviour = behaviour
        const outcome = await playAnew(runner, CHAIN, sha)
        expectWarm(outcome)
        expect(movingDigests(runner)[1]).toBe(outcome.outputs.digest)
        expect(ownRequests(registry)).toEqual(expect.arrayContaining(publishingRequests(agent.spec)))
      })
    })

    it('the action waits as long as Retry-After asks: seconds, and a date', async () => {
      const sha = nextCommit()
      await forAll(runners, async (runner, index) => {
        const retryAfter = index === 0 ? 'seconds' : 'date'
        const tooMany = { count: 2, retryAfter, seconds: 3, subject: 'manifest', method: 'GET' } as const
        runner.registry.behaviour = { tooMany }
        const outcome = await playAnew(runner, CHAIN, sha)
        expectWarm(outcome)
        const lines = outcome.log.matchAll(/^(\w+) .*: transient error, retrying in ([\d.]+) s /gm)
        const retries = [...lines].map(([, what, seconds]) => ({ what, seconds: Number(seconds) }))
        // the first question is the action's own: what the base image is
        expect(new Set(retries.map(({ what }) => what))).toEqual(new Set(['Inspect']))
        expect(Math.min(...retries.map(({ seconds }) => seconds))).toBeGreaterThanOrEqual(2.9)
      })
    })

    it('the moving tags stay if a digest is wrong: that of an answer, or of what it contains', async () => {
      const sha = nextCommit()
      await forAll(runners, async (runner, index) => {
        const before = movingDigests(runner)
        runner.registry.behaviour = index === 0 ? { lyingDigest: true } : { corrupt: 'manifest' }
        const outcome = await playAnew(runner, CHAIN, sha)
        expect(ending(outcome, 1)).toEqual({ exitCode: 1, log: '' })
        expect(movingDigests(runner)).toEqual(before)
        expect(outcome.outputs.published).toBe('false')
        expect(annotations(outcome, 'error')).toEqual([
          expect.stringMatching(/^::error::Cannot inspect the published image .*the digest of the answer is sha256:/)
        ])
      })
    })
  })

  describe('guard', () => {
    it('the moving tags stay if the published image cannot be inspected: status 403, and 500', async () => {
      const sha = nextCommit()
      await forAll(runners, async (runner, index) => {
        const [status, code] = index === 0 ? [403, 'DENIED'] : [500, 'UNKNOWN']
        const { registry, host } = runner
        const before = movingDigests(runner)
        registry.behaviour = { refuse: { action: 'pull', status, code, reference: 'latest' } }
        const outcome = await playAnew(runner, CHAIN, sha, { retries: '1' })
        expect(ending(outcome, 1)).toEqual({ exitCode: 1, log: '' })
        expect(movingDigests(runner)).toEqual(before)
        expect(before[1]).not.toBe(registry.digestOf(CHAIN, short(sha)))
        const image = `${host}/${CHAIN}`
        expect(outcome.outputs).toMatchObject({
          pushed: 'true',
          published: 'false',
          tags: `${image}:${short(sha)}`,
          digest: registry.digestOf(CHAIN, short(sha))
        })
        expect(registry.config(CHAIN, short(sha)).config.Labels[REVISION]).toBe(sha)
        expect(annotations(outcome, 'error')).toEqual([
          expect.stringContaining(`::error::Cannot inspect the published image ${image}:latest, `)
        ])
        expect(annotations(outcome, 'error')[0]).toContain(`HTTP status ${status}`)
      })
    })

    it('the moving tags move if nothing is published, or with one warning if the published image names no commit', async () => {
      const sha = nextCommit()
      await forAll(runners, async (runner, index) => {
        const { registry, host } = runner
        const isAbsent = index === 0
        const refuse = { action: 'pull', status: 404, code: 'MANIFEST_UNKNOWN', reference: 'latest' } as const
        registry.behaviour = isAbsent ? { refuse } : {}
        if (!isAbsent) {
          forgetCommit(registry)
          expect(commitOfLatest(runner)).toBeUndefined()
        }
        const outcome = await playAnew(runner, CHAIN, sha)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        const warning = `::warning::The published image ${host}/${CHAIN}:latest names no commit; updating it`
        expect(said(outcome)).toEqual(isAbsent ? [] : [expect.stringContaining(warning)])
        expect(outcome.outputs).toMatchObject({ published: 'true', digest: movingDigests(runner)[1] })
        expect(commitOfLatest(runner)).toBe(sha)
      })
    })

    /** Removes the label of the commit from the image of the moving tag. */
    function forgetCommit(registry: StandInRegistry): void {
      const config = registry.config(CHAIN, 'latest')
      delete config.config.Labels[REVISION]
      const bytes = Buffer.from(JSON.stringify(config))
      const { mediaType = '', bytes: before = '' } = registry.manifest(CHAIN, 'latest') ?? {}
      const manifest = JSON.parse(before.toString())
      manifest.config = { ...manifest.config, digest: registry.addBlob(CHAIN, bytes), size: bytes.length }
      registry.addManifest(CHAIN, 'latest', mediaType, JSON.stringify(manifest))
    }
  })
})

describe('A registry with immutable tags', () => {
  const REPOSITORY = 'octo/immutable-tags'
  const MAY_MOVE = ['latest', 'builder', 'builder-next']
  const refusal = { status: 400, code: 'TAG_INVALID', message: 'tags of this repository are immutable' }
  // without a cache, a second run of a commit builds another digest
  const inputs = { 'cache-tags': 'none' }

  it('keeps the image of a commit; moving tags must move', async () => {
    const [queued, next] = [nextCommit(), nextCommit()]
    await forAll(enginesByWords, async (engine) => {
      await withStandIn({ immutable: { ...refusal, except: MAY_MOVE } }, async (registry) => {
        const run = (sha: string, event?: Event): Promise<Outcome> =>
          onAgent(engine, async (agent) => {
            const host = await agent.forward(5002, registry.url)
            return play(agent, `${host}/${REPOSITORY}`, sha, inputs, event)
          })
        const digestOf = (tag: string): string | undefined => registry.digestOf(REPOSITORY, tag)
        const commitOf = (tag: string): string => registry.config(REPOSITORY, tag).config.Labels[REVISION]

        const first = await run(queued, mergeGroupEvent(queued, 'gh-readonly-queue/master/pr-7'))
        expect(ending(first)).toEqual({ exitCode: 0, log: '' })
        const kept = digestOf(short(queued))
        expect([kept, digestOf('latest')]).toEqual([first.outputs.digest, undefined])

        const second = await run(queued)
        expect(ending(second)).toEqual({ exitCode: 0, log: '' })
        expect(said(second)).toEqual([])
        expect(annotations(second, 'notice')).toEqual([
          expect.stringMatching(/:[0-9a-f]{7} already names an image of this commit with the same content/)
        ])
        expect(second.outputs).toMatchObject({ published: 'true', digest: kept })
        expect([digestOf(short(queued)), digestOf('latest')]).toEqual([kept, kept])
        expect(commitOf('builder')).toBe(queued)

        registry.behaviour = { immutable: { ...refusal, except: [] } }
        const third = await run(next)
        expect(ending(third, 1)).toEqual({ exitCode: 1, log: '' })
        expect(annotations(third, 'error')).toEqual([
          expect.stringMatching(/:(builder(-next)?|latest) cannot move .*: moving tags must be allowed to move/)
        ])
        expect(third.outputs).toMatchObject({ published: 'false', digest: digestOf(short(next)) })
        expect([commitOf(short(next)), commitOf('latest')]).toEqual([next, queued])
      })
    })
  })
})

describe('A registry that refuses to mount layers of the base image', () => {
  it('a graph driver uploads them; with the containerd store, the run fails at once', async () => {
    // the address at which every agent reaches its stand-in
    const own = '127.0.0.1:5002/octo/base:1'
    const files = new SourceRepository(bed.folder, application(own))
    const sha = files.commit({ 'src/main.txt': 'mount\n' })
    await forAll(engines, async (engine) => {
      await withStandIn({}, (registry) =>
        onAgent(engine, async (agent) => {
          const image = `${await agent.forward(5002, registry.url)}/octo/mount`
          await agent.docker('pull', base)
          await agent.docker('tag', base, own)
          await agent.docker('push', own)
          await agent.docker('image', 'rm', base, own)
          // BuildKit's own pull does not record where the layers come from
          await agent.docker('pull', own)
          registry.behaviour = { refuseMount: true }
          const outcome = await runAction(agent, {
            workspace: files.checkout(sha),
            event: pushEvent(sha, 'master'),
            inputs: { image, tests: 'true' }
          })
          expect(registry.requests.some(({ query }) => query.includes('from=octo'))).toBe(true)
          const isUploaded = engine.store !== 'containerd'
          expect(ending(outcome, isUploaded ? 0 : 1)).toEqual({ exitCode: isUploaded ? 0 : 1, log: '' })
          const denied = expect.stringContaining(`::error::Access denied to push ${image}:${short(sha)}`)
          expect(annotations(outcome, 'error')).toEqual(isUploaded ? [] : [denied])
        })
      )
    })
  })
})

describe('Certificate authority in certs.d', () => {
  const REPOSITORY = 'octo/app'
  let certificates: Certificates

  beforeAll(async () => {
    certificates = await makeCertificates(join(bed.folder, 'certificates'), bed.addresses)
  })

  it('the action inspects and tags by itself: with a client certificate of certs.d, and in an insecure registry', async () => {
    const { ca, client } = certificates
    const shas = [nextCommit(), nextCommit()]
    const playChain = async (engine: EngineSpec, registry: StandInRegistry, options: AgentOptions): Promise<void> => {
      const { host, behaviour } = registry
      for (const sha of shas) {
        registry.clearRequests()
        const run = async (agent: Agent): Promise<Outcome> => {
          await logIn(agent, host, behaviour)
          return play(agent, `${host}/${REPOSITORY}`, sha)
        }
        const outcome = await onAgent(engine, run, options)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        if (sha !== shas[0]) expectWarm(outcome)
        expect({ said: said(outcome), clients: clientsOf(outcome) }).toEqual({ said: [], clients: [] })
        expect(outcome.log).not.toContain('cannot access')
        expect(ownRequests(registry)).toEqual(expect.arrayContaining(publishingRequests(engine)))
        expect(registry.digestOf(REPOSITORY, 'latest')).toBe(outcome.outputs.digest)
      }
    }
    await forAll(engines, async (engine, index) => {
      const isInsecure = index > 0
      // not `bearer`: Docker 28.5 does not use certs.d for the token server
      await withStandIn(
        { auth: 'basic' },
        (registry) => {
          const { host } = registry
          const trust = { certificates: { host, ca, trusters: ['docker'] as const, client } }
          // only the configuration of the daemon names the registry: nobody trusts its certificate
          return playChain(engine, registry, isInsecure ? { insecureRegistries: [host] } : trust)
        },
        { tls: await serverTls(certificates, !isInsecure) }
      )
    })
  })

  it('the engine inspects the published image if the action does not see certs.d', async () => {
    const { ca } = certificates
    const [older, newer] = [nextCommit(), nextCommit()]
    const tls = await serverTls(certificates)
    const playLate = async (engine: EngineSpec, registry: StandInRegistry): Promise<void> => {
      const { host } = registry
      const digestOf = (tag: string): string | undefined => registry.digestOf(REPOSITORY, tag)
      const trust = { certificates: { host, ca, trusters: ['docker'] as const } }
      const image = `${host}/${REPOSITORY}`
      const run = (sha: string): Promise<Outcome> =>
        onAgent(engine, (agent) => play(withoutTrust(agent), image, sha), trust)

      const first = await run(newer)
      expect(ending(first)).toEqual({ exitCode: 0, log: '' })
      expect(first.outputs).toMatchObject({ published: 'true', digest: digestOf('latest') })
      if (engine.version !== '20.10') expect(clientsOf(first)).toContain('docker buildx imagetools inspect')
      const published = [digestOf('builder'), digestOf('latest')]

      const late = await run(older)
      expect(ending(late)).toEqual({ exitCode: 0, log: '' })
      expect(late.log).toContain(`\nThe engine inspected ${image}:`)
      expect(late.log).toContain(`, because this action cannot access ${host}: `)
      // the engine also tells which cache tags exist
      const asked = registry.requests.map(({ path }) => path.replace(/^.*\/manifests\//, ''))
      expect(asked.some((tag) => tag.startsWith('cache-'))).toBe(true)
      expect(late.log).toMatch(/^::notice::The moving tags are not updated: .* already names the newer commit/m)
      expect(late.outputs).toMatchObject({ pushed: 'true', published: 'false', digest: digestOf(short(older)) })
      expect([digestOf('builder'), digestOf('latest')]).toEqual(published)
      expect(executedRuns(late)).toEqual(CHANGED)
      expect(ownRequests(registry)).toEqual([])
    }
    await forAll(engines, (engine) => withStandIn({}, (registry) => playLate(engine, registry), { tls }))
  })

  /** The agent for commands that see /etc of the machine, not that of the agent. */
  function withoutTrust(agent: Agent): Agent {
    const prefix = agent.prefix.slice(0, agent.prefix.indexOf('--') + 1)
    return Object.create(agent, { prefix: { value: prefix } })
  }
})
