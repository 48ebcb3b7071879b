import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import pLimit from 'p-limit'
import { type BoundName, timeOf } from '../../src/lib/bounds.ts'
import { commandsIn, errorsIn, FakeEngine, IMAGE, type JobOptions, type Ran } from '../support/fake-engine.ts'

const HANGS = { hangs: true }
const TESTS = { tests: 'a' }

/** Prints a vertex of BuildKit that has started, and hangs. */
function waitsFor(name: string): { to: string; stderr: string; hangs: boolean } {
  const vertex = { digest: 'd', name, started: '2026-01-01T00:00:00Z' }
  return { to: '--target builder', stderr: `${JSON.stringify({ vertexes: [vertex] })}\n`, hangs: true }
}

/** A program that hangs at a call whose words contain a text, and tells that as if it were a call of docker. */
function hangingProgram(name: string, words: string, otherwise: string): string {
  const call = JSON.stringify({ id: 1, at: 0, what: 'start', args: [name], env: {}, parent: 0 })
  return `case "$*" in *"${words}"*) echo '${call}' >> "$HOME/calls.jsonl"; exec sleep 60;; esac\n${otherwise}`
}

/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:1'

const GIT = `exec ${execFileSync('which', ['git'], { encoding: 'utf8' }).trim()} "$@"`

/** A call that hangs, and how the run ends. */
interface Row {
  bound: BoundName
  what: string
  options: () => JobOptions
  /** A text in the call. */
  called: string
  /** The only error of the run; undefined if it passes. */
  error: RegExp | undefined
  /** What the log says. */
  said?: RegExp
  /** Whether the run has its result when the call begins, so that a cancellation does not change it. */
  isOver?: boolean
}

let github: Server
let helperConfig: string

