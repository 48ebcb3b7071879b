import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Event } from '../../testbed/runner.ts'
import { type Call, commandsIn, errorsIn, FakeEngine, IMAGE, type Ran } from '../support/fake-engine.ts'

/** What only the production build's call has. */
const PRODUCTION = `${IMAGE}:latest --cache-to`

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
})
afterAll(() => engine.remove())

const INFO = 'info --format {{json .}}'
const LABELS =
  '--label org.opencontainers.image.created=2026-01-01T00:00:00Z --label org.opencontainers.image.source=https://github.com/octo/app --label org.opencontainers.image.revision=SHA'
const BUILD = 'buildx build --builder default --progress rawjson --provenance=false --cache-from type=registry,ref='
const ID_FILE = '--iidfile TEMP/shared-docker-layers-RUN/ID'
const VARIANT = '--label shared-docker-layers.variant=HASH --label shared-docker-layers.build-args=HASH'
/** An image inherits the labels of its base image, so that of a builder image is empty. */
const NO_VARIANT = '--label shared-docker-layers.variant='
const BUILT_ON = '--label shared-docker-layers.built-on=HASH'
const KEYS = '--label shared-docker-layers.keys=KEYS'

/** What only looks at images, containers and the engine. */
const LOOK = /^(buildx imagetools|history|image (?:inspect|ls)|container inspect|version) /

/** What is called, before and after the part in which tests and the production build overlap. */
function called({ calls }: Ran): { first: string[]; overlapping: string[]; last: string[] } {
  const texts = calls.map(({ text }) => text).filter((text) => !LOOK.test(text))
  const end = texts.findIndex((text) => /^(push|ps) /.test(text))
  return { first: texts.slice(0, 2), overlapping: sorted(texts.slice(2, end)), last: texts.slice(end) }
}

function sorted(texts: string[]): string[] {
  return texts.toSorted((a, b) => a.localeCompare(b))
}

function build(stage: 'builder' | 'production', moving: boolean, branch = 'master'): string {
  if (stage === 'builder') {
    const tags = `--tag ${IMAGE}:builder-SHORT${moving ? ` --tag ${IMAGE}:builder --tag ${IMAGE}:builder-next` : ''}`
    return `${BUILD}${IMAGE}:builder --cache-to type=inline --file Dockerfile --target builder ${tags} ${LABELS} ${branchLabel(branch)} ${NO_VARIANT} ${KEYS} ${ID_FILE} .`
  }
  const tags = `--tag ${IMAGE}:SHORT${moving ? ` --tag ${IMAGE}:latest` : ''}`
  return `${BUILD}${IMAGE}:latest --cache-to type=inline --file Dockerfile ${tags} ${LABELS} ${branchLabel('')} ${VARIANT} ${KEYS} ${BUILT_ON} ${ID_FILE} .`
}

function branchLabel(branch: string): string {
  return `--label shared-docker-layers.branch=${branch}`
}

function test(number: number, command: string): [string, string] {
  const name = `shared-docker-layers-RUN-test-${number}`
  const label = '--label shared-docker-layers.run=RUN'
  return [
    `run --env CI=true --log-driver none --name ${name} ${label} --entrypoint sh ${IMAGE}:builder-SHORT -c ${command}`,
    `rm --force --volumes ${name}`
  ]
}

const CLEAN_UP = 'ps --all --quiet --no-trunc --filter label=shared-docker-layers.run=RUN'

function pullRequest(headRepository: number): Event {
  return {
    name: 'pull_request',
    sha: 'f'.repeat(40),
    ref: 'refs/pull/1/merge',
    payload: {
      repository: { id: 1, default_branch: 'master' },
      pull_request: { head: { sha: engine.sha, ref: 'topic', repo: { id: headRepository } }, user: { login: 'octo' } }
    }
  }
}

function find(calls: Call[], text: string): Call {
  const call = calls.find((candidate) => candidate.text.includes(text))
  if (!call) throw new Error(`docker ${text} was not called`)
  return call
}

const slowTests = ['a', 'b', 'c'].map((name) => ({ to: `-c ${name}`, seconds: 0.3 }))

