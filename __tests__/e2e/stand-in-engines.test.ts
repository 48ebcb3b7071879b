import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import {
  type Agent,
  type AgentOptions,
  availableEngines,
  type Behaviour,
  type Certificates,
  type EngineSpec,
  makeCertificates,
  type RunResult,
  type StandInRegistry,
  serverTls,
  startStandIn
} from '../../testbed/index.ts'
import { pushEvent, runAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { ending, isNewest, sampled, short } from '../support/harness.ts'

const REPOSITORY = 'octo/app'

/** The oldest and the newest, with both image stores. */
const engines = sampled([availableEngines()[0], availableEngines().at(-1)] as EngineSpec[], isNewest)

/** Does something with a stand-in that runs meanwhile. */
async function withStandIn(
  behaviour: Partial<Behaviour>,
  use: (registry: StandInRegistry) => Promise<void>,
  options: Parameters<typeof startStandIn>[2] = {}
): Promise<void> {
  const registry = await startStandIn(bed, behaviour, options)
  try {
    await use(registry)
  } finally {
    await registry.stop()
  }
}

/** Does something on a brand-new agent. */
async function onAgent<T>(spec: EngineSpec, options: AgentOptions, use: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = await bed.agent(spec, options)
  try {
    return await use(agent)
  } finally {
    await agent.stop()
  }
}

function logIn(agent: Agent, host: string, { username, password }: Behaviour): Promise<RunResult> {
  const login = ['login', '--username', username, '--password-stdin', host]
  return agent.run('docker', login, { input: password, allowFailure: true })
}

/** Pushes an image made from the base image; returns how docker ended. */
async function push(agent: Agent, host: string): Promise<RunResult> {
  const image = `${host}/${REPOSITORY}:one`
  await agent.run('docker', ['build', '--tag', image, '-'], { input: `FROM ${base}\nRUN echo made > /made\n` })
  return agent.run('docker', ['push', image], { allowFailure: true })
}

async function printed(agent: Agent, image: string): Promise<string> {
  await agent.docker('pull', image)
  return agent.docker('run', '--rm', image, 'cat', '/made')
}

/** The status that the command node gets inside an agent, or what is wrong with the connection. */
async function asked(agent: Agent, url: string): Promise<string> {
  const script = `fetch('${url}/v2/').then(({ status }) => console.log(status), ({ cause }) => console.log(cause.code))`
  return (await agent.run(process.execPath, ['-e', script])).stdout.trim()
}

describe.each(engines)('Docker $version, $store store', (engine) => {
  it.each<Partial<Behaviour>>([
    { auth: 'none', noDigestHeader: true },
    { auth: 'anonymous', redirectBlobs: true },
    { auth: 'basic', noHead: true },
    { auth: 'bearer', redirectBlobs: true, noTokenPost: true },
    { auth: 'bearer-identity' }
  ])('pushes to and pulls from %j', async (behaviour) => {
    await withStandIn(behaviour, async (registry) => {
      const reach = async (agent: Agent): Promise<string> => {
        const host = await agent.forward(5002, registry.url)
        if (['none', 'anonymous'].includes(registry.behaviour.auth)) return host
        const { exitCode } = await agent.run('docker', ['pull', `${host}/${REPOSITORY}:one`], { allowFailure: true })
        expect(exitCode).toBe(1)
        expect(await logIn(agent, host, registry.behaviour)).toMatchObject({ exitCode: 0 })
        return host
      }
      await onAgent(engine, {}, async (agent) => {
        const { exitCode, stdout } = await push(agent, await reach(agent))
        const digest = registry.digestOf(REPOSITORY, 'one')
        expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`one: digest: ${digest}`)])
      })
      await onAgent(engine, {}, async (agent) => {
        const image = `${await reach(agent)}/${REPOSITORY}`
        expect(await printed(agent, `${image}:one`)).toBe('made')
        await agent.docker('image', 'rm', '--force', `${image}:one`)
        expect(await printed(agent, `${image}@${registry.digestOf(REPOSITORY, 'one')}`)).toBe('made')
      })
      const isRedirected = registry.requests.some(({ server }) => server === 'storage')
      expect(isRedirected).toBe(registry.behaviour.redirectBlobs)
    })
  })

  it('logs in with no other password', async () => {
    for (const auth of ['basic', 'bearer'] as const) {
      await withStandIn({ auth }, async (registry) =>
        onAgent(engine, {}, async (agent) => {
          const host = await agent.forward(5002, registry.url)
          const { exitCode, stderr } = await logIn(agent, host, { ...registry.behaviour, password: 'wrong' })
          expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/unauthorized/i)])
        })
      )
    }
  })

  describe('with a certificate of a private authority', () => {
    let certificates: Certificates

    beforeAll(async () => {
      certificates = await makeCertificates(join(bed.folder, `certificates-${engine.store}`), bed.addresses)
    })

    it('trusts where it is told to, and the machine does not', async () => {
      const use = async (registry: StandInRegistry): Promise<void> => {
        const { host, url, behaviour } = registry
        await onAgent(engine, {}, async (agent) => {
          for (const { exitCode, stderr } of [await logIn(agent, host, behaviour), await push(agent, host)]) {
            expect([exitCode, stderr]).toEqual([1, expect.stringContaining('certificate signed by unknown authority')])
          }
          expect(await asked(agent, url)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
        })
        const trusting = { certificates: { host, ca: certificates.ca } }
        await onAgent(engine, trusting, async (agent) => {
          expect((await logIn(agent, host, behaviour)).exitCode).toBe(0)
          expect((await push(agent, host)).exitCode).toBe(0)
          expect(await asked(agent, url)).toBe('401')
          if (engine.version !== '20.10') await agent.docker('buildx', 'imagetools', 'inspect', `${host}/octo/app:one`)
        })
        await onAgent(engine, trusting, async (agent) => {
          await logIn(agent, host, behaviour)
          const image = `${host}/${REPOSITORY}@${registry.digestOf(REPOSITORY, 'one')}`
          expect(await printed(agent, image)).toBe('made')
        })
        expect(existsSync(`/etc/docker/certs.d/${host}`)).toBe(false)
      }
      await withStandIn({ auth: 'bearer', redirectBlobs: true }, use, { tls: await serverTls(certificates) })
    })

    it('shows its own certificate where it is asked for one; buildx and Node.js do not look there', async () => {
      const use = async ({ host, url }: StandInRegistry): Promise<void> => {
        const { ca, client } = certificates
        await onAgent(engine, { certificates: { host, ca } }, async (agent) => {
          expect((await push(agent, host)).stderr).toMatch(/certificate required|bad certificate/)
          expect(await asked(agent, url)).toBe('UND_ERR_SOCKET')
        })
        await onAgent(engine, { certificates: { host, ca, client, trusters: ['docker'] } }, async (agent) => {
          expect((await push(agent, host)).exitCode).toBe(0)
          expect(await asked(agent, url)).toBe('SELF_SIGNED_CERT_IN_CHAIN')
          if (engine.version === '20.10') return
          const inspect = ['buildx', 'imagetools', 'inspect', `${host}/octo/app:one`]
          const { stderr } = await agent.run('docker', inspect, { allowFailure: true })
          expect(stderr).toContain('certificate signed by unknown authority')
        })
      }
      await withStandIn({}, use, { tls: await serverTls(certificates, true) })
    })

    it('is a runner on which the action publishes', async () => {
      const source = new SourceRepository(bed.folder, application(base))
      const sha = source.head()
      const use = async (registry: StandInRegistry): Promise<void> => {
        const { host, behaviour } = registry
        await onAgent(engine, { certificates: { host, ca: certificates.ca } }, async (agent) => {
          await logIn(agent, host, behaviour)
          const outcome = await runAction(agent, {
            workspace: source.checkout(sha),
            event: pushEvent(sha, 'master'),
            inputs: { image: `${host}/${REPOSITORY}` }
          })
          expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
          expect(registry.tags(REPOSITORY)).toEqual(expect.arrayContaining([short(sha), 'latest']))
          expect(outcome.outputs.digest).toBe(registry.digestOf(REPOSITORY, 'latest'))
        })
      }
      await withStandIn({ auth: 'bearer' }, use, { tls: await serverTls(certificates) })
    })
  })
})
