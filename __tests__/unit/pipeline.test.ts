import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { parseDockerfile, type Stage } from '../../src/dockerfile.ts'
import type { CallOptions, Docker } from '../../src/engine/docker.ts'
import { CancelledError } from '../../src/errors.ts'
import type { ExecResult } from '../../src/exec.ts'
import { readInputs } from '../../src/inputs.ts'
import { Log } from '../../src/log.ts'
import { runPipeline } from '../../src/pipeline.ts'
import { completePlan, makeRefs, type Plan } from '../../src/plan.ts'
import type { RunResult } from '../../src/run.ts'

const SHA = '0123456789'.repeat(4)
const DIGEST = `sha256:${'a'.repeat(64)}`

interface Answer {
  exitCode?: number
  stdout?: string
  stderr?: string
  /** Ends only when it is cancelled. */
  hangs?: boolean
  throws?: Error
}

/** A docker on which all goes well, but for what `answers` says to commands that contain a text. */
class FakeDocker implements Docker {
  readonly calls: string[] = []
  readonly #answers: Record<string, Answer>
  readonly #onCall: (text: string) => void

  constructor(answers: Record<string, Answer>, onCall: (text: string) => void) {
    this.#answers = answers
    this.#onCall = onCall
  }

  async call(args: readonly string[], { signal, onOutput }: CallOptions = {}): Promise<ExecResult> {
    const text = args.join(' ')
    if (signal?.aborted) throw new CancelledError()
    this.calls.push(text)
    const [, answer = {}] = Object.entries(this.#answers).find(([part]) => text.includes(part)) ?? []
    this.#onCall(text)
    await new Promise<void>((resolve) => {
      if (answer.hangs) signal?.addEventListener('abort', () => resolve())
      else setImmediate(resolve)
    })
    if (signal?.aborted) throw new CancelledError()
    if (answer.throws) throw answer.throws
    const { exitCode = 0, stdout = args[0] === 'push' ? `x: digest: ${DIGEST} size: 1\n` : '', stderr = '' } = answer
    onOutput?.(Buffer.from(stdout))
    onOutput?.(Buffer.from(stderr))
    if (exitCode === 0 && args.includes('--iidfile')) writeFileSync(args[args.indexOf('--iidfile') + 1] ?? '', 'id\n')
    return { exitCode, stdout, stderr }
  }

  /** What was called, as its first word and what it is about. */
  get verbs(): string[] {
    return this.calls.map((text) => {
      if (text.includes('--iidfile')) return /--tag \S+:[0-9a-f]{7}( |$)/.test(text) ? 'production' : 'builder'
      return text.startsWith('run') ? `run ${text.split(' ').at(-1)}` : text.replace(/ --\S+|shared\S+-(?=test)/g, '')
    })
  }
}

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function plan(strategy: Plan['strategy']['name'], push: boolean): Plan {
  const values: Record<string, string> = { image: 'octo/app', tests: 'a\nb' }
  const inputs = readInputs((name) => values[name] ?? '')
  const build: Plan['build'] = {
    event: 'push',
    sha: SHA,
    shortSha: SHA.slice(0, 7),
    branch: 'master',
    tag: '',
    isFork: false,
    isDependabot: false,
    isPullRequest: false,
    repository: 'octo/app',
    sourceUrl: ''
  }
  const dockerfile = parseDockerfile('FROM alpine AS builder\nRUN make\nFROM alpine\nCOPY --from=builder a a\n')
  const [builderStage, targetStage] = dockerfile.stages as [Stage, Stage]
  const isInline = strategy === 'inline'
  return completePlan({
    inputs,
    build,
    dockerfile,
    builderStage,
    targetStage,
    engine: { version: '28.5.1', store: 'overlay2', buildx: '0.29.1', context: 'default' },
    strategy: {
      name: strategy,
      client: isInline ? 'buildx' : 'legacy',
      progress: isInline ? 'rawjson' : 'plain',
      reason: 'a test'
    },
    file: 'Dockerfile',
    buildxBuilder: 'default',
    decision: { push, publish: push, reason: 'It is a test.' },
    refs: makeRefs(inputs, build),
    labels: { builder: [], production: [] }
  })
}

interface Ran {
  result: RunResult
  docker: FakeDocker
  printed: string
}

/** @param cancelAt a text in the call at which the run is cancelled */
async function play(
  strategy: Plan['strategy']['name'],
  answers: Record<string, Answer> = {},
  { push = true, cancelAt = '' } = {}
): Promise<Ran> {
  let printed = ''
  const cancellation = new AbortController()
  const docker = new FakeDocker(answers, (text) => {
    if (cancelAt !== '' && text.includes(cancelAt)) setImmediate(() => cancellation.abort())
  })
  const log = new Log(folder, (text) => {
    printed += text
  })
  const { signal } = cancellation
  const result = await runPipeline({ plan: plan(strategy, push), docker, log, folder, runId: 'run', signal })
  return { result, docker, printed }
}

describe.each(['inline', 'legacy'] as const)('runPipeline, strategy %s', (strategy) => {
  // builds of the builder: the legacy strategy has a second one for the labels
  const builds =
    strategy === 'inline' ? ['builder'] : ['pull octo/app:builder', 'pull octo/app:latest', 'builder', 'builder']
  const builderBuild = strategy === 'inline' ? '--target builder' : '--target builder'
  const productionBuild = '--tag octo/app:0123456'
  const tests = ['run a', 'run b', 'rm test-1', 'rm test-2']

  it('builds, tests and publishes', async () => {
    const { result, docker } = await play(strategy)
    expect(docker.verbs.slice(0, builds.length)).toEqual(builds)
    expect(docker.verbs.slice(builds.length, -3)).toEqual(expect.arrayContaining([...tests, 'production']))
    expect(docker.verbs.slice(-3)).toEqual(['push octo/app:0123456', 'push octo/app:builder', 'push octo/app:latest'])
    expect(docker.calls).toHaveLength(builds.length + 5 + 3)
    expect(result).toMatchObject({
      builder: { image: 'octo/app:builder-0123456', imageId: 'id' },
      production: { image: 'octo/app:0123456', imageId: 'id' },
      tests: [{ status: 'passed' }, { status: 'passed' }],
      publication: { published: true, digest: DIGEST, failures: [] },
      cancelled: false,
      failures: []
    })
  })

  it('pushes nothing unless that was decided', async () => {
    const { result, docker } = await play(strategy, {}, { push: false })
    expect(docker.verbs.filter((verb) => verb.startsWith('push'))).toEqual([])
    expect(result).not.toHaveProperty('publication')
    expect(result.failures).toEqual([])
  })

  it('a builder that fails: no tests, no production', async () => {
    const { result, docker } = await play(strategy, { [builderBuild]: { exitCode: 1, stderr: 'ERROR: no space\n' } })
    expect(docker.verbs).toEqual(builds.slice(0, strategy === 'inline' ? 1 : 3))
    expect(result.failures).toEqual([expect.stringMatching(/^Building octo\/app:builder-0123456 failed: .*no space$/)])
    expect(result).toMatchObject({ tests: [], builder: { imageId: '' } })
    expect(result).not.toHaveProperty('production')
  })

  it('a test that fails: the other one ends, production is kept, nothing is pushed', async () => {
    const { result, docker } = await play(strategy, { ' -c a': { exitCode: 7 } })
    expect(docker.verbs).toEqual(expect.arrayContaining([...tests, 'production']))
    expect(docker.verbs.join()).not.toContain('push')
    expect(result).toMatchObject({
      tests: [{ status: 'failed', exitCode: 7 }, { status: 'passed' }],
      production: { imageId: 'id' },
      failures: ['The test "a" did not pass: exit code 7']
    })
    expect(result).not.toHaveProperty('publication')
  })

  it('production that fails: the tests end, nothing is pushed', async () => {
    const { result, docker } = await play(strategy, { [productionBuild]: { exitCode: 1, stderr: 'ERROR: no\n' } })
    expect(docker.verbs).toEqual(expect.arrayContaining(tests))
    expect(docker.verbs.join()).not.toContain('push')
    expect(result.tests).toMatchObject([{ status: 'passed' }, { status: 'passed' }])
    expect(result.failures).toEqual([expect.stringMatching(/^Building octo\/app:0123456 failed: .*no$/)])
  })

  it('a test and production that fail are both told', async () => {
    const { result } = await play(strategy, {
      [productionBuild]: { exitCode: 1 },
      ' -c b': { exitCode: 125, stderr: 'no image\n' }
    })
    expect(result.failures).toEqual([
      'The test "b" did not pass: docker could not run it: no image',
      'Building octo/app:0123456 failed: docker ended with exit code 1'
    ])
  })

  it('a push of the commit that fails: the moving tags stay', async () => {
    const { result, docker } = await play(strategy, { 'push octo/app:0': { exitCode: 1, stderr: 'denied\n' } })
    expect(docker.verbs.filter((verb) => verb.startsWith('push'))).toEqual(['push octo/app:0123456'])
    expect(result.publication).toMatchObject({ pushed: [], published: false, digest: '' })
    expect(result.failures).toEqual([expect.stringContaining('refused')])
  })

  it.each([
    ['not found', /^octo\/app:builder does not exist yet/m],
    ['denied: requested access', /^::warning::The registry refused us octo\/app:builder/m],
    ['dial tcp: connection refused', /^::warning::The registry could not be reached for octo\/app:builder/m]
  ])('a cache that cannot be read (%s) is told, and no failure', async (error, expected) => {
    const vertex = { digest: 'd', name: 'importing cache manifest from octo/app:builder', completed: '2026', error }
    const { result, warned } = await withWarnings(() =>
      play(strategy, {
        [strategy === 'inline' ? '--target builder' : 'pull octo/app:builder']:
          strategy === 'inline'
            ? { stderr: `${JSON.stringify({ vertexes: [vertex] })}\n` }
            : { exitCode: 1, stderr: `${error}\n` }
      })
    )
    expect(warned).toMatch(expected)
    expect(result.failures).toEqual([])
    expect(result.publication?.published).toBe(true)
  })

  it.each([
    ['builder', '--target builder', '--target builder'],
    ['tests', ' -c b', ' -c '],
    ['production', productionBuild, productionBuild],
    ['push', 'push octo/app:0', 'push']
  ])('cancelled during the %s: nothing further begins', async (_, cancelAt, hangs) => {
    const { result, docker } = await play(strategy, { [hangs]: { hangs: true } }, { cancelAt })
    expect(result).toMatchObject({ cancelled: true, failures: ['The run was cancelled'] })
    expect(docker.calls.filter((text) => /^push .*:(builder|latest)$/.test(text))).toEqual([])
    if (cancelAt !== '--target builder') {
      // without the signal, so that the containers go
      expect(docker.verbs.filter((verb) => verb.startsWith('rm')).length).toBe(2)
    }
    expect(result.builder === undefined).toBe(cancelAt === '--target builder')
  })

  it('cancelled: what had ended by then is in the result', async () => {
    const { result } = await play(strategy, { ' -c b': { hangs: true } }, { cancelAt: ' -c b' })
    expect(result).toMatchObject({ cancelled: true, tests: [{ command: 'a', status: 'passed' }] })
  })

  it('what no one expects is a failure beside what had ended', async () => {
    const answers = { ' -c a': { throws: new Error('spawn E2BIG') } }
    const { result, docker } = await play(strategy, answers)
    expect(result).toMatchObject({
      cancelled: false,
      failures: ['spawn E2BIG'],
      builder: { imageId: expect.any(String) }
    })
    expect(docker.calls.filter((text) => text.startsWith('push'))).toEqual([])
  })
})

describe('runPipeline, strategy legacy', () => {
  it('gives production the Dockerfile whose builder stage is the image just built', async () => {
    const { docker } = await play('legacy')
    const [, file = ''] =
      /--file (\S+)/.exec(docker.calls.find((text) => text.includes('--tag octo/app:0123456')) ?? '') ?? []
    expect(file.startsWith(folder)).toBe(true)
    expect(existsSync(file) && readFileSync(file, 'utf8')).toMatch(/^FROM id AS builder\n\nFROM alpine\n/)
  })
})

/** Also collects what goes past the log: warnings are printed by @actions/core. */
async function withWarnings(run: () => Promise<Ran>): Promise<Ran & { warned: string }> {
  let warned = ''
  const write = process.stdout.write
  process.stdout.write = (text: string | Uint8Array): boolean => {
    warned += String(text)
    return true
  }
  try {
    const ran = await run()
    return { ...ran, warned: ran.printed + warned }
  } finally {
    process.stdout.write = write
  }
}