describe('What is called, and in which order', () => {
  const tests = { tests: 'npm test\nnpm run lint' }
  const TESTS = [...test(1, 'npm test'), ...test(2, 'npm run lint')]

  it('on the publishing branch', async () => {
    const ran = await engine.run({ inputs: tests })
    const { first, overlapping, last } = called(ran)
    expect(first).toEqual([INFO, build('builder', true)])
    expect(overlapping).toEqual(sorted([build('production', true), ...TESTS]))
    expect([...sorted(last.slice(0, 2)), ...sorted(last.slice(2, 4)), last[4]]).toEqual([
      // both are looked at before the moving tags move
      ...sorted([`push ${IMAGE}:SHORT`, `push ${IMAGE}:builder-next`]),
      `tag by registry ${IMAGE}:builder`,
      `tag by registry ${IMAGE}:latest`,
      CLEAN_UP
    ])
    expect(last).toHaveLength(5)
    expect(ran.exitCode).toBe(0)
    expect(commandsIn(ran.log).filter((line) => /^::(notice|warning|error)/.test(line))).toEqual([])
    expect(ran.outputs).toMatchObject({
      image: `${IMAGE}:${engine.sha.slice(0, 7)}`,
      pushed: 'true',
      published: 'true',
      'cache-hit': 'partial',
      'cached-steps': '2',
      'total-steps': '4'
    })
    expect(JSON.parse(String(ran.outputs.tests))).toMatchObject([{ status: 'passed' }, { status: 'passed' }])
    expect(String(ran.outputs.tags).split('\n')).toHaveLength(3)
    expect(ran.temp).toHaveLength(1)
  })

  it('on a feature branch: the commit is pushed, no moving tag made or moved', async () => {
    const ran = await engine.run({ inputs: tests, event: engine.push('feature') })
    const { first, overlapping, last } = called(ran)
    expect(first).toEqual([INFO, build('builder', false, 'feature')])
    expect(overlapping).toEqual(sorted([build('production', false), ...TESTS]))
    expect(last).toEqual([`push ${IMAGE}:SHORT`, CLEAN_UP])
    expect(ran.outputs).toMatchObject({ pushed: 'true', published: 'false', branch: 'feature' })
  })

  it.each([
    ['a pull request of a fork', 2, {}, 'fork'],
    ['push: never', 1, { push: 'never' }, 'never']
  ])('%s: built and tested, nothing pushed, one notice', async (_, repository, inputs, why) => {
    const ran = await engine.run({ inputs: { ...tests, ...inputs }, event: pullRequest(repository) })
    expect(called(ran)).toEqual({
      first: [INFO, build('builder', false, 'topic')],
      overlapping: sorted([build('production', false), ...TESTS]),
      last: [CLEAN_UP]
    })
    expect(ran.exitCode).toBe(0)
    expect(commandsIn(ran.log).filter((line) => /^::(notice|warning|error)/.test(line))).toEqual([
      expect.stringMatching(`^::notice::.*${why}`)
    ])
    expect(ran.outputs).toMatchObject({ pushed: 'false', published: 'false', tags: '', digest: '' })
    expect(ran.outputs['publish-reason']).toContain(why)
  })

  it('a pull request of the same repository pushes its commit alone', async () => {
    expect(called(await engine.run({ event: pullRequest(1) })).last).toEqual([`push ${IMAGE}:SHORT`, CLEAN_UP])
  })

  it('a failing test: the others and the production build end, nothing is pushed', async () => {
    const answers = [
      { to: '-c npm test', exitCode: 3 },
      { to: 'npm run lint', seconds: 0.3 }
    ]
    const ran = await engine.run({ inputs: tests, answers })
    expect(called(ran).overlapping).toHaveLength(5)
    expect(called(ran).last).toEqual([CLEAN_UP])
    expect(find(ran.calls, 'npm run lint').signals).toEqual([])
    // and the last of what it printed
    expect(errorsIn(ran.log)).toEqual(['The test "npm test" did not pass: exit code 3%0Atested'])
    expect(JSON.parse(String(ran.outputs.tests))).toMatchObject([
      { command: 'npm test', status: 'failed', exitCode: 3 },
      { command: 'npm run lint', status: 'passed', exitCode: 0 }
    ])
    expect(ran.outputs).toMatchObject({ image: `${IMAGE}:${engine.sha.slice(0, 7)}`, pushed: 'false' })
    expect(ran.exitCode).toBe(1)
  })

  it('a failing builder: no test runs', async () => {
    const ran = await engine.run({
      inputs: tests,
      answers: [{ to: '--target builder', exitCode: 1, stderr: 'ERROR: no\n' }]
    })
    expect(ran.calls.map(({ text }) => text).filter((text) => !LOOK.test(text))).toEqual([
      INFO,
      build('builder', true),
      CLEAN_UP
    ])
    expect(errorsIn(ran.log)).toEqual([expect.stringContaining('failed: no')])
  })

  it('a failing push of the commit: the moving tags are not pushed', async () => {
    const answers = [{ to: `push ${IMAGE}:${engine.sha.slice(0, 7)}`, exitCode: 1, stderr: 'denied: no\n' }]
    const ran = await engine.run({ answers })
    const { last } = called(ran)
    expect(sorted(last)).toEqual(sorted([`push ${IMAGE}:SHORT`, `push ${IMAGE}:builder-next`, CLEAN_UP]))
    expect(errorsIn(ran.log)).toEqual([expect.stringMatching(/Access denied to push octo\/app:.*log in/)])
    expect(ran.outputs).toMatchObject({
      pushed: 'false',
      published: 'false',
      tags: '',
      'publish-reason': expect.stringContaining('publishing failed')
    })
  })

  it('a failing push of one moving tag: the outputs tell what was pushed', async () => {
    const refuse = { action: 'push', status: 503, code: 'UNAVAILABLE', reference: 'latest' } as const
    const { outputs, exitCode } = await engine.run({ inputs: { retries: '1' }, registry: { refuse } })
    expect(exitCode).toBe(1)
    expect(outputs).toMatchObject({ pushed: 'true', published: 'false' })
    expect(String(outputs.tags).split('\n')).toEqual([`${IMAGE}:${engine.sha.slice(0, 7)}`, `${IMAGE}:builder`])
  })

  it('what was published is found without being pulled, and its absence is no warning', async () => {
    const vertex = `importing cache manifest from ${IMAGE}:builder`
    const absent = { digest: 'sha256:3', name: vertex, completed: '2026-01-01T00:00:00Z', error: 'not found' }
    const ran = await engine.run({
      answers: [{ to: '--target', stderr: `${JSON.stringify({ vertexes: [absent] })}\n` }]
    })
    expect(ran.exitCode).toBe(0)
    expect(ran.log).toContain(`${IMAGE}:builder does not exist yet`)
    expect(commandsIn(ran.log).filter((line) => line.startsWith('::warning'))).toEqual([])
  })

  it('legacy: both images are pulled, the builder labelled apart, production built from a replaced Dockerfile', async () => {
    const ran = await engine.run({
      inputs: { tests: 'a' },
      env: { DOCKER_BUILDKIT: '0' },
      answers: [{ to: `pull ${IMAGE}:latest`, exitCode: 1, stderr: 'manifest unknown\n' }]
    })
    // the builder's build waits for the builder's pull only
    find(ran.calls, `pull ${IMAGE}:latest`)
    const texts = ran.calls
      .map(({ text }) => text)
      .filter((text) => text !== `pull ${IMAGE}:latest` && !LOOK.test(text))
    expect(texts[1]).toBe(`pull ${IMAGE}:builder`)
    expect(texts[2]).toMatch(
      `build --force-rm --cache-from ${IMAGE}:builder --file Dockerfile --target builder --iidfile`
    )
    const label = texts[3]
    expect(label).toBe(
      `build --tag ${IMAGE}:builder-SHORT --tag ${IMAGE}:builder ${LABELS} ${branchLabel('master')} ${NO_VARIANT} ${KEYS} ${ID_FILE} -`
    )
    expect(find(ran.calls, '--label').stdin).toMatch(/^FROM sha256:[0-9a-f]{64}\n$/)
    expect(find(ran.calls, `--tag ${IMAGE}:SHORT`).text).toMatch(
      /^build --force-rm --file TEMP\/shared-docker-layers-RUN\/Dockerfile-stage-1 --tag/
    )
    for (const { env } of ran.calls.filter(({ args }) => args[0] === 'build')) expect(env.DOCKER_BUILDKIT).toBe('0')
    expect(ran.exitCode).toBe(0)
  })
})

