import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { type Agent, type EngineSpec, pushBaseImages, TestBed } from '../../testbed/index.ts'
import { type Job, type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { application, SourceRepository } from './application.ts'

export interface Chain {
  engine: EngineSpec
  strategy: 'inline' | 'legacy'
  /** Variables of the job. */
  env?: Record<string, string>
}

interface Step {
  stage: string
  instruction: string
  cached: boolean
}

jest.setTimeout(300_000)

const TESTS = ['echo "the stamp is $(cat /builder-stamp)"', 'grep version app.txt', 'test "$CI" = true']

/** Whether an engine shares layers with BuildKit, by what was measured of it. */
export function sharesWithBuildKit({ version, store }: EngineSpec): boolean {
  return version !== '20.10' && !(version === '26.1' && store === 'overlay2')
}

/** Plays commits on brand-new agents, one each, and asserts what was executed, what was pushed and what runs. */
export function describeChains(chains: Chain[]): void {
  let bed: TestBed
  let base: string

  beforeAll(async () => {
    bed = await TestBed.start()
    base = (await pushBaseImages(bed, ['busybox'])).busybox
  })

  afterAll(async () => {
    await bed.stop()
  })

  describe.each(chains)(
    'Docker $engine.version, $engine.store store, strategy $strategy',
    ({ engine, strategy, env }) => {
      const repository = `octo/app-${strategy}-${engine.version}-${engine.store}`
      const image = `127.0.0.1:5000/${repository}`
      const outcomes: Outcome[] = []
      const commits: string[] = []
      let source: SourceRepository

      beforeAll(() => {
        source = new SourceRepository(application(base))
      })

      afterAll(() => {
        source.remove()
      })

      /** Runs the action for a commit on a brand-new agent. */
      async function play(sha: string, branch: string, inputs: Record<string, string> = {}): Promise<Outcome> {
        return onAgent(async (agent) => {
          const job: Job = {
            workspace: source.checkout(sha),
            event: pushEvent(sha, branch),
            inputs: { image, tests: TESTS.join('\n'), ...inputs },
            ...(env === undefined ? {} : { env })
          }
          const outcome = await runAction(agent, job)
          expect(await agent.docker('ps', '--all', '--quiet')).toBe('')
          return outcome
        })
      }

      async function onAgent<T>(use: (agent: Agent) => Promise<T>): Promise<T> {
        const agent = await bed.agent(engine)
        try {
          return await use(agent)
        } finally {
          await agent.stop()
        }
      }

      async function digestOf(tag: string): Promise<string | undefined> {
        return (await bed.registry.manifest(repository, tag))?.digest
      }

      function stepsOf(outcome: Outcome): Step[] {
        const report = outcome.report as Record<string, { steps?: Step[] }>
        return [...(report.builder?.steps ?? []), ...(report.production?.steps ?? [])]
      }

      function short(sha: string): string {
        return sha.slice(0, 7)
      }

      it.each([0, 1, 2, 3, 4])('plays commit %i of the publishing branch', async (number) => {
        const sha = number === 0 ? source.head() : source.commit({ 'src/main.txt': `version ${number}\n` })
        const outcome = await play(sha, 'master')
        commits.push(sha)
        outcomes.push(outcome)
        expect({ exitCode: outcome.exitCode, log: outcome.exitCode === 0 ? '' : outcome.log }).toEqual({
          exitCode: 0,
          log: ''
        })
        expect(outcome.post).toEqual({ exitCode: 0, log: '' })

        // what was published
        expect(await bed.registry.tags(repository)).toEqual([...commits.map(short), 'builder', 'latest'].sort())
        const digest = await digestOf(short(sha))
        expect(outcome.outputs).toMatchObject({
          image: `${image}:${short(sha)}`,
          'short-sha': short(sha),
          branch: 'master',
          'builder-image': `${image}:builder-${short(sha)}`,
          digest,
          tags: [short(sha), 'builder', 'latest'].map((tag) => `${image}:${tag}`).join('\n'),
          pushed: 'true',
          published: 'true'
        })
        expect(await digestOf('latest')).toBe(digest)
        expect(JSON.parse(String(outcome.outputs.engine))).toMatchObject({ store: engine.store, strategy })
        const labels = {
          'org.opencontainers.image.created': source.time(sha),
          'org.opencontainers.image.revision': sha,
          'org.opencontainers.image.source': 'https://github.com/octo/app'
        }
        for (const tag of ['builder', 'latest']) {
          const { config } = await bed.registry.config(repository, tag)
          expect(config.Labels).toEqual(labels)
        }

        // what was tested
        expect(JSON.parse(String(outcome.outputs.tests))).toEqual(
          TESTS.map((command) => ({ command, status: 'passed', exitCode: 0, seconds: expect.any(Number) }))
        )
        expect(outcome.log).toContain(`version ${number}\n`)
      })

      it('executed no unchanged RUN again from the second commit on', () => {
        const executed = outcomes.map((outcome) =>
          stepsOf(outcome)
            .filter(({ cached, instruction }) => !cached && instruction.startsWith('RUN'))
            .map(({ stage, instruction }) => `${stage}: ${instruction}`)
        )
        expect(executed[0]).toHaveLength(3)
        expect(executed.slice(1)).toEqual(Array(4).fill(['builder: RUN cat src/* > app.txt']))
        // what the steps say is what the images hold
        const stamps = outcomes.map(({ log }) => /^the stamp is (\w{32})/m.exec(log)?.[1])
        expect(stamps[0]).toMatch(/^\w{32}$/)
        expect(new Set(stamps).size).toBe(1)
      })

      it('counts the steps that came from the cache', () => {
        for (const [number, { outputs, ...outcome }] of outcomes.entries()) {
          const steps = stepsOf({ outputs, ...outcome })
          const cached = steps.filter((step) => step.cached).length
          expect(outputs['total-steps']).toBe(String(steps.length))
          expect(outputs['cached-steps']).toBe(String(cached))
          // the first build finds nothing in the registry, but production's first steps in the engine: they are the builder's
          expect(outputs['cache-hit']).toBe('partial')
          // changed: COPY src, RUN cat, COPY --from=builder; the legacy builder calls CMD a step, too
          if (number > 0) expect(steps.length - cached).toBe(strategy === 'legacy' ? 4 : 3)
        }
      })

      it('published images that run on yet another agent, with the layer of the unchanged RUN shared', async () => {
        const printed = await onAgent((agent) =>
          Promise.all(commits.map((sha) => agent.docker('run', '--rm', `${image}:${short(sha)}`)))
        )
        expect(printed.map((text) => text.split('\n')[0])).toEqual([0, 1, 2, 3, 4].map((number) => `version ${number}`))
        expect(new Set(printed.map((text) => text.split('\n')[1])).size).toBe(1)
      })

      it('moves no moving tag on a feature branch', async () => {
        source.branch('feature/ünïcode')
        const sha = source.commit({ 'src/main.txt': 'version 5\n' })
        const before = [await digestOf('builder'), await digestOf('latest')]
        const outcome = await play(sha, 'feature/ünïcode', { tags: 'try' })
        expect(outcome.exitCode).toBe(0)
        expect(outcome.outputs).toMatchObject({ branch: 'feature/ünïcode', pushed: 'true', published: 'false' })
        expect(outcome.outputs['publish-reason']).toContain('feature/')
        expect([await digestOf('builder'), await digestOf('latest')]).toEqual(before)
        expect(await digestOf('try')).toBe(await digestOf(short(sha)))
        expect(await bed.registry.tags(repository)).toEqual(
          [...commits.map(short), short(sha), 'builder', 'latest', 'try'].sort()
        )
        commits.push(sha)
      })

      it('pushes nothing if a test fails, and reports every failure', async () => {
        const sha = source.commit({ 'src/main.txt': 'version 6\n' })
        const before = await bed.registry.tags(repository)
        const digests = [await digestOf('builder'), await digestOf('latest')]
        const outcome = await play(sha, 'master', { tests: 'echo one; exit 7\ngrep version app.txt\nexit 3' })
        expect(outcome.exitCode).toBe(1)
        expect(await bed.registry.tags(repository)).toEqual(before)
        expect([await digestOf('builder'), await digestOf('latest')]).toEqual(digests)
        expect(outcome.outputs).toMatchObject({ digest: '', tags: '', pushed: 'false', published: 'false' })
        const tests = JSON.parse(String(outcome.outputs.tests)) as { status: string; exitCode: number }[]
        expect(tests.map(({ status, exitCode }) => [status, exitCode])).toEqual([
          ['failed', 7],
          ['passed', 0],
          ['failed', 3]
        ])
        expect(outcome.log).toContain('::error::The test "echo one; exit 7" did not pass: exit code 7')
        expect(outcome.log).toContain('::error::The test "exit 3" did not pass: exit code 3')
      })
    }
  )
}
