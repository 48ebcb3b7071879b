import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { INFO } from '../support/fake-docker.ts'
import { commandsIn, errorsIn, FakeEngine, OUTPUTS, type Ran } from '../support/fake-engine.ts'

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
  writeFileSync(join(engine.workspace, 'no-from'), '# nothing\n')
})
afterAll(() => engine.remove())

/** One sentence, all outputs, nothing pushed, nothing left, and the post step does not mind. */
function expectFailure({ exitCode, log, outputs, post, temp, calls }: Ran, ...words: (string | RegExp)[]): void {
  const errors = errorsIn(log)
  expect(errors).toHaveLength(1)
  for (const word of words) expect(errors[0]).toMatch(word)
  expect(errors[0]).not.toMatch(/\n| at .*:\d+:\d+/)
  expect(exitCode).toBe(1)
  expect(new Set(Object.keys(outputs))).toEqual(OUTPUTS)
  expect(outputs).toMatchObject({ pushed: 'false', published: 'false', image: '', digest: '', tags: '' })
  expect(calls.filter(({ args }) => ['push', 'run', 'buildx'].includes(args[0] ?? ''))).toEqual([])
  expect(temp).toEqual([expect.stringMatching(/report/)])
  expect(post).toMatchObject({ exitCode: 0 })
}

describe('A wrong input', () => {
  it.each<[string, Record<string, string>]>([
    ['image', { image: '' }],
    ['image', { image: 'octo/App' }],
    ['image', { image: 'octo/app:1' }],
    ['context', { context: 'nowhere' }],
    ['context', { context: 'Dockerfile' }],
    ['input file', { file: 'nowhere/Dockerfile' }],
    ['no-from', { file: 'no-from' }],
    ['builder-target', { 'builder-target': 'build' }],
    ['builder-target', { 'builder-target': '--push' }],
    ['target', { target: 'prod' }],
    ['tests', { tests: '--env A=b\nnpm test' }],
    ['production-tests', { 'production-tests': 'npm test\n  --rm' }],
    ['checks', { checks: 'curl\n  --silent' }],
    ['test-options', { 'test-options': 'NODE_ENV=test' }],
    ['test-options', { 'test-options': '--detach' }],
    ['test-parallelism', { 'test-parallelism': '0' }],
    ['test-timeout-minutes', { 'test-timeout-minutes': '1h' }],
    ['build-args', { 'build-args': '=x' }],
    ['labels', { labels: 'team' }],
    ['secrets', { secrets: 'hunter2' }],
    ['secrets', { secrets: 'a=hunter2,b=hunter2' }],
    ['one item a line', { tags: 'v1,v2' }],
    ['add-hosts', { 'add-hosts': 'host' }],
    ['platform', { platform: 'linux/amd64,linux/arm64' }],
    ['tags', { tags: 'v1 v2' }],
    ['builder-tag', { 'builder-tag': 'a/b' }],
    ['builder-tag and latest-tag', { 'latest-tag': 'builder' }],
    ['cache-stages', { 'cache-stages': 'deps' }],
    ['expect-cache', { 'expect-cache': 'yes' }],
    ['push', { push: 'yes' }]
  ])('%s in %j is named in one sentence, and docker never called', async (name, inputs) => {
    const ran = await engine.run({ inputs })
    expectFailure(ran, name)
    expect(ran.calls).toEqual([])
    expect(ran.log).not.toContain('hunter2')
  })

  it('builder is only seen wrong with the help of docker', async () => {
    const answers = [{ to: 'buildx inspect', stdout: 'Name:   b\nDriver: docker-container\n' }]
    const ran = await engine.run({ inputs: { builder: 'b' }, answers })
    expect(errorsIn(ran.log)).toEqual([expect.stringContaining('Input builder names "b"')])
    expect(ran.calls.map(({ text }) => text)).toEqual(['info --format {{json .}}', 'buildx inspect b'])
  })

  it('an event without a commit is told, and docker never called', async () => {
    const event = { ...engine.push('master'), payload: { ref: 'refs/heads/x', deleted: true } }
    const ran = await engine.run({ event })
    expectFailure(ran, 'no commit')
    expect(ran.calls).toEqual([])
  })
})

/** Notices and warnings. */
function toldIn(log: string): string[] {
  return commandsIn(log)
    .filter((line) => /^::(notice|warning)/.test(line))
    .map((line) => line.replace(/^::.*?::/, ''))
}