describe('What overlaps', () => {
  it('tests run at once and beside the production build; the moving tags go up together, after the commit', async () => {
    // long enough for a busy machine to begin the build of production meanwhile
    const longTests = ['a', 'b', 'c'].map((name) => ({ to: `-c ${name}`, seconds: 2 }))
    const answers = [...longTests, { to: PRODUCTION, seconds: 0.6 }, { to: `push ${IMAGE}:`, seconds: 0.2 }]
    const { calls } = await engine.run({ inputs: { tests: 'a\nb\nc' }, answers, registry: { delay: 200 } })
    const production = find(calls, PRODUCTION)
    const builder = find(calls, '--target builder')
    for (const name of ['a', 'b', 'c']) {
      const { start } = find(calls, `-c ${name}`)
      expect(start).toBeGreaterThanOrEqual(builder.end)
      expect(start).toBeLessThan(production.end)
      expect(start).toBeLessThan(find(calls, '-c a').end)
    }
    const testsEnd = Math.max(...['a', 'b', 'c'].map((name) => find(calls, `-c ${name}`).end))
    expect(production.start).toBeLessThan(testsEnd)
    const commit = find(calls, `push ${IMAGE}:SHORT`)
    const [movingBuilder, latest] = ['builder', 'latest'].map((tag) =>
      calls.find(({ text }) => text === `tag by registry ${IMAGE}:${tag}`)
    ) as [Call, Call]
    expect(commit.start).toBeGreaterThanOrEqual(production.end)
    for (const { start } of [movingBuilder, latest]) expect(start).toBeGreaterThanOrEqual(commit.end)
    // neither waits for the other
    expect(Math.abs(movingBuilder.start - latest.start)).toBeLessThan(200)
  })

  it('nothing is pushed before the slowest test has ended', async () => {
    const { calls } = await engine.run({ inputs: { tests: 'a\nb' }, answers: [{ to: '-c b', seconds: 0.8 }] })
    expect(find(calls, 'push').start).toBeGreaterThanOrEqual(find(calls, '-c b').end)
  })

  it.each([
    [1, 1],
    [2, 2]
  ])('test-parallelism %i runs at most %i at a time', async (parallelism, most) => {
    const inputs = { tests: 'a\nb\nc', 'test-parallelism': String(parallelism) }
    const { calls } = await engine.run({ inputs, answers: slowTests })
    const runs = calls.filter(({ args }) => args[0] === 'run')
    const atOnce = runs.map(({ start }) => runs.filter((other) => other.start <= start && start < other.end).length)
    expect(runs).toHaveLength(3)
    expect(runs.at(-1)?.args.at(-1)).toBe('c')
    expect(Math.max(...atOnce)).toBe(most)
  })
})

