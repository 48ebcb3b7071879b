import { beforeAll, describe, expect, it } from '@jest/globals'
import type { EngineSpec } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from './application.ts'
import { base, bed } from './bed.ts'
import { annotations, ending, executedRuns, Project, short, stepsOf } from './harness.ts'

export interface Chain {
  engine: EngineSpec
  strategy: 'inline' | 'legacy'
  /** Variables of the job. */
  env?: Record<string, string>
}

const TESTS = ['echo "the stamp is $(cat /builder-stamp)"', 'grep version app.txt', 'test "$CI" = true']

/** Plays commits on brand-new agents, one each, and asserts what was executed, what was pushed and what runs. */
export function describeChains(chains: Chain[]): void {
  describe.each(chains)(
    'Docker $engine.version, $engine.store store, strategy $strategy',
    ({ engine, strategy, env }) => {
      const outcomes: Outcome[] = []
      const commits: string[] = []
      const inputs = { tests: TESTS.join('\n') }
      let project: Project
      let source: SourceRepository

      beforeAll(() => {
        project = new Project(bed, engine, `app-${strategy}`, env)
        source = new SourceRepository(bed.folder, application(base))
      })

      /** The tags that the registry should have: those of the commits played, and others. */
      function tagsWith(...others: string[]): string[] {
        // where BuildKit's cache metadata is looked at before the moving tag moves
        const candidates = strategy === 'inline' ? ['builder-next'] : []
        return [...commits.map(short), 'builder', 'latest', ...candidates, ...others].toSorted((a, b) =>
          a < b ? -1 : 1
        )
      }

      async function movingDigests(): Promise<(string | undefined)[]> {
        return Promise.all(['builder', 'latest'].map((tag) => project.digest(tag)))
      }

      it.each([0, 1, 2, 3, 4])('plays commit %i of the publishing branch', async (number) => {
        const sha = number === 0 ? source.head() : source.commit({ 'src/main.txt': `version ${number}\n` })
        const outcome = await project.play(source, sha, inputs)
        commits.push(sha)
        outcomes.push(outcome)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(outcome.post).toEqual({ exitCode: 0, log: '' })

        // what was published
        expect(await project.imageTags()).toEqual(tagsWith())
        const digest = await project.digest(short(sha))
        expect(outcome.outputs).toMatchObject({
          image: `${project.image}:${short(sha)}`,
          'short-sha': short(sha),
          branch: 'master',
          'builder-image': `${project.image}:builder-${short(sha)}`,
          digest,
          tags: [short(sha), 'builder', 'latest'].map((tag) => `${project.image}:${tag}`).join('\n'),
          pushed: 'true',
          published: 'true'
        })
        expect(await project.digest('latest')).toBe(digest)
        expect(JSON.parse(String(outcome.outputs.engine))).toMatchObject({ store: engine.store, strategy })
        const labels = {
          'org.opencontainers.image.created': source.time(sha),
          'org.opencontainers.image.revision': sha,
          'org.opencontainers.image.source': 'https://github.com/octo/app'
        }
        const baseDigest = await bed.registry.manifest('base/busybox', '1').then((manifest) => manifest?.digest)
        const built = {
          ...labels,
          'org.opencontainers.image.base.name': base,
          'org.opencontainers.image.base.digest': baseDigest,
          'shared-docker-layers.keys': expect.stringMatching(/^{"version":1,/)
        }
        expect(await project.labels('builder')).toEqual({
          ...built,
          'shared-docker-layers.branch': 'master',
          'shared-docker-layers.variant': ''
        })
        expect(await project.labels('latest')).toEqual({
          ...built,
          'shared-docker-layers.bases': `${base}@${baseDigest}`,
          'shared-docker-layers.branch': '',
          // the legacy builder starts from the tested image anyway
          'shared-docker-layers.built-on': strategy === 'legacy' ? undefined : expect.stringMatching(/^[0-9a-f]{16}$/),
          'shared-docker-layers.variant': expect.stringMatching(/^[0-9a-f]{16}$/),
          'shared-docker-layers.build-args': expect.stringMatching(/^[0-9a-f]{16}$/)
        })

        // what was tested
        expect(JSON.parse(String(outcome.outputs.tests))).toEqual(
          TESTS.map((command) => ({ command, status: 'passed', exitCode: 0, seconds: expect.any(Number) }))
        )
        expect(outcome.log).toContain(`version ${number}\n`)
      })

      it('executed no unchanged RUN again from the second commit on', () => {
        const executed = outcomes.map(executedRuns)
        expect(executed[0]).toHaveLength(3)
        expect(executed.slice(1)).toEqual(Array(4).fill(['builder: RUN cat src/* > app.txt']))
        // what the steps say is what the images hold
        const stamps = outcomes.map(({ log }) => /^the stamp is (\w{32})/m.exec(log)?.[1])
        expect(stamps[0]).toMatch(/^\w{32}$/)
        expect(new Set(stamps).size).toBe(1)
      })

      it('counts the steps that came from the cache', () => {
        for (const [number, outcome] of outcomes.entries()) {
          const steps = stepsOf(outcome)
          const cached = steps.filter((step) => step.cached).length
          expect(outcome.outputs['total-steps']).toBe(String(steps.length))
          expect(outcome.outputs['cached-steps']).toBe(String(cached))
          if (number === 0) continue
          expect(outcome.outputs['cache-hit']).toBe('partial')
          // changed: COPY src, RUN cat, COPY --from=builder; the legacy builder calls CMD a step, too
          expect(steps.length - cached).toBe(strategy === 'legacy' ? 4 : 3)
        }
      })

      it('published images that run on yet another agent, with the layer of the unchanged RUN shared', async () => {
        const printed = await project.onAgent((agent) =>
          Promise.all(commits.map((sha) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`)))
        )
        const [versions, stamps] = [0, 1].map((line) => printed.map((text) => text.split('\n')[line]))
        expect(versions).toEqual([0, 1, 2, 3, 4].map((number) => `version ${number}`))
        expect(stamps?.[0]).toMatch(/^\w{32}/)
        expect(new Set(stamps).size).toBe(1)
      })

      it('moves no moving tag on a feature branch', async () => {
        const branch = 'feature/ünïcode'
        source.branch(branch)
        const sha = source.commit({ 'src/main.txt': 'version 5\n' })
        const before = await movingDigests()
        const outcome = await project.play(source, sha, { ...inputs, tags: 'try' }, pushEvent(sha, branch))
        commits.push(sha)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(outcome.outputs).toMatchObject({ branch, pushed: 'true', published: 'false' })
        expect(outcome.outputs['publish-reason']).toContain('feature/')
        expect(await movingDigests()).toEqual(before)
        expect(await project.digest('try')).toBe(await project.digest(short(sha)))
        expect(await project.imageTags()).toEqual(tagsWith('try'))
      })

      it('pushes only cache tags if a test fails, and reports every failure', async () => {
        const sha = source.commit({ 'src/main.txt': 'version 6\n' })
        const before = [await project.imageTags(), await movingDigests()]
        const tests = 'echo one; exit 7\ngrep version app.txt\nexit 3'
        const outcome = await project.play(source, sha, { tests })
        expect(outcome.exitCode).toBe(1)
        expect([await project.imageTags(), await movingDigests()]).toEqual(before)
        expect(outcome.outputs).toMatchObject({ digest: '', tags: '', pushed: 'false', published: 'false' })
        expect(outcome.outputs['cache-tags']).toMatch(/:cache-[0-9a-f]{16}$/)
        expect(outcome.outputs['cache-tags']).not.toContain('tested-')
        expect(JSON.parse(String(outcome.outputs.tests))).toMatchObject([
          { status: 'failed', exitCode: 7 },
          { status: 'passed', exitCode: 0 },
          { status: 'failed', exitCode: 3 }
        ])
        expect(annotations(outcome, 'error')).toEqual(
          expect.arrayContaining([
            '::error::The test "echo one; exit 7" did not pass: exit code 7',
            '::error::The test "exit 3" did not pass: exit code 3'
          ])
        )
      })
    }
  )
}
