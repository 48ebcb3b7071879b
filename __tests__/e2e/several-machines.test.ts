import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import type { Event, Outcome } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { ending, isNewest, Project, sampled, short, stepsOf } from '../support/harness.ts'
import { Pipeline } from '../support/machines.ts'

const engines = sampled(availableEngines(), isNewest)

/** Two builds of the builder stage never have the same files. */
function files(page: string): Record<string, string> {
  return {
    Dockerfile: [
      `FROM ${base} AS builder`,
      'RUN head -c 16 /dev/urandom | od -An -tx1 > /stamp',
      'COPY page.txt /page.txt',
      `FROM ${base} AS production`,
      'RUN echo production > /kind',
      'COPY --from=builder /stamp /page.txt /www/',
      'CMD ["cat", "/www/stamp"]',
      ''
    ].join('\n'),
    'page.txt': page
  }
}

const inputs = {
  tests: 'test -s /stamp\ngrep one /page.txt\n  test -s /stamp\ntest "$MODE" = fast\n  --env MODE=fast',
  'production-tests': 'test -s /www/stamp',
  checks: 'docker run --rm "$BUILDER_IMAGE" test -s /stamp'
}

/** The result of a test in a folder of results. */
function edit(folder: string, index: number, change: (handed: Record<string, unknown>) => void): void {
  const file = join(folder, 'attempt-1', `test-${index}.json`)
  const handed = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  change(handed)
  writeFileSync(file, JSON.stringify(handed))
}

/** Results as they were, but for a change. */
function changed(pipeline: Pipeline, name: string, change: (folder: string) => void): string {
  const folder = `${pipeline.results}-${name}`
  cpSync(pipeline.results, folder, { recursive: true })
  change(folder)
  return folder
}

function errorsOf({ log }: Outcome): string {
  return log
    .split('\n')
    .filter((line) => line.startsWith('::error'))
    .join('\n')
}