describe('test-timeout-minutes', () => {
  const inputs = { tests: 'a\nb', 'test-timeout-minutes': '0.01' }

  it('kills the container of the test, and of that test alone', async () => {
    const { calls, outputs, exitCode, log } = await engine.run({ inputs, answers: [{ to: '-c a', hangs: true }] })
    expect(calls.filter(({ args }) => args[0] === 'kill').map(({ text }) => text)).toEqual([
      'kill shared-docker-layers-RUN-test-1'
    ])
    expect(JSON.parse(String(outputs.tests))).toMatchObject([
      { command: 'a', status: 'timed-out', exitCode: null },
      { command: 'b', status: 'passed', exitCode: 0 }
    ])
    expect(errorsIn(log)).toEqual(['The test "a" did not pass: it was stopped after 0.01 minutes%0Atested'])
    expect({ exitCode, pushed: outputs.pushed }).toEqual({ exitCode: 1, pushed: 'false' })
  })

  it('ends also a test whose container cannot be killed', async () => {
    // as when docker run has not made it yet: "No such container"
    const answers = [
      { to: '-c a', hangs: true },
      { to: 'kill', exitCode: 1, stderr: 'Error response from daemon: No such container\n' }
    ]
    const started = await engine.start({ inputs, answers })
    const late = setTimeout(() => started.kill('SIGKILL'), 12_000)
    const { outputs, exitCode } = await started.end()
    clearTimeout(late)
    expect({ exitCode, pushed: outputs.pushed }).toEqual({ exitCode: 1, pushed: 'false' })
  })
})
