import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { type Agent, type AgentOptions, availableEngines, type EngineSpec, mountDisk } from '../../testbed/index.ts'
import { type Outcome, pushEvent, RunningAction } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, sampled } from '../support/harness.ts'

const newest = availableEngines().at(-1) as EngineSpec
const oldest = availableEngines()[0] as EngineSpec
const engines = sampled([oldest, newest], (engine) => engine === newest)
const HANG = 'sleep 4243'

/** Two stages with an instruction each. */
function application(builder: string, production = 'RUN true'): Files {
  const lines = [
    `FROM ${base} AS builder`,
    builder,
    `FROM ${base}`,
    production,
    'COPY --from=builder /etc/group /group'
  ]
  return { Dockerfile: `${lines.join('\n')}\n` }
}

interface Started {
  action: RunningAction
  repository: string
}

function start(
  agent: Agent,
  name: string,
  files: Files,
  inputs: Record<string, string> = {},
  env: Record<string, string> = {}
): Started {
  const source = new SourceRepository(bed.folder, files)
  const repository = `octo/${name}-${agent.spec.version}`
  const action = new RunningAction(agent, {
    workspace: source.checkout(source.head()),
    event: pushEvent(source.head(), 'master'),
    inputs: { image: `${bed.registry.host}/${repository}`, ...inputs },
    env
  })
  return { action, repository }
}

async function withAgent(spec: EngineSpec, options: AgentOptions, use: (agent: Agent) => Promise<void>): Promise<void> {
  const agent = await bed.agent(spec, options)
  try {
    await use(agent)
  } finally {
    await agent.stop()
  }
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it never came')
    await sleep(20)
  }
}

/** The one thing that is left of a run. */
function expectNothingLeft({ action }: Started, { post }: Outcome): void {
  expect(post.exitCode).toBe(0)
  expect(readdirSync(action.temp)).toEqual([expect.stringMatching(/^shared-docker-layers-report-.*\.json$/)])
}

describe.each(engines)('The engine, Docker $version, goes away', (spec) => {
  it.each<[string, () => Files, string, RegExp]>([
    ['in the middle of a build', () => application(`RUN echo reached $((40 + 2)); ${HANG}`), 'true', /reached 42/],
    ['in the middle of a test', () => application('RUN true'), `echo reached $((40 + 2)); ${HANG}`, /reached 42/],
    [
      'in the middle of a push',
      () => application('RUN true', 'RUN head -c 20000000 /dev/urandom > /blob'),
      'true',
      /The push refers to repository/
    ]
  ])('%s', async (name, files, tests, begun) => {
    // 20 s for the blob
    await withAgent(spec, { linkMbit: 8 }, async (agent) => {
      const started = start(agent, name.replaceAll(' ', '-'), files(), { tests })
      await until(() => begun.test(started.action.log))
      await agent.killEngine()
      const outcome = await started.action.end()
      expect(outcome.exitCode).toBe(1)
      expect(annotations(outcome, 'error')[0]).toMatch(
        /^::error::The Docker engine stopped answering during the run \(.*(Cannot connect|failed to connect|error during connect)/
      )
      expect(outcome.outputs).toMatchObject({ pushed: 'false', published: 'false', tags: '' })
      expectNothingLeft(started, outcome)
      expect(await bed.registry.tags(started.repository)).toEqual([])
    })
  })
})

describe('A disk that is full', () => {
  it.each(engines)('of the engine, Docker $version, fails the build and says so', async (spec) => {
    await withAgent(spec, { diskMiB: 64 }, async (agent) => {
      const started = start(agent, 'full-disk', application('RUN dd if=/dev/zero of=/blob bs=1M count=200'), {
        tests: 'true'
      })
      const outcome = await started.action.end()
      expect(outcome.exitCode).toBe(1)
      expect(annotations(outcome, 'error')).toEqual([
        expect.stringMatching(/^::error::Building .* failed: .*; no space is left on the disk/)
      ])
      expectNothingLeft(started, outcome)
      expect(await agent.docker('ps', '--all', '--quiet')).toBe('')
      expect(await bed.registry.tags(started.repository)).toEqual([])
    })
  })

  it('of the runner costs some of the log, and nothing else', async () => {
    await withAgent(newest, {}, async (agent) => {
      const temp = join(agent.folder, 'small')
      await mountDisk(temp, 1)
      const print = 'head -c 3000000 /dev/zero | tr "\\0" x'
      // when production is built; the first one prints live, and the second one must wait
      const tests = `sleep 5; ${print}; sleep 2\nsleep 5; ${print}`
      const { action } = start(agent, 'full-runner', application('RUN true'), { tests }, { RUNNER_TEMP: temp })
      const outcome = await action.end()
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.log).toMatch(/… what follows could not be kept: ENOSPC/)
      expect(outcome.outputs).toMatchObject({ published: 'true' })
      expect(readdirSync(temp)).toEqual([expect.stringMatching(/^shared-docker-layers-report-/)])
    })
  })
})

