import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import type { Outcome } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, isNewest, missesOf, Project, sampled } from '../support/harness.ts'

/** One engine for each strategy. */
const engines = sampled(
  availableEngines().filter(
    ({ version, store }) => version === '20.10' || (version === '28.5' && store === 'containerd')
  ),
  isNewest
)

describe.each(engines)('Docker $version, $store store, with expect-cache: fail', (engine) => {
  const inputs = { 'expect-cache': 'fail' }

  function expectGood(outcome: Outcome): void {
    expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(outcome.outputs.published).toBe('true')
    expect(annotations(outcome, 'warning')).toEqual([])
  }

  it('names the changed file of a COPY whose source is a build argument', async () => {
    const project = new Project(bed, engine, 'verdict-variable')
    const dockerfile = [
      `FROM ${base} AS builder`,
      'WORKDIR /srv/app',
      'ARG SERVICE=none',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      'COPY services/${SERVICE}/ ./',
      'RUN cat page.txt > built.txt',
      `FROM ${base}`,
      'COPY --from=builder /srv/app/built.txt /built.txt',
      ''
    ]
    const source = new SourceRepository(bed.folder, {
      Dockerfile: dockerfile.join('\n'),
      'services/web/page.txt': 'page 1\n',
      'services/api/page.txt': 'api 1\n'
    })
    const play = (sha: string): Promise<Outcome> =>
      project.play(source, sha, { ...inputs, 'build-args': 'SERVICE=web', tests: 'test -s built.txt' })
    expectGood(await play(source.head()))
    const changed = await play(source.commit({ 'services/web/page.txt': 'page 2\n' }))
    expectGood(changed)
    expect(missesOf(changed).builder).toMatchObject({
      line: 4,
      kind: 'files-changed',
      reason: 'services/web/page.txt changed since the commit of the published image.',
      unexpected: false
    })
    const other = await play(source.commit({ 'services/api/page.txt': 'api 2\n' }))
    expectGood(other)
    expect(missesOf(other)).toEqual({})
    expect(other.outputs['cache-hit']).toBe('full')
  })

  it('names an image outside the Dockerfile that moved', async () => {
    const project = new Project(bed, engine, 'verdict-tool')
    const repository = `base/tool-${engine.version}`
    const tool = `${bed.registry.host}/${repository}:latest`
    const moveTool = (version: number): Promise<void> =>
      project.onAgent(async (agent) => {
        const input = `FROM ${base}\nRUN echo "tool ${version}" > /tool.txt\n`
        await agent.run('docker', ['build', '--tag', tool, '-'], { input })
        await agent.docker('push', tool)
      })
    await moveTool(1)
    const dockerfile = [
      `FROM ${base} AS builder`,
      `COPY --from=${tool} /tool.txt /usr/share/tool.txt`,
      'WORKDIR /srv/app',
      'COPY app.txt ./',
      'RUN cat /usr/share/tool.txt app.txt > built.txt',
      `FROM ${base}`,
      'COPY --from=builder /srv/app/built.txt /built.txt',
      ''
    ]
    const source = new SourceRepository(bed.folder, { Dockerfile: dockerfile.join('\n'), 'app.txt': 'app\n' })
    const play = (notes: string): Promise<Outcome> =>
      project.play(source, source.commit({ 'notes.txt': notes }), { ...inputs, tests: 'grep -q tool built.txt' })
    expectGood(await play('one\n'))
    const digest = (await bed.registry.manifest(repository, 'latest'))?.digest
    const { 'shared-docker-layers.bases': bases = '' } = await project.labels('latest')
    expect(bases.split(' ')).toContain(`${tool}@${digest}`)
    const same = await play('two\n')
    expectGood(same)
    expect(missesOf(same)).toEqual({})
    await moveTool(2)
    const moved = await play('three\n')
    expectGood(moved)
    expect(missesOf(moved).builder).toMatchObject({
      line: 2,
      kind: 'base-changed',
      reason: `The image ${tool}, from which it copies, moved.`,
      unexpected: false
    })
  })

  it('does not accuse the cache of a first folder on scratch', async () => {
    const project = new Project(bed, engine, 'verdict-scratch')
    const text = `FROM ${base} AS builder\nRUN echo a > /a\nFROM scratch\nWORKDIR /app\nCOPY --from=builder /a ./\n`
    const source = new SourceRepository(bed.folder, { Dockerfile: text })
    expectGood(await project.play(source, source.head(), inputs))
    const again = await project.play(source, source.commit({ notes: 'x' }), inputs)
    expectGood(again)
    expect(again.outputs['cache-hit']).toBe('full')
  })
})