describe.each(engines)('Five machines, through the registry, Docker $version, $store store', (engine) => {
  it('publish what was tested, and nothing that is not shown to be tested', async () => {
    const source = new SourceRepository(bed.folder, files('one\n'))
    const pipeline = new Pipeline(bed, engine, 'five', source, inputs)
    const { project } = pipeline
    const tag = short(source.head())

    const built = await pipeline.build()
    expect(ending(built)).toEqual({ exitCode: 0, log: '' })
    expect(built.outputs).toMatchObject({ matrix: '[0,1,2]', digest: await project.digest(`builder-${tag}`) })
    expect(await project.imageTags()).toEqual([`builder-${tag}`])
    expect(built.summary).toContain('3 tests to run')

    // another image takes the name: the tests and production still are of the digest
    const stranger = new SourceRepository(bed.folder, files('stranger\n'))
    const other = new Pipeline(bed, engine, 'five', stranger, inputs, undefined, '2')
    await other.build()
    await project.onAgent(async (agent) => {
      await agent.docker('pull', `${project.image}:builder-${short(stranger.head())}`)
      await agent.docker('tag', `${project.image}:builder-${short(stranger.head())}`, `${project.image}:builder-${tag}`)
      await agent.docker('push', `${project.image}:builder-${tag}`)
    })
    expect(await project.digest(`builder-${tag}`)).not.toBe(built.outputs.digest)

    const tested = await Promise.all([[0], [1]].map((indices) => pipeline.test(indices)))
    const third = await pipeline.test([2])
    for (const outcome of [...tested, third]) expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(third.summary).toContain('1 test passed')

    const refused = await project.onAgent(async (agent) => {
      const plays: [string, (folder: string) => void][] = [
        ['missing', (folder) => rmSync(join(folder, 'attempt-1', 'test-1.json'))],
        [
          'failed',
          (folder) =>
            edit(folder, 1, (handed) => {
              handed.result = { ...(handed.result as object), status: 'failed', exitCode: 1, failure: 'exit code 1' }
            })
        ],
        [
          'of-another-image',
          (folder) =>
            edit(folder, 1, (handed) => {
              handed.images = '0'.repeat(64)
            })
        ],
        [
          'of-another-command',
          (folder) =>
            edit(folder, 1, (handed) => {
              handed.fingerprint = '0'.repeat(64)
            })
        ],
        [
          'of-another-run',
          (folder) =>
            edit(folder, 1, (handed) => {
              handed.runId = '2'
            })
        ],
        [
          'repeated',
          (folder) => {
            cpSync(join(folder, 'attempt-1'), join(folder, 'again'), { recursive: true })
            edit(folder, 1, (handed) => {
              handed.result = { ...(handed.result as object), status: 'failed', exitCode: 1, failure: 'exit code 1' }
            })
          }
        ],
        ['broken', (folder) => appendFileSync(join(folder, 'attempt-1', 'test-1.json'), '}')]
      ]
      const outcomes: [string, string][] = []
      for (const [name, change] of plays) {
        const outcome = await pipeline.publishOn(agent, { results: changed(pipeline, name, change) })
        outcomes.push([name, outcome.exitCode === 1 ? errorsOf(outcome) : outcome.log])
      }
      const mixed = `${pipeline.handOff}-mixed`
      cpSync(pipeline.handOff, mixed, { recursive: true })
      const mixedFile = join(mixed, 'hand-off.json')
      const digestOfOther = await project.digest(`builder-${short(stranger.head())}`)
      writeFileSync(
        mixedFile,
        readFileSync(mixedFile, 'utf8').replaceAll(String(built.outputs.digest), String(digestOfOther))
      )
      outcomes.push(['mixed', errorsOf(await pipeline.publishOn(agent, { handOff: mixed }))])
      const otherHandOff = await pipeline.publishOn(agent, { handOff: other.handOff })
      outcomes.push(['hand-off', errorsOf(otherHandOff)])
      const failing = await pipeline.publishOn(agent, {}, { checks: 'exit 7' })
      outcomes.push(['check', errorsOf(failing)])
      return Object.fromEntries(outcomes)
    })
    expect(refused).toEqual({
      missing: expect.stringContaining('did not pass: there is no result of it'),
      failed: expect.stringContaining('did not pass: exit code 1'),
      'of-another-image': expect.stringContaining('did not pass: it ran in another image than the one'),
      'of-another-command': expect.stringContaining('did not pass: another command ran'),
      'of-another-run': expect.stringMatching(/is of the workflow run 2, and this run is 1.*there is no result of it/s),
      repeated: expect.stringContaining('did not pass: exit code 1'),
      broken: expect.stringContaining('is not the result of a test of this version'),
      mixed: expect.stringContaining('did not pass: it ran in another image than the one'),
      'hand-off': expect.stringContaining('The hand-off is not of this run: it is of the workflow run 2'),
      check: expect.stringContaining('The check "exit 7" did not pass')
    })
    expect(await project.digest(tag)).toBeUndefined()
    expect(await project.digest('latest')).toBeUndefined()

    // a leg that failed at first, and passed in a second attempt
    edit(pipeline.results, 1, (handed) => {
      handed.result = { ...(handed.result as object), status: 'failed', exitCode: 1, failure: 'exit code 1' }
    })
    expect(ending(await pipeline.test([1], { GITHUB_RUN_ATTEMPT: '2' }))).toEqual({ exitCode: 0, log: '' })
    const published = await pipeline.publish()
    expect(ending(published)).toEqual({ exitCode: 0, log: '' })
    expect(published.outputs).toMatchObject({ published: 'true', digest: await project.digest('latest') })
    expect(published.summary).toMatch(/machine 1/)
    expect(published.summary).toMatch(
      /section Machine build[\s\S]*section Machine test 0[\s\S]*section Machine publish/
    )

    const [stamp, builderStamp, shown] = await project.onAgent(async (agent) => [
      await agent.docker('run', '--rm', `${project.image}:latest`),
      await agent.docker('run', '--rm', `${project.image}@${built.outputs.digest}`, 'cat', '/stamp'),
      await agent.docker('run', '--rm', `${project.image}:builder`, 'cat', '/stamp')
    ])
    expect({ stamp, shown }).toEqual({ stamp: builderStamp, shown: builderStamp })

    // the action on one machine finds all of it, and publishes the same layers
    const alone = new Project(bed, engine, 'five')
    const whole = await alone.play(source, source.head(), inputs)
    expect(ending(whole)).toEqual({ exitCode: 0, log: '' })
    expect(stepsOf(whole).filter(({ cached }) => !cached)).toEqual([])
    const layers = await project.layers('latest')
    const again = await pipeline.publish()
    expect(ending(again)).toEqual({ exitCode: 0, log: '' })
    expect(await project.layers(tag)).toEqual(layers)

    // the next commits change one file: only what follows it is built, and production as well
    for (const run of ['3', '4']) {
      source.commit({ 'page.txt': `one more, ${run}\n` })
      const next = new Pipeline(bed, engine, 'five', source, inputs, undefined, run)
      const nextBuilt = await next.build()
      await next.test([0, 1, 2])
      const nextPublished = await next.publish()
      expect(ending(nextPublished)).toEqual({ exitCode: 0, log: '' })
      const executed = [...stepsOf(nextBuilt), ...stepsOf(nextPublished)].filter(
        // the legacy builder counts what makes no layer as a step
        ({ cached, instruction }) => !cached && /^(RUN|COPY)/.test(instruction)
      )
      expect(new Set(executed.map(({ instruction }) => instruction))).toEqual(
        new Set(['COPY page.txt /page.txt', 'COPY --from=builder /stamp /page.txt /www/'])
      )
    }
  })
})