describe('An engine that cannot be used', () => {
  /** A docker command that is another user's, who may not use the socket. */
  function dockerOfNobody(agent: Agent): string {
    const folder = join(agent.folder, 'nobody')
    mkdirSync(folder)
    const docker = String(agent.env.PATH)
      .split(':')
      .find((path) => readdirSync(path).includes('docker'))
    writeFileSync(
      join(folder, 'docker'),
      `#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups ${docker}/docker "$@"\n`,
      { mode: 0o755 }
    )
    return folder
  }

  /** A PATH with what enters the agent's network, and nothing else. */
  function withoutDocker(agent: Agent): string {
    const folder = join(agent.folder, 'without')
    mkdirSync(folder)
    symlinkSync('/usr/bin/nsenter', join(folder, 'nsenter'))
    return folder
  }

  it.each<[string, (agent: Agent) => Record<string, string>, RegExp]>([
    [
      'because there is no such context',
      () => ({ DOCKER_HOST: '', DOCKER_CONTEXT: 'nowhere' }),
      /The Docker engine does not answer \(.*nowhere.*\); start it, or check DOCKER_HOST, the docker context/
    ],
    [
      'because nothing listens there',
      () => ({ DOCKER_HOST: 'unix:///nowhere/docker.sock' }),
      /The Docker engine does not answer \(.*\/nowhere\/docker.sock.*\); start it/
    ],
    [
      'because its socket is not ours',
      (agent) => ({ PATH: `${dockerOfNobody(agent)}:${agent.env.PATH}` }),
      /The Docker engine does not answer \(.*permission denied.*\); .* the permissions of its socket/
    ],
    [
      'because there is no docker command',
      (agent) => ({ PATH: withoutDocker(agent) }),
      /There is no docker command on PATH/
    ]
  ])('%s', async (_, env, expected) => {
    await withAgent(newest, {}, async (agent) => {
      const started = start(agent, 'unusable', application('RUN true'), { tests: 'true' }, env(agent))
      const outcome = await started.action.end()
      expect(outcome.exitCode).toBe(1)
      expect(annotations(outcome, 'error')).toEqual([expect.stringMatching(expected)])
      expectNothingLeft(started, outcome)
      expect(await bed.registry.tags(started.repository)).toEqual([])
    })
  })
})

describe('Tests that do not behave', () => {
  it.each(engines)('are told, and end with the run (Docker $version)', async (spec) => {
    await withAgent(spec, {}, async (agent) => {
      const tests = [
        // 1: its timer stops it
        'trap "" TERM INT; sleep 4243',
        // 2: leaves a process
        'setsid sleep 4243 & echo forked',
        // 3, 4: print 200 MB, as lines and as one line
        `yes ${'x'.repeat(99)} | head -c 200000000`,
        'head -c 200000000 /dev/zero | tr "\\0" x',
        // 5: takes more memory than it may
        'head -c 190000000 /dev/zero | tail -c 180000000 > /dev/null',
        // 6, 7: somebody kills and removes their containers
        'echo kill me; sleep 4243',
        'echo remove me; sleep 4243',
        // 8, 9: exit codes that docker has, too
        'exit 125',
        'exit 143'
      ]
      const started = start(agent, 'naughty', application('RUN true'), {
        tests: tests.join('\n'),
        'test-options': '--memory=64m\n--memory-swap=64m',
        'test-timeout-minutes': '0.5'
      })
      for (const [number, ...command] of [
        ['6', 'kill'],
        ['7', 'rm', '--force']
      ]) {
        let id = ''
        await until(async () => {
          id = await agent.docker('ps', '--quiet', '--filter', `name=-test-${number}$`)
          return id !== ''
        })
        await agent.docker(...command, id)
      }
      const outcome = await started.action.end()
      const results = JSON.parse(String(outcome.outputs.tests)) as { status: string; exitCode: number | null }[]
      expect(results.map(({ status, exitCode }) => `${status} ${exitCode}`)).toEqual([
        'timed-out null',
        'passed 0',
        'passed 0',
        'passed 0',
        'failed 137',
        'failed 137',
        'failed 137',
        'failed 125',
        'failed 143'
      ])
      const errors = annotations(outcome, 'error').map((line) => line.replace(/^.* did not pass: /, ''))
      expect(errors.toSorted((a, b) => a.localeCompare(b))).toEqual([
        'exit code 125',
        'exit code 137: it ended by SIGKILL',
        'exit code 137: it ended by SIGKILL',
        'exit code 137: it ran out of memory and was killed',
        'exit code 143: it ended by SIGTERM',
        'it was stopped after 0.5 minutes'
      ])
      expect(outcome.exitCode).toBe(1)
      // two sections of some 4 MiB
      expect(outcome.log.length).toBeLessThan(10_000_000)
      expect(await agent.docker('ps', '--all', '--quiet')).toBe('')
      expect(await agent.docker('volume', 'ls', '--quiet')).toBe('')
      expectNothingLeft(started, outcome)
      // what was built serves the next run, but nobody deploys it
      const tags = await bed.registry.tags(started.repository)
      expect(tags.filter((tag) => !/^cache-[0-9a-f]{16}$/.test(tag))).toEqual([])
    })
  })
})
