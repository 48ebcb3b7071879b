import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { type Agent, availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent, RunningAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, legacyEnv, missesOf, Project, sampled, short } from '../support/harness.ts'

/** Of the stores, that of most kept engines. */
const engines = sampled(availableEngines(), ({ version, store }) => version === '28.5' && store === 'overlay2')

/** The images of an engine with all their names, and without a name. */
async function imagesOf(agent: Agent): Promise<string[]> {
  const lines = await agent.docker('image', 'ls', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')
  return lines.split('\n').toSorted()
}

describe.each(engines)('A kept engine, Docker $version, $store store', (engine) => {
  it('takes what the registry has now, and gives up what the run added', async () => {
    const project = new Project(bed, engine, 'kept')
    const moving = `${bed.registry.host}/base/moving-${engine.version}-${engine.store}:1`
    const moveBase = (agent: Agent, version: number): Promise<unknown> =>
      agent
        .run('docker', ['build', '--tag', moving, '-'], { input: `FROM ${base}\nRUN echo "base ${version}" > /base\n` })
        .then(() => agent.docker('push', moving))
    const source = new SourceRepository(bed.folder, { ...application(moving), '.dockerignore': '.git\ndocs\n' })
    const play = async (agent: Agent, sha: string, inputs: Record<string, string> = {}): Promise<Outcome> => {
      // without cache tags, every run reads the moving tags
      const all = { tests: 'true', 'cache-tags': 'none', 'expect-cache': 'fail', ...inputs }
      const outcome = await project.runOn(agent, source.checkout(sha), all, pushEvent(sha, 'master'))
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.post).toEqual({ exitCode: 0, log: expect.not.stringContaining('Cannot') })
      expect(annotations(outcome, 'warning')).toEqual([])
      return outcome
    }
    await project.onAgent((kept) =>
      project.onAgent(async (other) => {
        await moveBase(other, 1)
        await kept.docker('pull', moving)
        const atFirst = await imagesOf(kept)
        await play(kept, source.head(), { 'remove-images': 'never' })
        const before = await imagesOf(kept)
        expect(before.filter((line) => !atFirst.includes(line)).length).toBeGreaterThanOrEqual(4)

        await moveBase(other, 2)
        const changed = await play(other, source.commit({ 'src/main.txt': 'version 1\n' }))
        expect(missesOf(changed).builder?.kind).toBe('base-changed')

        const sha = source.commit({ 'docs/a.txt': 'a\n' })
        const same = await play(kept, sha, { 'remove-images': 'always' })
        expect(same.outputs).toMatchObject({ 'cache-hit': 'full', published: 'true' })
        expect(same.post.log).toContain(`${project.image}:${short(sha)}`)
        const own = (lines: string[]): string[] => lines.filter((line) => line.startsWith(project.image))
        const after = await imagesOf(kept)
        expect(own(after)).toEqual(own(before))
        // the old base image has lost its name, and that is all
        expect(after.length - before.length).toBeLessThanOrEqual(1)

        const images = `${project.image}:${short(sha)}`
        expect(await other.docker('run', '--rm', images, 'cat', '/app/app.txt', '/base')).toBe('version 1\nbase 2')
        await other.docker('image', 'rm', images)
      })
    )
    const next = await project.onAgent((agent) => play(agent, source.commit({ 'docs/a.txt': 'b\n' })))
    expect(next.outputs['cache-hit']).toBe('full')
  })

  it('is left as it was by a self-hosted runner, also after a failed build, a failed test and a cancelled one', async () => {
    const project = new Project(bed, engine, 'kept-clean', legacyEnv(engine))
    const env = { RUNNER_ENVIRONMENT: 'self-hosted', ...legacyEnv(engine) }
    const source = new SourceRepository(bed.folder, application(base))
    const good = source.head()
    const bad = source.commit({ Dockerfile: `FROM ${base} AS builder\nRUN echo a > /a\nRUN exit 3\nFROM ${base}\n` })
    const [before, afterFailures, after, outcomes] = await project.onAgent(async (agent) => {
      await agent.docker('pull', base)
      const atFirst = await imagesOf(agent)
      const play = (sha: string, tests: string): Promise<Outcome> =>
        project.runOn(agent, source.checkout(sha), { tests }, pushEvent(sha, 'master'), env)
      const failed = [await play(bad, 'true'), await play(good, 'exit 4')]
      const afterFailures = await imagesOf(agent)
      const running = new RunningAction(agent, {
        ...{ workspace: source.checkout(good), event: pushEvent(good, 'master'), env },
        inputs: { image: project.image, tests: 'echo started; sleep 100' }
      })
      while (!/^started$/m.test(running.log)) await sleep(20)
      await running.cancel()
      // its post step removes the images
      const cancelled = await running.end()
      return [atFirst, afterFailures, await imagesOf(agent), [...failed, cancelled]] as const
    })
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1])
    expect(outcomes[1]?.post.log).toContain(`Removed from the engine: ${project.image}`)
    for (const { post } of outcomes) expect(post).toEqual({ exitCode: 0, log: expect.not.stringContaining('Cannot') })
    expect(afterFailures).toEqual(before)
    const [unnamed, named] = [true, false].map((is) => after.filter((line) => line.startsWith('<none>') === is))
    expect(named).toEqual(before)
    // BuildKit may have written the image of a cancelled build, and not its name
    expect(unnamed?.length).toBeLessThanOrEqual(1)
  })
})
