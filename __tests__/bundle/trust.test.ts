import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { rawJson } from '../support/fake-docker.ts'
import { commandsIn, FakeEngine, OUTPUTS, type Ran } from '../support/fake-engine.ts'

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
})
afterAll(() => engine.remove())

describe('The environment of docker', () => {
  const RUNNER = {
    GITHUB_TOKEN: 'ghs_1',
    GH_TOKEN: 'ghs_2',
    ACTIONS_RUNTIME_TOKEN: 'jwt',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'jwt',
    NODE_OPTIONS: '--no-warnings',
    NPM_TOKEN: 'npm',
    OTHER: 'other'
  }

  it('has nothing of the runner, and neither has post', async () => {
    const { calls } = await engine.run({ inputs: { tests: 'a', 'github-token': 'ghs_0' }, env: RUNNER })
    const names = new Set(calls.flatMap(({ env }) => Object.keys(env)))
    // the proxy is the stand-in for Docker Hub
    expect(names).toEqual(new Set(['PATH', 'HOME', ...Object.keys(engine.hub.env)]))
  })

  it('has what docker needs, and what the inputs name', async () => {
    const env = { ...RUNNER, DOCKER_CONFIG: '/nowhere', https_proxy: 'http://proxy' }
    const inputs = { tests: 'a', 'test-options': '--env OTHER', 'build-args': 'NPM_TOKEN\nGH_TOKEN=given' }
    const { calls } = await engine.run({ inputs, env })
    const [run] = calls.filter(({ args }) => args[0] === 'run')
    expect(run?.env).toMatchObject({
      OTHER: 'other',
      NPM_TOKEN: 'npm',
      DOCKER_CONFIG: '/nowhere',
      https_proxy: 'http://proxy'
    })
    expect(Object.keys(run?.env ?? {})).toHaveLength(6 + Object.keys(engine.hub.env).length)
    expect(run?.args.join(' ')).not.toContain('npm')
  })
})

describe('A secret', () => {
  const inputs = {
    tests: 'a',
    secrets: 'npm_token=hunter2==\n"key=-----BEGIN-----\nline two, of it\n-----END-----"',
    'github-token': 'ghs_secret'
  }
  const everywhere = /hunter2|line two|ghs_secret/

  it('is only in the environment of the builds, and masked before anything else', async () => {
    const { calls, log, outputs, state, summary, report, post } = await engine.run({ inputs })
    for (const { args, stdin, env } of calls) {
      expect([...args, stdin].join(' ')).not.toMatch(everywhere)
      const isBuild = args[1] === 'build'
      expect(Object.keys(env).filter((name) => everywhere.test(env[name] ?? ''))).toHaveLength(isBuild ? 2 : 0)
    }
    const [build] = calls.filter(({ args }) => args[1] === 'build')
    expect(build?.text).toContain('--secret id=npm_token,env=SHARED_DOCKER_LAYERS_SECRET_1 --secret id=key,env=')
    expect(build?.env.SHARED_DOCKER_LAYERS_SECRET_1).toBe('hunter2==')
    expect(build?.env.SHARED_DOCKER_LAYERS_SECRET_2).toBe('-----BEGIN-----\nline two, of it\n-----END-----')

    const lines = log.split('\n')
    const masks = lines.filter((line) => line.startsWith('::add-mask::'))
    expect(lines.slice(0, masks.length)).toEqual(masks)
    expect(masks.map((line) => line.slice('::add-mask::'.length))).toEqual([
      'hunter2==',
      '-----BEGIN-----',
      'line two, of it',
      '-----END-----',
      'ghs_secret'
    ])
    expect(lines.slice(masks.length).join('\n')).not.toMatch(everywhere)
    expect(JSON.stringify([outputs, state, summary, report, post.log])).not.toMatch(everywhere)
  })

  it('is not shown if another input is wrong, or its own line', async () => {
    for (const wrong of [
      { push: 'yes' },
      { secrets: 'hunter2' },
      { secrets: 'a b=hunter2' },
      { secrets: '"a=hunter2' }
    ]) {
      const { log, summary, report } = await engine.run({ inputs: { ...inputs, ...wrong } })
      const shown = log.split('\n').filter((line) => !line.startsWith('::add-mask::'))
      expect(JSON.stringify([shown, summary, report])).not.toMatch(everywhere)
    }
  })
})

