import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Answer } from '../support/fake-docker.ts'
import { errorsIn, FakeEngine, IMAGE, type JobOptions, OUTPUTS, type Ran } from '../support/fake-engine.ts'

/** What only the production build's call has. */
const PRODUCTION = `${IMAGE}:latest --cache-to`

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
})
afterAll(() => engine.remove())

/** The runner waits 7.5 s after SIGINT, 2.5 s after SIGTERM, and then kills. */
const SECONDS = 5

const HANGS = { hangs: true }

/** Cancels a run as soon as docker was called so, and checks what holds for every cancelled run. */
async function cancel(called: string[], options: JobOptions, signal: NodeJS.Signals = 'SIGINT'): Promise<Ran> {
  const started = await engine.start({ inputs: { tests: 'a\nb' }, ...options })
  for (const call of called) await started.untilCalled(call)
  const cancelled = Date.now()
  started.kill(signal)
  const late = setTimeout(() => started.kill('SIGKILL'), 12_000)
  const ran = await started.end()
  clearTimeout(late)
  expect(ran.exitCode).toBe(1)
  expect(errorsIn(ran.log)).toEqual(['The run was cancelled'])
  expect(new Set(Object.keys(ran.outputs))).toEqual(OUTPUTS)
  expect(ran.calls.filter(({ args, start }) => args[0] === 'push' && start > cancelled)).toEqual([])
  if (ran.calls.length > 1) expect(ran.calls.at(-1)?.text).toMatch(/^ps --all .*run=RUN$|^rm --force/)
  expect(ran.temp).toEqual([expect.stringMatching(/report/)])
  expect(ran.report).toMatchObject({ version: 1, cancelled: true })
  expect(ran.post.exitCode).toBe(0)
  // from the signal to the end of main, without post
  const ended = ran.calls.at(-1)?.end ?? Number.POSITIVE_INFINITY
  if (ran.calls.length > 1) expect(ended - cancelled).toBeLessThan(SECONDS * 1_000)
  return ran
}

describe('A cancelled run ends soon and leaves nothing', () => {
  it.each<[string, string[], Answer[]]>([
    ['docker info hangs', ['info'], [{ to: 'info', ...HANGS }]],
    ['the builder build hangs', ['--target builder'], [{ to: '--target builder', ...HANGS }]],
    ['tests hang', ['-c a', '-c b'], [{ to: ' -c ', ...HANGS }]],
    [
      'tests and production hang',
      ['-c a', '-c b', PRODUCTION],
      [
        { to: ' -c ', ...HANGS },
        { to: PRODUCTION, ...HANGS }
      ]
    ],
    ['the pushes hang', [`push ${IMAGE}:SHORT`, `push ${IMAGE}:builder-next`], [{ to: 'push', ...HANGS }]]
  ])('while %s', async (_, called, answers) => {
    const { calls } = await cancel(called, { answers })
    for (const text of called) {
      expect(calls.filter((call) => call.text.includes(text))).toMatchObject([
        { signals: ['SIGTERM'], end: Number.POSITIVE_INFINITY }
      ])
    }
  })

  it('while a legacy pull hangs', async () => {
    const env = { DOCKER_BUILDKIT: '0' }
    const { calls } = await cancel([`pull ${IMAGE}:builder`, `pull ${IMAGE}:latest`], {
      env,
      answers: [{ to: 'pull', ...HANGS }]
    })
    expect(calls.map(({ args }) => args[0])).toEqual(['info', 'image', 'pull', 'pull', 'ps'])
  })

  it('by SIGTERM alone', async () => {
    await cancel(['-c a', '-c b'], { answers: [{ to: ' -c ', ...HANGS }] }, 'SIGTERM')
  })

  it('while tests hang that do not mind SIGTERM', async () => {
    const { calls } = await cancel(['-c a', '-c b'], { answers: [{ to: ' -c ', ...HANGS, ignoresSigterm: true }] })
    expect(calls.filter(({ args, signals }) => args[0] === 'run' && signals.length > 0)).toHaveLength(2)
    expect(calls.filter(({ args }) => args[0] === 'rm')).toHaveLength(2)
  })

  it('while tests wait for their turn: those never start', async () => {
    const inputs = { tests: 'a\nb\nc', 'test-parallelism': '1' }
    const { calls } = await cancel(['-c a'], { inputs, answers: [{ to: ' -c ', ...HANGS }] })
    expect(calls.filter(({ args }) => args[0] === 'run')).toHaveLength(1)
  })

  it('while a build hangs whose plugin outlives docker', async () => {
    await cancel(['--target'], { answers: [{ to: '--target', ...HANGS, leavesChild: true }] })
  })

  it('and removes the containers that the engine still has', async () => {
    const answers = [
      { to: ' -c ', ...HANGS },
      { to: 'ps', stdout: 'abc\n' }
    ]
    const { calls } = await cancel(['-c a', '-c b'], { answers })
    expect(calls.at(-1)?.text).toBe('rm --force --volumes abc')
  })

  it('while GitHub does not answer', async () => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const event = { ...engine.push('master'), payload: {} }
      const options = { event, inputs: { 'github-token': 'x' }, env: { GITHUB_API_URL: api } }
      const started = await engine.start(options)
      await started.untilCalled('info')
      started.kill('SIGINT')
      const late = setTimeout(() => started.kill('SIGKILL'), SECONDS * 1_000)
      const { exitCode, log } = await started.end()
      clearTimeout(late)
      expect({ exitCode, errors: errorsIn(log) }).toEqual({ exitCode: 1, errors: ['The run was cancelled'] })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('A cancelled run tells what had ended', () => {
  it('tests that ended, and the production image', async () => {
    const started = await engine.start({ inputs: { tests: 'a\nb' }, answers: [{ to: '-c b', ...HANGS }] })
    await started.untilCalled('rm --force')
    await started.untilCalled(PRODUCTION)
    await new Promise((resolve) => setTimeout(resolve, 300))
    started.kill('SIGINT')
    const { outputs } = await started.end()
    expect(JSON.parse(String(outputs.tests))).toMatchObject([{ command: 'a', status: 'passed' }])
    expect(outputs.image).toBe(`${IMAGE}:${engine.sha.slice(0, 7)}`)
  })

  it('what was pushed', async () => {
    const ran = await cancel([`registry ${IMAGE}:builder `, `registry ${IMAGE}:latest `], {
      registry: { silent: 'tag' }
    })
    expect(ran.outputs).toMatchObject({ pushed: 'true', published: 'false' })
    expect(String(ran.outputs.tags).split('\n')).toContain(`${IMAGE}:${engine.sha.slice(0, 7)}`)
    expect(ran.outputs['publish-reason']).not.toMatch(/^Nothing was pushed/)
  })
})