const ROWS: Row[] = [
  {
    ...{ bound: 'engine', what: 'docker info', called: 'info' },
    options: () => ({ answers: [{ to: 'info', ...HANGS }] }),
    error: /^The Docker engine does not answer \(docker info: no answer within 60 seconds\); /
  },
  {
    ...{ bound: 'engine-alive', what: 'docker version, after a failure', called: 'version', isOver: true },
    options: () => ({
      answers: [
        { to: '--target builder', exitCode: 1 },
        { to: 'version', ...HANGS }
      ]
    }),
    error: /^The Docker engine stopped answering during the run \(docker version: no answer within 10 seconds\)/
  },
  {
    ...{ bound: 'buildx-builder', what: 'docker buildx inspect', called: 'buildx inspect' },
    options: () => ({ inputs: { builder: 'mine' }, answers: [{ to: 'buildx inspect', ...HANGS }] }),
    error: /docker buildx inspect mine: no answer within 60 seconds/
  },
  {
    ...{ bound: 'image', what: 'docker image ls', called: 'image ls', error: undefined },
    options: () => ({ answers: [{ to: 'image ls', ...HANGS }] })
  },
  {
    ...{ bound: 'image', what: 'docker image inspect, before the pushes', called: `image inspect ${IMAGE}` },
    options: () => ({ answers: [{ to: `image inspect ${IMAGE}`, ...HANGS }] }),
    error: /\(docker image inspect: no answer within 60 seconds\)$/
  },
  {
    ...{ bound: 'container', what: 'docker container inspect', called: 'container inspect' },
    options: () => ({ inputs: TESTS, answers: [{ to: 'container inspect', ...HANGS }] }),
    error: /docker reports success, but docker container inspect: no answer within 60 seconds/
  },
  {
    ...{ bound: 'container', what: 'docker rm', called: 'rm --force', error: undefined },
    options: () => ({ inputs: TESTS, answers: [{ to: 'rm --force', ...HANGS }] })
  },
  {
    ...{ bound: 'container', what: 'docker ps', called: 'ps --all', error: undefined, isOver: true },
    options: () => ({ answers: [{ to: 'ps --all', ...HANGS }] }),
    said: /Cannot remove all containers of this run: docker ps: no answer within 60 seconds/
  },
  {
    ...{ bound: 'reports', what: 'docker cp', called: 'cp shared', error: undefined },
    options: () => ({ inputs: { ...TESTS, 'test-reports': 'r.xml' }, answers: [{ to: 'cp shared', ...HANGS }] }),
    said: /No report \/r\.xml of the test a: docker cp: no answer within 5 minutes/
  },
  {
    ...{
      bound: 'client-inspect',
      what: 'docker buildx imagetools inspect',
      called: 'imagetools inspect',
      error: undefined
    },
    options: () => ({
      env: { HTTPS_PROXY: NOBODY, HTTP_PROXY: NOBODY },
      answers: [{ to: 'imagetools inspect', ...HANGS }]
    })
  },
  {
    ...{ bound: 'transfer', what: 'docker push', called: 'push' },
    options: () => ({ answers: [{ to: `push ${IMAGE}`, ...HANGS }] }),
    error: /^The registry could not be reached to push .*\(docker push: no answer within 15 minutes\)$/
  },
  {
    ...{ bound: 'transfer', what: 'docker pull, for the legacy builder', called: 'pull', error: undefined },
    options: () => ({ env: { DOCKER_BUILDKIT: '0' }, answers: [{ to: `pull ${IMAGE}`, ...HANGS }] }),
    said: /continuing without its cache \(docker pull: no answer within 15 minutes\)/
  },
  {
    ...{ bound: 'build-question', what: 'a build that reads its cache source', called: '--target builder' },
    options: () => ({ answers: [waitsFor(`importing cache manifest from ${IMAGE}:builder`)] }),
    error: /^Building octo\/app:builder-\w+ failed: octo\/app:builder: no answer within 2 minutes$/
  },
  {
    ...{ bound: 'build-question', what: 'a build that reads its base image', called: '--target builder' },
    options: () => ({ answers: [waitsFor('[internal] load metadata for docker.io/library/alpine:latest')] }),
    error: /^Building \S+ failed: docker\.io\/library\/alpine:latest: no answer within 2 minutes$/
  },
  {
    ...{ bound: 'build-progress', what: 'a build that prints nothing', called: '--target builder' },
    options: () => ({ answers: [{ to: '--target builder', ...HANGS }] }),
    error: /^Building \S+ failed: the builder: no answer within 15 minutes$/
  },
  {
    ...{ bound: 'prefetch-progress', what: 'the prefetch', called: 'type=cacheonly', error: undefined },
    options: () => ({
      inputs: { file: 'Dockerfile.slim' },
      answers: [
        { to: 'type=cacheonly', ...HANGS },
        { to: '--target builder', seconds: 8 }
      ]
    }),
    said: /Prefetch failed: no answer within 60 seconds/
  },
  {
    ...{ bound: 'test', what: 'docker run, with test-timeout-minutes', called: '-c a' },
    options: () => ({ inputs: { ...TESTS, 'test-timeout-minutes': '1' }, answers: [{ to: '-c a', ...HANGS }] }),
    error: /^The test "a" did not pass: it was stopped after 1 minutes/
  },
  {
    ...{ bound: 'git', what: 'git show, which names the commit', called: 'git' },
    options: () => ({ programs: { git: hangingProgram('git', ' show ', GIT) } }),
    error: /^git show: no answer within 60 seconds$/
  },
  {
    ...{ bound: 'git', what: 'git diff, which names modified files', called: 'git', error: undefined },
    options: () => ({ programs: { git: hangingProgram('git', ' diff ', GIT) } }),
    said: /git diff: no answer within 60 seconds; the run goes on without this answer/
  },
  {
    ...{ bound: 'credential-helper', what: 'a credential helper', called: 'helper', error: undefined },
    options: () => ({
      registry: { auth: 'basic' },
      env: { DOCKER_CONFIG: helperConfig },
      programs: { 'docker-credential-slow': hangingProgram('helper', '', '') }
    }),
    said: /cannot access docker\.io: the credential helper docker-credential-slow gave no answer within 30 seconds/
  },
  {
    ...{ bound: 'registry', what: 'a registry that never answers', called: '--target builder' },
    options: () => ({ registry: { silent: 'manifest' } }),
    error: /^Cannot inspect the published image .*no answer in time/
  },
  {
    ...{ bound: 'github', what: "GitHub's API", called: 'info', error: undefined },
    options: () => ({
      event: { name: 'push', sha: '', ref: 'refs/heads/master', payload: {} },
      inputs: { 'github-token': 'x' },
      env: { GITHUB_API_URL: `http://127.0.0.1:${(github.address() as AddressInfo).port}` }
    }),
    said: /GitHub's API: no answer within 10 seconds; the run goes on without it/
  }
]

const PRELOAD = `--import ${pathToFileURL(join(import.meta.dirname, '..', 'support', 'short-timers.mjs'))}`

/** The milliseconds of the timer that a run of a row shortens; a minute for the input test-timeout-minutes. */
function shortened({ bound }: Row): number {
  return bound === 'test' ? 60_000 : timeOf(bound)
}

/** Each has a registry of its own; more at a time than cores, because the runs wait. */
const PARALLEL = 4
const engines: FakeEngine[] = []
const limit = pLimit(PARALLEL)

/** Does something with an engine that nobody else uses. */
async function onEngine<T>(use: (engine: FakeEngine) => Promise<T>): Promise<T> {
  return limit(async () => {
    const engine = engines.pop()
    if (engine === undefined) throw new Error('There are too few engines')
    try {
      return await use(engine)
    } finally {
      engines.push(engine)
    }
  })
}