describe('A secret without a value', () => {
  it.each(['npm_token=', '"npm_token="', 'npm_token=\r\n\r\n', '"npm_token=\n"'])(
    '%j is left out, with a notice',
    async (secrets) => {
      const inputs = { secrets: `${secrets}\n"mirror=a mirror=b"` }
      const { exitCode, log, calls } = await engine.run({ inputs, event: engine.push('feature') })
      expect(exitCode).toBe(0)
      expect(toldIn(log).filter((line) => line.includes('npm_token'))).toEqual([
        'No value in the input secrets for npm_token: the build does not get it, as if it were not in the input. GitHub gives no secrets to workflows of forks and Dependabot'
      ])
      const builds = calls.filter(({ args }) => args[1] === 'build')
      expect(builds).toHaveLength(2)
      for (const { text, env } of builds) {
        expect(text).toContain('--secret id=mirror,env=SHARED_DOCKER_LAYERS_SECRET_1')
        expect(text).not.toContain('npm_token')
        expect(env.SHARED_DOCKER_LAYERS_SECRET_1).toBe('a mirror=b')
      }
    }
  )
})

describe('A build argument that only sounds like a secret', () => {
  const inputs = {
    'build-args': 'AUTH_MODULE_VERSION=2025.11.0\nSESSION_SECRET_FILE=/run/secrets/session',
    tags: '2025.11.0',
    tests: "grep -q 'auth module 2025.11.0' built.txt"
  }

  it('is neither masked nor warned of, and readable everywhere', async () => {
    const { log, outputs, report, summary } = await engine.run({ inputs })
    expect(log).not.toContain('::add-mask::')
    expect(toldIn(log).join()).not.toMatch(/secret/i)
    expect(String(outputs.tags).split('\n')).toContain('octo/app:2025.11.0')
    expect(JSON.stringify([outputs, report, summary])).not.toContain('***')
    expect(report).toMatchObject({ tests: [{ command: inputs.tests }] })
  })

  it('is not masked if the mask would hide a tag, but warned of', async () => {
    const { log, outputs, report, summary } = await engine.run({
      inputs: {
        ...inputs,
        'build-args': 'RELEASE_KEY=2025-release\nNPM_TOKEN=abcdefgh\nX=ghp_0123456789',
        tags: 'v2025-release'
      }
    })
    expect(log.split('\n').filter((line) => line.startsWith('::add-mask::'))).toEqual([
      '::add-mask::abcdefgh',
      '::add-mask::ghp_0123456789'
    ])
    const told = toldIn(log)
    for (const name of ['RELEASE_KEY', 'NPM_TOKEN', 'X']) {
      expect(told).toContainEqual(expect.stringMatching(new RegExp(`^Build argument "${name}" looks like a secret`)))
    }
    expect(told).toContainEqual(expect.stringMatching(/^The value of "RELEASE_KEY" is not masked in the log/))
    expect(String(outputs.tags).split('\n')).toContain('octo/app:v2025-release')
    expect(JSON.stringify([outputs, report, summary])).not.toContain('***')
  })
})

describe('An engine that cannot be used', () => {
  it('no docker on PATH', async () => {
    expectFailure(await engine.run({ env: { PATH: '/nowhere' } }), 'no docker command on PATH')
  })

  const denied =
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/info": dial unix /var/run/docker.sock: connect: permission denied'

  it.each([
    ['says so in the JSON', { stdout: JSON.stringify({ ServerErrors: [denied], ClientInfo: {} }), exitCode: 1 }],
    ['says so in words', { stdout: '', stderr: `${denied}\n`, exitCode: 1 }]
  ])('no permission for the socket: docker %s', async (_, answer) => {
    expectFailure(await engine.run({ answers: [{ to: 'info', ...answer }] }), 'does not answer', 'permission denied')
  })

  it('says several lines', async () => {
    const answers = [
      { to: 'info', stdout: 'x', stderr: 'WARNING: first\r\n::set-output name=digest::x\n', exitCode: 1 }
    ]
    const ran = await engine.run({ answers })
    expectFailure(ran, 'does not answer')
    expect(ran.outputs.digest).toBe('')
  })

  it('Windows containers', async () => {
    const answers = [{ to: 'info', stdout: JSON.stringify({ ...INFO, OSType: 'windows', Driver: 'windowsfilter' }) }]
    expectFailure(await engine.run({ answers }), 'windows containers', 'needs Linux')
  })

  it('no buildx, but a Dockerfile that needs BuildKit', async () => {
    const file = join(engine.workspace, 'Dockerfile.mount')
    writeFileSync(file, 'FROM a AS builder\nRUN --mount=type=cache,target=/c make\nFROM b\n')
    const answers = [{ to: 'info', stdout: JSON.stringify({ ...INFO, ClientInfo: {} }) }]
    const ran = await engine.run({ inputs: { file: 'Dockerfile.mount' }, answers })
    rmSync(file)
    expectFailure(ran, 'needs BuildKit', 'no buildx')
  })
})