describe('Hostile output', () => {
  const HOSTILE = [
    '::set-output name=digest::x',
    'a ##[error]x',
    '::save-state name=folder::/nonexistent',
    '  ::error::x',
    '::stop-commands::mine',
    '::mine::',
    '::add-mask::a',
    '\r::set-env name=PATH::/tmp\r::error::cr',
    '\xff\xfe\xe2\x82',
    '\x1b[31m::warning::x',
    '::endgroup::',
    'no newline at the end ##[warning]x'
  ].join('\n')
  const OURS = /^::(add-mask|group|endgroup|notice|error|warning)/

  async function hostileRun(failing: boolean): Promise<Ran> {
    const exitCode = failing ? 1 : 0
    return engine.run({
      inputs: { tests: 'echo "##[error]a"; ::error::b\n::error::c', 'test-options': '--env "A=##[error]x ::error::x"' },
      answers: [
        { to: '-c echo', stdout: HOSTILE, stderr: HOSTILE, exitCode },
        { to: '--target', stderr: `${HOSTILE}\n${rawJson('builder', HOSTILE)}` },
        { to: 'buildx', stderr: rawJson('a|b', HOSTILE, failing ? HOSTILE : ''), stdout: HOSTILE, exitCode },
        { to: 'push octo/app:latest', stderr: HOSTILE, exitCode: 1 }
      ],
      // and so does the registry; then docker shall push
      registry: { refuse: { action: 'push', status: 400, code: HOSTILE, reference: 'latest' } }
    })
  }

  it.each([[false], [true]])('is never obeyed; the builds and tests fail: %s', async (failing) => {
    const { log, outputs, state, temp, exitCode } = await hostileRun(failing)
    const commands = commandsIn(log)
    expect(commands.filter((line) => !OURS.test(line))).toEqual([])
    expect(commands.filter((line) => /^::error/.test(line))).toHaveLength(failing ? 2 : 1)
    expect(commands.filter((line) => line.startsWith('::group')).join()).not.toContain('##[')
    expect(log).toContain('::set-output name=digest::x')
    expect(exitCode).toBe(1)
    expect(new Set(Object.keys(outputs))).toEqual(OUTPUTS)
    expect(outputs.digest).toBe(failing ? '' : engine.hub.registry.digestOf('octo/app', engine.sha.slice(0, 7)))
    expect(Object.keys(state)).toEqual(['run-id', 'folder'])
    expect(state.folder).toContain(`/shared-docker-layers-${state['run-id']}`)
    expect(temp).toHaveLength(1)
  })

  it('gets tokens that are new each time', async () => {
    const runs = [await hostileRun(false), await hostileRun(false)]
    const tokens = runs.flatMap(({ log }) =>
      [...log.matchAll(/^::stop-commands::(.*)$/gm)].map(([, token]) => token).filter((token) => token !== 'mine')
    )
    expect(tokens.length).toBeGreaterThan(8)
    expect(new Set(tokens).size).toBe(tokens.length)
    for (const token of tokens)
      expect(token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('of a test that passes is shown to the last byte, invalid UTF-8 included', async () => {
    const answers = [{ to: '-c a', stdout: `${'x'.repeat(300_000)}END` }]
    const { log } = await engine.run({ inputs: { tests: 'a' }, answers })
    expect(log).toMatch(/x{300000}END/)
  })
})

describe('Hostile names', () => {
  const NAMES = [
    'x$(touch$IFS$9pwned)',
    'x`touch$IFS$9pwned`',
    'x";touch$IFS$9pwned;"',
    "x';touch$IFS$9pwned;'",
    'x|touch$IFS$9pwned',
    'x&&touch$IFS$9pwned',
    'x>pwned',
    '--output=pwned',
    '-v/:/host',
    '<script>alert(1)</script>',
    '[x](https://evil.example)',
    'x|y|z',
    '::error::x',
    '##[error]x',
    'x%0A::error::y',
    '@octocat',
    '&lt;b&gt;',
    'é日本🐳',
    '\u202ex'
  ]
  const MARKUP = /<script|\]\(https|\| *y *\|/

  it.each(NAMES)('a branch, a tag and a label named %j are words and text', async (name) => {
    for (const ref of [`refs/heads/${name}`, `refs/tags/${name}`]) {
      const event = { ...engine.push('master'), ref }
      const inputs = { tests: `echo ${name}`, labels: `team=${name}`, 'build-args': `X=${name}` }
      const { calls, outputs, summary, report, log, exitCode } = await engine.run({ inputs, event })
      expect(exitCode).toBe(0)
      const builds = calls.filter(({ args }) => args[1] === 'build')
      // each is one argument, after its option
      for (const { args } of builds) expect(args[args.indexOf(`X=${name}`) - 1]).toBe('--build-arg')
      const [production] = builds.filter(({ args }) => args.includes(`team=${name}`))
      expect(production?.args[(production?.args.indexOf(`team=${name}`) ?? 0) - 1]).toBe('--label')
      const [run] = calls.filter(({ args }) => args[0] === 'run')
      expect(run?.args.slice(-3)).toEqual([expect.stringMatching(/^octo\/app:builder-/), '-c', `echo ${name}`])
      // no tag is made of it
      expect(String(outputs.tags)).not.toContain('x')
      expect(existsSync(join(engine.workspace, 'pwned'))).toBe(false)
      expect(summary).not.toMatch(MARKUP)
      expect(JSON.parse(String(outputs.tests))).toMatchObject([{ command: `echo ${name}` }])
      expect(report).toMatchObject({ tests: [{ command: `echo ${name}` }] })
      expect(commandsIn(log).filter((line) => !/^::(group|endgroup|notice|error|warning)/.test(line))).toEqual([])
      expect(commandsIn(log).filter((line) => line.startsWith('::error'))).toEqual([])
    }
  })

  it('a Dockerfile and a context are paths, whatever they are called', async () => {
    const folder = join(engine.workspace, '-v $(touch pwned)')
    mkdirSync(folder)
    writeFileSync(join(folder, '--file;touch pwned'), 'FROM alpine AS builder\nRUN make\nFROM alpine\nRUN make\n')
    const inputs = { context: '-v $(touch pwned)', file: '-v $(touch pwned)/--file;touch pwned' }
    const { calls, exitCode } = await engine.run({ inputs })
    expect(exitCode).toBe(0)
    const [build] = calls.filter(({ args }) => args[1] === 'build')
    expect(build?.args).toContain('./-v $(touch pwned)/--file;touch pwned')
    expect(build?.args.at(-1)).toBe('./-v $(touch pwned)')
    expect(existsSync(join(engine.workspace, 'pwned'))).toBe(false)
  })
})

describe('The post step', () => {
  const ID = '01234567-89ab-4cde-8f01-23456789abcd'
  let folder: string

  beforeAll(() => {
    folder = join(engine.folder, 'temp')
    for (const name of ['other', `shared-docker-layers-${ID}`, 'shared-docker-layers-x']) {
      mkdirSync(join(folder, name), { recursive: true })
    }
    // never a folder of the machine: were the check broken, it would be removed
    mkdirSync(join(engine.folder, 'elsewhere'))
    mkdirSync(join(engine.folder, `shared-docker-layers-${ID}`))
  })

  /** Runs post with state that may be forged. */
  async function post(state: Record<string, string>): Promise<{ called: string[]; log: string }> {
    const { exitCode, log, calls } = await engine.post({ RUNNER_TEMP: folder, ...state })
    expect(exitCode).toBe(0)
    return { called: calls.map(({ text }) => text), log }
  }

  it.each<[Record<string, string>]>([
    [{}],
    [{ 'STATE_run-id': ID }],
    [{ 'STATE_run-id': ID, STATE_folder: 'ELSEWHERE' }],
    [{ 'STATE_run-id': ID, STATE_folder: 'TEMP' }],
    [{ 'STATE_run-id': ID, STATE_folder: 'TEMP/other' }],
    [{ 'STATE_run-id': ID, STATE_folder: `TEMP/../shared-docker-layers-${ID}` }],
    [{ 'STATE_run-id': ID, STATE_folder: `TEMP/other/../../shared-docker-layers-${ID}` }],
    [{ 'STATE_run-id': 'x', STATE_folder: 'TEMP/shared-docker-layers-x' }],
    [{ 'STATE_run-id': '', STATE_folder: 'TEMP/shared-docker-layers-x' }],
    [{ 'STATE_run-id': `${ID} --all`, STATE_folder: `TEMP/shared-docker-layers-${ID}` }],
    [{ 'STATE_run-id': '--all', STATE_folder: 'TEMP/shared-docker-layers---all' }],
    [{ 'STATE_run-id': ID.toUpperCase(), STATE_folder: `TEMP/shared-docker-layers-${ID}` }]
  ])('removes nothing with %j', async (state) => {
    const forged = Object.entries(state).map(([name, value]) => [
      name,
      value.replace('TEMP', folder).replace('ELSEWHERE', join(engine.folder, 'elsewhere'))
    ])
    expect((await post(Object.fromEntries(forged))).called).toEqual([])
    for (const name of ['other', `shared-docker-layers-${ID}`, 'shared-docker-layers-x']) {
      expect(existsSync(join(folder, name))).toBe(true)
    }
    for (const name of ['elsewhere', `shared-docker-layers-${ID}`])
      expect(existsSync(join(engine.folder, name))).toBe(true)
  })

  it('removes what main left, and may run twice', async () => {
    const state = { 'STATE_run-id': ID, STATE_folder: join(folder, `shared-docker-layers-${ID}`) }
    const answers = [{ to: 'ps', stdout: 'abc\ndef\n' }]
    for (let time = 0; time < 2; time++) {
      const { exitCode, calls } = await engine.post({ RUNNER_TEMP: folder, ...state }, answers)
      expect(exitCode).toBe(0)
      expect(calls.map(({ text }) => text)).toEqual([
        'ps --all --quiet --no-trunc --filter label=shared-docker-layers.run=RUN',
        'rm --force --volumes abc def'
      ])
      expect(existsSync(state.STATE_folder)).toBe(false)
    }
  })

  it('ends well without docker, and still removes the folder', async () => {
    const state = { 'STATE_run-id': ID, STATE_folder: join(folder, `shared-docker-layers-${ID}`) }
    mkdirSync(state.STATE_folder)
    const { exitCode, log } = await engine.post({ RUNNER_TEMP: folder, ...state, PATH: '/nowhere' })
    expect({ exitCode, commands: commandsIn(log) }).toEqual({ exitCode: 0, commands: [] })
    expect(existsSync(state.STATE_folder)).toBe(false)
  })

  it('removes what a main step left that was killed outright', async () => {
    const started = await engine.start({ inputs: { tests: 'a' }, answers: [{ to: '-c a', seconds: 1.5 }] })
    await started.untilCalled('-c a')
    started.kill('SIGKILL')
    const { temp, calls, post: after } = await started.end()
    expect(after.exitCode).toBe(0)
    expect(temp).toEqual([])
    expect(calls.map(({ args }) => args[0])).not.toContain('ps')
    expect(started.calls().at(-1)?.text).toContain('ps --all')
  })
})