beforeAll(async () => {
  github = createServer(() => {})
  await new Promise<void>((resolve) => github.listen(0, '127.0.0.1', resolve))
  for (let count = 0; count < PARALLEL; count++) engines.push(await FakeEngine.create())
  for (const { workspace } of engines) {
    writeFileSync(
      join(workspace, 'Dockerfile.slim'),
      'FROM alpine AS builder\nRUN make\nFROM slim\nCOPY --from=builder a a\n'
    )
  }
  helperConfig = join(engines[0]?.folder ?? '', 'helper')
  mkdirSync(helperConfig)
  writeFileSync(join(helperConfig, 'config.json'), JSON.stringify({ credsStore: 'slow' }))
})
afterAll(async () => {
  for (const engine of engines) await engine.remove()
  github.closeAllConnections()
  github.close()
})

function optionsOn(engine: FakeEngine, { options }: Row): JobOptions {
  const { inputs, env, event, ...rest } = options()
  return {
    ...rest,
    inputs: { retries: '0', ...inputs },
    env: env ?? {},
    ...(event && { event: { ...event, sha: engine.sha } })
  }
}

/** Milliseconds for a run in which bounds of 6 s are reached one after the other, on a busy machine. */
const LONGEST_RUN = 120_000

describe('A call that hangs', () => {
  /** All runs begin with the first test. */
  let runs: Map<Row, Promise<Ran>> | undefined

  const run = (row: Row): Promise<Ran> =>
    onEngine(async (engine) => {
      const options = optionsOn(engine, row)
      const started = await engine.start({
        ...options,
        env: { ...options.env, NODE_OPTIONS: PRELOAD, TEST_BOUND: String(shortened(row)) }
      })
      const late = setTimeout(() => started.kill('SIGKILL'), LONGEST_RUN)
      try {
        return await started.end()
      } finally {
        clearTimeout(late)
      }
    })

  it.each(ROWS)(
    'ends after its bound: $what ($bound)',
    async (row) => {
      runs ??= new Map(ROWS.map((one) => [one, run(one)]))
      const { exitCode, log, calls } = await (runs.get(row) as Promise<Ran>)
      expect(calls.map(({ text }) => text)).toContainEqual(expect.stringContaining(row.called))
      expect(log).toMatch(row.said ?? /^/)
      expect(errorsIn(log)).toEqual(
        row.error === undefined ? [] : expect.arrayContaining([expect.stringMatching(row.error)])
      )
      expect({ exitCode, commands: commandsIn(log).length > 0 }).toEqual({
        exitCode: row.error === undefined ? 0 : 1,
        commands: true
      })
    },
    300_000
  )
})

/** The runner waits so long after SIGINT. */
const HEARD_WITHIN = 7_500

/** Every call has the signal of the run from the same place, so `npm test` tries every third. */
const CANCELLED = ROWS.filter((_, index) => process.env.CASES === 'long' || index % 3 === 0)

describe('A cancellation is heard', () => {
  let runs: Map<Row, Promise<{ ran: Ran; time: number }>> | undefined

  const cancel = (row: Row): Promise<{ ran: Ran; time: number }> =>
    onEngine(async (engine) => {
      const started = await engine.start(optionsOn(engine, row))
      const late = setTimeout(() => started.kill('SIGKILL'), LONGEST_RUN)
      try {
        await started.untilCalled(row.called, LONGEST_RUN)
        const cancelled = Date.now()
        started.kill('SIGINT')
        await started.untilEnded()
        const time = Date.now() - cancelled
        return { ran: await started.end(), time }
      } finally {
        clearTimeout(late)
        started.kill('SIGKILL')
      }
    })

  it.each(CANCELLED)(
    'while this hangs: $what ($bound)',
    async (row) => {
      runs ??= new Map(CANCELLED.map((one) => [one, cancel(one)]))
      const { ran, time } = await (runs.get(row) as Promise<{ ran: Ran; time: number }>)
      expect(time).toBeLessThan(HEARD_WITHIN)
      if (!row.isOver) expect(errorsIn(ran.log)).toContain('The run was cancelled')
    },
    300_000
  )
})

describe('A command of the Dockerfile', () => {
  it('may be silent for as long as it likes', async () => {
    await onEngine(async (engine) => {
      const answers = [waitsFor('[builder 3/3] RUN make')]
      const started = await engine.start({
        answers,
        env: { NODE_OPTIONS: PRELOAD, TEST_BOUND: String(timeOf('build-progress')) }
      })
      await started.untilCalled('--target builder', LONGEST_RUN)
      const ended = await Promise.race([
        started.untilEnded().then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 12_000, false))
      ])
      started.kill('SIGINT')
      expect(errorsIn((await started.end()).log)).toEqual(['The run was cancelled'])
      expect(ended).toBe(false)
    })
  })
})