describe.each(engines)('Several machines, Docker $version, $store store', (engine) => {
  it('test nothing again that an earlier run has tested, and build nothing that it has built', async () => {
    const source = new SourceRepository(bed.folder, files('one\n'))
    const reuse = { tests: 'test -s /stamp', 'skip-unchanged-tests': 'true' }
    const first = new Pipeline(bed, engine, 'reuse', source, reuse)
    await first.build()
    await first.test([0])
    expect(ending(await first.publish())).toEqual({ exitCode: 0, log: '' })

    // what production copies from elsewhere changes, and the builder stage does not
    const { Dockerfile = '' } = files('one\n')
    source.commit({ Dockerfile: Dockerfile.replace('echo production', 'echo another') })
    const second = new Pipeline(bed, engine, 'reuse', source, reuse, undefined, '2')
    const built = await second.build()
    expect([built.log, built.outputs.matrix, built.outputs.digest]).toEqual([
      expect.stringContaining('Skipping the tests'),
      '[]',
      expect.stringMatching(/^sha256:/)
    ])
    const published = await second.publish()
    expect(ending(published)).toEqual({ exitCode: 0, log: '' })
    expect(JSON.parse(String(published.outputs.tests))).toEqual([expect.objectContaining({ status: 'unchanged' })])

    source.commit({ 'README.md': 'nothing that the image reads\n' })
    const third = new Pipeline(bed, engine, 'reuse', source, reuse, undefined, '3')
    const nothing = await third.build()
    expect(nothing.outputs).toMatchObject({ matrix: '[]', digest: '' })
    expect(nothing.summary).toContain('Nothing to build')
    const tagged = await third.publish()
    expect(ending(tagged)).toEqual({ exitCode: 0, log: '' })
    expect(await third.project.digest(short(source.head()))).toBe(published.outputs.digest)
  })

  it('publish nothing of which a test was cancelled, and leave no container of it', async () => {
    const source = new SourceRepository(bed.folder, files('one\n'))
    const pipeline = new Pipeline(bed, engine, 'cancelled', source, { tests: 'echo started; sleep 100' })
    await pipeline.build()
    const cancelled = await pipeline.cancelTest(0, /^started$/m)
    expect(cancelled.exitCode).toBe(1)
    expect(cancelled.summary).toContain('The tests were cancelled')
    const refused = await pipeline.publish()
    expect(refused.exitCode).toBe(1)
    expect(errorsOf(refused)).toContain('there is no result of it: its machine failed or was cancelled')
    expect(await pipeline.project.imageTags()).toEqual([`builder-${short(source.head())}`])
  })

  it('hand on no value of a secret that a test gets by name', async () => {
    const source = new SourceRepository(bed.folder, files('one\n'))
    const tests = 'echo "token is $API_TOKEN"; exit 3\n  --env API_TOKEN'
    const pipeline = new Pipeline(bed, engine, 'secret', source, { tests })
    await pipeline.build()
    const failed = await pipeline.test([0], { API_TOKEN: 'a-very-secret-value' })
    expect(failed.exitCode).toBe(1)
    const told = readFileSync(join(pipeline.results, 'attempt-1', 'test-0.json'), 'utf8')
    expect(told).toContain('token is ***')
    expect([told, failed.summary, JSON.stringify(failed.report)].join()).not.toContain('a-very-secret-value')
  })

  it('publish the very stage that was tested', async () => {
    const source = new SourceRepository(bed.folder, {
      Dockerfile: `FROM ${base}\nRUN head -c 16 /dev/urandom | od -An -tx1 > /stamp\nCMD ["cat", "/stamp"]\n`
    })
    const pipeline = new Pipeline(bed, engine, 'one-stage-five', source, {
      ...{ 'builder-target': '0', tests: 'test -s /stamp', 'production-tests': 'test -s /stamp' }
    })
    const built = await pipeline.build()
    await pipeline.test([0])
    const published = await pipeline.publish()
    expect(ending(published)).toEqual({ exitCode: 0, log: '' })
    expect(published.outputs.digest).toBe(built.outputs.digest)
    expect(await pipeline.project.digest('latest')).toBe(built.outputs.digest)
  })
})

/** A pull request of a fork, which may not push. */
function forkEvent(sha: string): Event {
  const payload = {
    repository: { id: 1, default_branch: 'master' },
    pull_request: { head: { sha, ref: 'topic', repo: { id: 2 } }, user: { login: 'stranger' } }
  }
  return { name: 'pull_request', sha, ref: 'refs/pull/1/merge', payload }
}

describe.each(engines)('Machines that share an archive, Docker $version, $store store', (engine) => {
  it('test and build for a fork, and push nothing; for others, publish', async () => {
    const source = new SourceRepository(bed.folder, files('one\n'))
    const fork = new Pipeline(bed, engine, 'archive', source, inputs, forkEvent(source.head()))
    const built = await fork.build()
    expect(ending(built)).toEqual({ exitCode: 0, log: '' })
    expect(ending(await fork.test([0, 1, 2]))).toEqual({ exitCode: 0, log: '' })
    const ended = await fork.publish()
    expect(ending(ended)).toEqual({ exitCode: 0, log: '' })
    expect(ended.outputs.tests).toContain('"kind":"check"')
    expect(await fork.project.tags()).toEqual([])

    const own = new Pipeline(bed, engine, 'archive', source, { ...inputs, transport: 'artifact' }, undefined, '2')
    await own.build()
    await own.test([0, 1, 2])
    const published = await own.publish()
    expect(ending(published)).toEqual({ exitCode: 0, log: '' })
    expect(await own.project.imageTags()).toEqual(expect.arrayContaining(['latest', 'builder']))

    appendFileSync(join(own.handOff, 'images.tar'), 'x')
    const refused = await own.test([0])
    expect(refused.exitCode).toBe(1)
    expect(refused.log).toContain('is another archive')
  })
})
