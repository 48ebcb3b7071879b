import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { KEYS_LABEL } from '../../../src/cache/keys-label.ts'
import { readContentKeys } from '../../../src/cache/read-keys.ts'
import type { CallOptions, Docker } from '../../../src/docker/docker.ts'
import { Git } from '../../../src/git/git.ts'
import { GitHub } from '../../../src/git/github.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import type { ExecResult } from '../../../src/lib/exec.ts'
import { Log } from '../../../src/lib/log.ts'
import { Timeline } from '../../../src/lib/timeline.ts'
import { runPipeline } from '../../../src/pipeline/pipeline.ts'
import { REVISION_LABEL } from '../../../src/plan/labels.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { VARIANT_LABEL } from '../../../src/plan/variant.ts'
import type { RegistryFailure } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { annotateMisses } from '../../../src/report/annotations.ts'
import { describeFailure } from '../../../src/report/messages.ts'
import type { RunResult } from '../../../src/result/result.ts'
import { labelsWithKeys } from '../../support/content-keys.ts'
import { rawJson } from '../../support/fake-docker.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../support/fake-registry.ts'
import { makePlan, makeSecrets, SHA, TWO_STAGES } from '../../support/make-plan.ts'

/** The id in the engine of every image that is built, its digest once it is pushed, and that of what is published before. */
const IMAGE_ID = `sha256:${'a'.repeat(64)}`
const DIGEST = `sha256:${'d'.repeat(64)}`
const EARLIER = `sha256:${'e'.repeat(64)}`

/** An image of two layers, one of them its base's, of which its cache metadata has the other. */
const EARLIER_IMAGE = imageOf(EARLIER, {
  labels: { [REVISION_LABEL]: SHA },
  layers: ['a', 'b'],
  history: [
    { createdBy: 'base', empty: false },
    { createdBy: 'RUN make', empty: false }
  ],
  recorded: [1]
})
const PUSHED_IMAGE: ImageRecord = { ...EARLIER_IMAGE, digest: DIGEST, ids: [DIGEST, IMAGE_ID] }

interface Answer {
  exitCode?: number
  stdout?: string
  stderr?: string
  /** Ends only when it is cancelled, after it has printed this. */
  hangs?: boolean | string
  /** Only the first such call hangs. */
  once?: boolean
  /** Ends only after a call that contains this text has begun. */
  until?: string
  throws?: Error
}

/** The question which images the engine has. */
const LIST = 'image ls {{.Repository}}:{{.Tag}}\n{{.Repository}}@{{.Digest}}'

/** By name, how their `docker run` went. */
type Containers = Map<string, { args: readonly string[]; exitCode: number }>

/** What `docker container inspect` says instead, by the name of a field. */
const state = (fields: object, container: object = {}): string =>
  JSON.stringify([
    {
      Image: IMAGE_ID,
      Config: { Image: 'octo/app:builder-0123456' },
      Path: 'sh',
      Args: ['-c', 'a'],
      ...container,
      State: {
        Status: 'exited',
        ExitCode: 0,
        StartedAt: '2026-01-01T00:00:00Z',
        OOMKilled: false,
        Error: '',
        ...fields
      }
    }
  ])

/** What `docker container inspect` says of a container. */
function inspected({ args, exitCode }: { args: readonly string[]; exitCode: number }): string {
  const [image, ...words] = args.slice(-3)
  const state = { Status: 'exited', ExitCode: exitCode, StartedAt: '2026-01-01T00:00:00Z', OOMKilled: false, Error: '' }
  return JSON.stringify([{ Image: IMAGE_ID, Config: { Image: image }, Path: 'sh', Args: words, State: state }])
}

/** What docker prints if all goes well. */
function printedBy(args: readonly string[], containers: Containers): string {
  const name = args.at(-1) ?? ''
  const container = args[0] === 'container' ? containers.get(name) : undefined
  if (container) return inspected(container)
  if (args[0] === 'image' && !args.includes('--format')) {
    return JSON.stringify(args.slice(2).map(() => ({ Id: IMAGE_ID })))
  }
  return args[0] === 'push' ? `x: digest: ${DIGEST} size: 1\n` : ''
}

/** A docker on which all goes well, but for what `answers` says to commands that contain a text. */
class FakeDocker implements Docker {
  readonly calls: string[] = []
  /** The calls that have ended by the time at which each began. */
  readonly endedBefore = new Map<string, string[]>()
  readonly #ended: string[] = []
  readonly #ran: Containers = new Map()
  readonly #answers: Record<string, Answer>
  readonly #onCall: (text: string) => void
  readonly #onPush: (reference: string) => void

  constructor(answers: Record<string, Answer>, onCall: (text: string) => void, onPush: (reference: string) => void) {
    this.#answers = answers
    this.#onCall = onCall
    this.#onPush = onPush
  }

  async call(args: readonly string[], { signal, onOutput }: CallOptions): Promise<ExecResult> {
    const text = args.join(' ')
    if (signal?.aborted) throw new CancelledError()
    this.calls.push(text)
    this.endedBefore.set(text, [...this.#ended])
    const [part = '', answer = {}] = Object.entries(this.#answers).find(([words]) => text.includes(words)) ?? []
    this.#onCall(text)
    const hangs = answer.hangs && !(answer.once && this.calls.filter((call) => call.includes(part)).length > 1)
    if (hangs && typeof answer.hangs === 'string') onOutput?.(Buffer.from(answer.hangs), 'stderr')
    await new Promise<void>((resolve) => {
      if (hangs && !signal?.aborted) signal?.addEventListener('abort', () => resolve())
      else setImmediate(resolve)
    })
    const { until } = answer
    while (until !== undefined && !this.calls.some((call) => call.includes(until))) await setTimeout(1)
    this.#ended.push(text)
    if (signal?.aborted) throw new CancelledError()
    if (answer.throws) throw answer.throws
    const { exitCode = 0, stdout = printedBy(args, this.#ran), stderr = '' } = answer
    // 125: docker has made no container
    if (args[0] === 'run' && exitCode !== 125) this.#ran.set(args[args.indexOf('--name') + 1] ?? '', { args, exitCode })
    onOutput?.(Buffer.from(stdout), 'stdout')
    onOutput?.(Buffer.from(stderr), 'stderr')
    if (exitCode === 0 && args.includes('--iidfile'))
      writeFileSync(args[args.indexOf('--iidfile') + 1] ?? '', `${IMAGE_ID}\n`)
    if (exitCode === 0 && args[0] === 'push') this.#onPush(args.at(-1) ?? '')
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

interface Ran {
  result: RunResult
  /** Its failures, for people. */
  sentences: string[]
  docker: FakeDocker
  /** What the registry has in the end. */
  contents: Contents
  /** The calls of docker and the requests to the registry, in the order in which they began. */
  order: string[]
  printed: string
  notices: string[]
}

interface How {
  push?: boolean
  /** A text in the call at which the run is cancelled. */
  cancelAt?: string
  text?: string
  retries?: number
  inputs?: Record<string, string>
  /** What the registry has before the run. */
  contents?: Contents
  /** Called with each call of docker. */
  onCall?: (call: string) => void
  /** The image that the registry has after a push of a reference. */
  pushed?: (reference: string) => ImageRecord
  fail?: (request: string) => RegistryFailure | undefined
  /** A text in a call of docker: the registry does not answer a question about octo/app before that call. */
  answersAfter?: string
  /** Whether the base image can be read, so that there are content keys, and what is published has the same. */
  keyed?: boolean
}

/** A registry that has what an earlier run of the same commit published. */
function published(image = EARLIER_IMAGE): Contents {
  const contents = new Contents()
  for (const tag of ['latest', 'builder', 'assets', 'prod-deps']) contents.put(`octo/app:${tag}`, image)
  return contents
}

async function play(
  strategy: Plan['strategy']['name'],
  answers: Record<string, Answer> = {},
  {
    push = true,
    cancelAt = '',
    text = TWO_STAGES,
    retries = 0,
    inputs = {},
    contents = published(),
    pushed = () => PUSHED_IMAGE,
    fail,
    answersAfter,
    onCall,
    keyed = false
  }: How = {}
): Promise<Ran> {
  let printed = ''
  const order: string[] = []
  const cancellation = new AbortController()
  const docker = new FakeDocker(
    answers,
    (call) => {
      order.push(call)
      onCall?.(call)
      if (cancelAt !== '' && call.includes(cancelAt)) setImmediate(() => cancellation.abort())
    },
    (reference) => contents.put(reference, pushed(reference))
  )
  const log = new Log(folder, false, (part) => {
    printed += part
  })
  const notices: string[] = []
  log.notice = (message) => notices.push(message)
  const { signal } = cancellation
  const turn = async (what: string): Promise<void> => {
    if (!what.startsWith('answer ')) order.push(what)
    const isWaiting = what.includes('octo/app') && answersAfter !== undefined
    while (isWaiting && !docker.calls.some((call) => call.includes(answersAfter))) await setTimeout(1)
  }
  const git = new Git(folder, {})
  const github = new GitHub(undefined, '', signal)
  const all = { retries: String(retries), ...inputs }
  const plan = makePlan({ strategy, push, text, inputs: all })
  if (keyed) await putKeys(plan, contents)
  const result = await runPipeline({
    plan,
    secrets: makeSecrets(all),
    docker,
    registry: new FakeRegistry(contents, { turn, signal, ...(fail && { fail }) }),
    git,
    github,
    changesSince: async () => undefined,
    childEnv: {},
    stepEnv: {},
    log,
    timeline: new Timeline(),
    folder,
    runId: 'run',
    signal
  })
  const sentences = result.failures.map((failure) => describeFailure(failure, result))
  return { result, sentences, docker, contents, order, printed, notices }
}

/** Gives the published builder image the content keys of a plan, and the registry the base image of which they are made. */
async function putKeys(plan: Plan, contents: Contents): Promise<void> {
  contents.put('alpine', imageOf(`sha256:${'b'.repeat(64)}`))
  const { signal } = new AbortController()
  const docker: Docker = { call: async () => ({ exitCode: 0, stdout: '', stderr: '' }) }
  const { keys } = await readContentKeys({
    plan,
    docker,
    registry: new FakeRegistry(contents),
    childEnv: {},
    signal,
    ...{ log: new Log(tmpdir(), false, () => undefined), timeline: new Timeline() }
  })
  for (const build of plan.builds) {
    const ofCommit = build.kind === 'production' ? [plan.refs.production, ...plan.refs.further] : []
    for (const reference of [build.cacheSource, ...ofCommit]) {
      const image = contents.get(reference)
      const labels = { ...labelsWithKeys(build, keys, '28.5.1 overlay2'), ...image?.labels }
      if (image) contents.put(reference, { ...image, labels })
    }
  }
}

/** Of what docker and the registry were asked for, what changes the registry. */
function changesIn(order: readonly string[]): string[] {
  return order.filter((what) => /^(push|put) /.test(what))
}

describe.each(['inline', 'legacy'] as const)('runPipeline, strategy %s', (strategy) => {
  // builds of the builder: the legacy strategy has a second one for the labels
  const builds =
    strategy === 'inline'
      ? [LIST, 'builder']
      : [
          LIST,
          'pull octo/app:builder',
          'pull octo/app:latest',
          'builder',
          'image inspect {{json .RepoDigests}} alpine',
          'builder'
        ]
  // images of the legacy strategy have no cache metadata, so there is nothing to inspect before the builder's tag moves
  const pushes =
    strategy === 'inline' ? ['push octo/app:0123456', 'push octo/app:builder-next'] : ['push octo/app:0123456']
  const moves = [strategy === 'inline' ? 'put octo/app:builder' : 'push octo/app:builder', 'put octo/app:latest']
  const builderBuild = strategy === 'inline' ? '--target builder' : '--target builder'
  const productionBuild = '--tag octo/app:0123456'
  const tests = ['run a', 'run b', 'rm test-1', 'rm test-2']

  it('builds, tests and publishes', async () => {
    const { result, docker, order } = await play(strategy)
    expect(docker.verbs.slice(0, builds.length)).toEqual(builds)
    expect(docker.verbs).toEqual(expect.arrayContaining([...tests, 'production']))
    expect(changesIn(order)).toEqual([...pushes, ...moves])
    const firstPush = order.indexOf(pushes[0] ?? '')
    // at the end, whether the tag of the commit still names the image
    expect(order.slice(firstPush).filter((what) => !/^(get|push|put) /.test(what))).toEqual(['head octo/app:0123456'])
    expect(order.at(-1)).toBe('head octo/app:0123456')
    // what is published is asked for once more after the push; once the tags move nothing is asked but for the image that they get
    expect(order.lastIndexOf('get octo/app:latest')).toBeGreaterThan(firstPush)
    const sinceMove = order.slice(order.indexOf(moves[0] ?? ''), -1)
    expect(sinceMove.filter((what) => what !== `get octo/app@${DIGEST}`)).toEqual(moves)
    expect(result).toMatchObject({
      builder: { image: 'octo/app:builder-0123456', imageId: IMAGE_ID },
      production: { image: 'octo/app:0123456', imageId: IMAGE_ID },
      tests: [{ status: 'passed' }, { status: 'passed' }],
      publication: { published: true, digest: DIGEST, failures: [] },
      cancelled: false,
      failures: []
    })
  })

  it('pushes nothing unless that was decided', async () => {
    const { result, order } = await play(strategy, {}, { push: false })
    expect(changesIn(order)).toEqual([])
    expect(result).not.toHaveProperty('publication')
    expect(result.failures).toEqual([])
  })

  it('a builder that fails: no tests, no production', async () => {
    const { result, sentences, docker } = await play(strategy, {
      [builderBuild]: { exitCode: 1, stderr: 'ERROR: no space\n' }
    })
    expect(docker.verbs).toEqual([...builds.slice(0, strategy === 'inline' ? 2 : 4), 'version {{.Server.Version}}'])
    expect(result.failures).toEqual([{ kind: 'build', image: 'octo/app:builder-0123456' }])
    expect(sentences).toEqual([expect.stringMatching(/^Building octo\/app:builder-0123456 failed: .*no space$/)])
    expect(result).toMatchObject({ tests: [], builder: { imageId: '' } })
    expect(result).not.toHaveProperty('production')
  })

  it('a test that fails: the other one ends, production is kept, nothing is pushed', async () => {
    const { result, sentences, docker, order } = await play(strategy, { ' -c a': { exitCode: 7 } })
    expect(docker.verbs).toEqual(expect.arrayContaining([...tests, 'production']))
    expect(changesIn(order)).toEqual([])
    expect(result).toMatchObject({
      tests: [{ status: 'failed', exitCode: 7 }, { status: 'passed' }],
      production: { imageId: IMAGE_ID },
      failures: [{ kind: 'test', index: 0 }]
    })
    expect(sentences).toEqual(['The test "a" did not pass: exit code 7'])
    expect(result).not.toHaveProperty('publication')
  })

  it.each<[string, Answer, Answer, string, string]>([
    [
      'whose container is gone',
      {},
      { exitCode: 1, stderr: 'No such container' },
      'error',
      'docker reports success, but knows no such container any more'
    ],
    [
      'that ran another image',
      {},
      { stdout: state({}, { Config: { Image: 'alpine' } }) },
      'error',
      'docker reports success, but its container ran "sh -c a" in alpine'
    ],
    [
      'that ran another command',
      {},
      { stdout: state({}, { Args: ['-c', 'true'] }) },
      'error',
      'docker reports success, but its container ran "sh -c true" in octo/app:builder-0123456'
    ],
    [
      'that still runs',
      {},
      { stdout: state({ Status: 'running' }) },
      'error',
      'docker reports success, but its container is running with exit code 0'
    ],
    [
      'of which the engine knows another exit code',
      {},
      { stdout: state({ ExitCode: 1 }) },
      'error',
      'docker reports success, but its container is exited with exit code 1'
    ],
    [
      'that ran out of memory',
      { exitCode: 137 },
      { stdout: state({ ExitCode: 137, OOMKilled: true }) },
      'failed',
      'exit code 137: it ran out of memory and was killed'
    ],
    ['that was killed', { exitCode: 137 }, {}, 'failed', 'exit code 137: it ended by SIGKILL'],
    ['that itself exits with 125', { exitCode: 125 }, { stdout: state({ ExitCode: 125 }) }, 'failed', 'exit code 125'],
    [
      'whose image has no sh',
      { exitCode: 127 },
      { stdout: state({ Status: 'created', ExitCode: 127, Error: 'exec: "sh": not found' }) },
      'error',
      'docker could not run it: exec: "sh": not found'
    ],
    [
      'whose container was never started',
      { exitCode: 125, stderr: 'docker: no space\n' },
      { stdout: state({ Status: 'created', ExitCode: 0 }) },
      'error',
      'docker could not run it: docker: no space'
    ]
  ])('a test %s', async (_, run, inspect, status, failure) => {
    const { result, sentences } = await play(strategy, {
      ' -c a': run,
      'container inspect shared-docker-layers-run-test-1': inspect
    })
    expect(result.tests[0]).toMatchObject({ status, failure })
    expect(sentences).toEqual([`The test "a" did not pass: ${failure}`])
    expect(result).not.toHaveProperty('publication')
  })

  it('says that the engine went away before whatever failed by it', async () => {
    const gone = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
    const { result, sentences } = await play(strategy, {
      [builderBuild]: { exitCode: 1, stderr: `ERROR: ${gone}\n` },
      version: { exitCode: 1, stderr: `${gone}\n` }
    })
    expect(result.failures[0]).toEqual({ kind: 'engine-gone', message: gone })
    expect(sentences[0]).toBe(`The Docker engine stopped answering during the run (${gone})`)
    expect(result.failures).toHaveLength(2)
  })

  it('production that fails: the tests end, nothing is pushed', async () => {
    const answers = { [productionBuild]: { exitCode: 1, stderr: 'ERROR: no\n' } }
    const { result, sentences, docker, order } = await play(strategy, answers)
    expect(docker.verbs).toEqual(expect.arrayContaining(tests))
    expect(changesIn(order)).toEqual([])
    expect(result.tests).toMatchObject([{ status: 'passed' }, { status: 'passed' }])
    expect(sentences).toEqual([expect.stringMatching(/^Building octo\/app:0123456 failed: .*no$/)])
  })

  it('a test and production that fail are both told', async () => {
    const { sentences } = await play(strategy, {
      [productionBuild]: { exitCode: 1 },
      ' -c b': { exitCode: 125, stderr: 'no image\n' }
    })
    expect(sentences).toEqual([
      'The test "b" did not pass: docker could not run it: no image',
      'Building octo/app:0123456 failed: docker ended with exit code 1'
    ])
  })

  it('a push of the commit that fails: the moving tags stay', async () => {
    const { result, sentences, order } = await play(strategy, {
      'push octo/app:0': { exitCode: 1, stderr: 'denied\n' }
    })
    // its candidate names nothing that anyone reads
    expect(changesIn(order)).toEqual(pushes)
    expect(result.publication).toMatchObject({ pushed: [], published: false, digest: '' })
    expect(sentences).toEqual([expect.stringMatching(/^Access denied to push octo\/app:0123456/)])
    expect(result.failures).toEqual(result.publication?.failures)
  })

  it.each([
    ['not found', /^octo\/app:builder does not exist yet/m],
    ['denied: requested access', /^::warning::Access denied to octo\/app:builder; continuing without its cache/m],
    [
      'dial tcp: connection refused',
      /^::warning::The registry of octo\/app:builder could not be reached; continuing without its cache/m
    ]
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
    const { result, sentences, docker, order } = await play(strategy, { [hangs]: { hangs: true } }, { cancelAt })
    expect(result).toMatchObject({ cancelled: true, failures: [{ kind: 'cancelled' }] })
    expect(sentences).toEqual(['The run was cancelled'])
    expect(changesIn(order).filter((text) => /:(builder|latest)$/.test(text))).toEqual([])
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
    const { result, order } = await play(strategy, answers)
    expect(result).toMatchObject({
      cancelled: false,
      failures: [{ kind: 'error', message: 'spawn E2BIG' }],
      builder: { imageId: expect.any(String) }
    })
    expect(changesIn(order)).toEqual([])
  })
})

const THREE_STAGES = `FROM alpine AS assets
RUN make
FROM alpine AS builder
COPY --from=assets a a
FROM alpine AS prod-deps
RUN make
FROM alpine
COPY --from=builder a a
COPY --from=prod-deps a a
`

describe('runPipeline, further stages', () => {
  it.each(['inline', 'legacy'] as const)(
    'strategy %s builds and publishes each by itself, in order',
    async (strategy) => {
      // nothing is published that could have been built on other images
      const { docker, result } = await play(strategy, {}, { text: THREE_STAGES, contents: new Contents() })
      const tagged = docker.calls.flatMap((text) => /--tag (octo\/app:\S+) .*--iidfile/.exec(text)?.[1] ?? [])
      const builder = 'builder-0123456'
      const names = [`${builder}-stage-assets`, builder, `${builder}-stage-prod-deps`, '0123456']
      expect(tagged).toEqual(names.map((name) => `octo/app:${name}`))
      expect(result.failures).toEqual([])
      expect(result.cacheStages.map(({ image, stage }) => [image, stage])).toEqual([
        ['octo/app:builder-0123456-stage-assets', 'assets'],
        ['octo/app:builder-0123456-stage-prod-deps', 'prod-deps']
      ])
      expect(result.publication?.pushed).toEqual(
        ['0123456', 'builder-stage-assets', 'builder', 'builder-stage-prod-deps', 'latest'].map(
          (tag) => `octo/app:${tag}`
        )
      )
      if (strategy === 'legacy') return
      const sources = docker.calls.flatMap(
        (text) => /--cache-from type=registry,ref=octo\/app:(\S+)/.exec(text)?.[1] ?? []
      )
      expect(sources).toEqual(['builder-stage-assets', 'builder', 'builder-stage-prod-deps', 'latest'])
      // each from the user's own Dockerfile
      const targets = docker.calls.flatMap((text) => /--file Dockerfile( --target \S+)? /.exec(text)?.slice(1) ?? [])
      expect(targets).toEqual([...['assets', 'builder', 'prod-deps'].map((name) => ` --target ${name}`), undefined])
    }
  )

  it('pushes none of them unless they may move', async () => {
    const { docker, order } = await play('inline', {}, { text: THREE_STAGES, push: false })
    expect(changesIn(order)).toEqual([])
    expect(docker.calls.filter((text) => /--tag octo\/app:builder(-next)?-stage-/.test(text))).toEqual([])
  })
})

describe('A registry that takes a request and never answers', () => {
  const vertex = {
    digest: 'd',
    name: 'importing cache manifest from octo/app:builder',
    started: '2026-01-01T00:00:00Z'
  }

  afterEach(() => {
    jest.useRealTimers()
  })

  it('does not hold up a build for ever', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] })
    const ran = play('inline', { '--target builder': { hangs: `${JSON.stringify({ vertexes: [vertex] })}\n` } })
    let hasEnded = false
    void ran.finally(() => {
      hasEnded = true
    })
    while (!hasEnded) {
      await jest.advanceTimersByTimeAsync(10_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { result, sentences, docker } = await ran
    expect(docker.calls.filter((text) => text.includes('--target builder'))).toHaveLength(1)
    expect(sentences).toEqual([
      'Building octo/app:builder-0123456 failed: octo/app:builder: no answer within 2 minutes'
    ])
    expect(result.cancelled).toBe(false)
  })
})

describe('An engine that another run uses, too', () => {
  const NAMES = 'octo/app:builder-0123456 octo/app:builder octo/app:builder-next octo/app:0123456 octo/app:latest'
  const ids = (...changed: string[]): string =>
    JSON.stringify(NAMES.split(' ').map((name) => ({ Id: changed.includes(name) ? 'sha256:other' : IMAGE_ID })))

  it.each([
    ['a moving tag', { [`image inspect ${NAMES}`]: { stdout: ids('octo/app:latest') } }, 'octo/app:latest'],
    [
      'all images, before any of them was inspected',
      { [`image inspect ${NAMES}`]: { stdout: ids(...NAMES.split(' ')) } },
      'octo/app:builder-0123456'
    ],
    [
      'the image that is tested, before a test',
      { 'container inspect shared-docker-layers-run-test-1': { stdout: state({}, { Image: 'sha256:other' }) } },
      'octo/app:builder-0123456'
    ]
  ])('which took the name of %s: nothing is pushed', async (_, answers, name) => {
    const { result, sentences, order } = await play('inline', answers)
    expect(result.failures).toEqual([{ kind: 'name-taken', reference: name }])
    expect(sentences).toEqual([
      `${name} names another image than the one that this run built, so nothing is pushed: another run on the same engine has taken the name; give each runner an engine of its own`
    ])
    expect(changesIn(order)).toEqual([])
  })

  // the pushes of both images begin at once
  it.each([
    ['the production image', 'octo/app:0123456'],
    ['the builder', 'octo/app:builder-next']
  ])('which took the name of %s before its push: no other tag is set', async (_, name) => {
    const other = `sha256:${'f'.repeat(64)}`
    const { result, sentences, order, contents } = await play(
      'inline',
      { [`push ${name}`]: { stdout: `x: digest: ${other} size: 1\n` } },
      { pushed: (reference) => (reference === name ? { ...PUSHED_IMAGE, digest: other, ids: [other] } : PUSHED_IMAGE) }
    )
    expect(result.failures).toEqual([{ kind: 'other-image', reference: name, pushed: other, built: IMAGE_ID }])
    expect(sentences).toEqual([
      `${name} was pushed with another image (${other}) than the one that this run built (${IMAGE_ID}), so no other tag is set: another run on the same engine has taken the name; give each runner an engine of its own`
    ])
    expect(result.publication).toMatchObject({ pushed: ['octo/app:0123456'], published: false })
    expect(changesIn(order)).toEqual(['push octo/app:0123456', 'push octo/app:builder-next'])
    expect(contents.get('octo/app:latest')).toBe(EARLIER_IMAGE)
  })

  it('which took the name of the production image before its push: no further tag is set, nor with strategy legacy a moving one', async () => {
    const pushed = (): ImageRecord => ({ ...PUSHED_IMAGE, ids: [DIGEST] })
    const { sentences, order } = await play('legacy', {}, { pushed, inputs: { tags: '1.2\nother/app:1.2' } })
    expect(sentences).toEqual([expect.stringMatching(/^octo\/app:0123456 was pushed with another image/)])
    expect(changesIn(order)).toEqual(['push octo/app:0123456'])
  })

  it('which removed an image', async () => {
    const { sentences } = await play('inline', {
      'image inspect octo': { exitCode: 1, stderr: 'Error: No such image: x\n' }
    })
    expect(sentences).toEqual([
      'The images that this run built are not in the engine any more (Error: No such image: x)'
    ])
  })
})

describe('A registry that fails for the moment', () => {
  const importing = (error: string): string => {
    const name = 'importing cache manifest from octo/app:builder'
    return `${JSON.stringify({ vertexes: [{ digest: 'd', name, completed: '2026-01-01T00:00:00Z', error }] })}\n`
  }

  it('while the cache is read: the build is given up and begins again', async () => {
    const { result, docker } = await play(
      'inline',
      { '--target builder': { hangs: importing('503 Service Unavailable'), once: true } },
      { retries: 1 }
    )
    expect(docker.calls.filter((text) => text.includes('--target builder'))).toHaveLength(2)
    expect(result).toMatchObject({ failures: [], builder: { imageId: IMAGE_ID, unreadableCaches: [] } })
  })

  it.each([
    ['the base image', { exitCode: 1, stderr: 'ERROR: failed to solve: alpine: 503 Service Unavailable\n' }, 2],
    ['no registry at all', { exitCode: 1, stderr: 'ERROR: failed to solve: no such stage\n' }, 1],
    [
      'a command of the Dockerfile that speaks of a timeout',
      { exitCode: 1, stderr: 'ERROR: process "curl timeout 503" did not complete successfully: exit code: 1\n' },
      1
    ]
  ])('a build that fails by %s is tried so many times: %#', async (_, answer, count) => {
    const { docker } = await play('inline', { '--target builder': answer }, { retries: 1 })
    expect(docker.calls.filter((text) => text.includes('--target builder'))).toHaveLength(count)
  })

  it('while a tag is pushed: that is done again', async () => {
    const { result, sentences, order } = await play(
      'legacy',
      { 'push octo/app:builder': { exitCode: 1, stderr: 'received unexpected HTTP status: 502 Bad Gateway\n' } },
      { retries: 1 }
    )
    expect(changesIn(order).filter((what) => what === 'push octo/app:builder')).toHaveLength(2)
    expect(changesIn(order).filter((what) => what === 'put octo/app:latest')).toHaveLength(1)
    expect(result.publication).toMatchObject({ pushed: ['octo/app:0123456', 'octo/app:latest'], published: false })
    expect(sentences).toEqual([expect.stringMatching(/could not be reached to push octo\/app:builder/)])
  })

  it('while a tag is set: the engine does not push it', async () => {
    const fail = (request: string): RegistryFailure | undefined =>
      request === 'put octo/app:latest' ? failureOf('unreachable', '502') : undefined
    const { result, sentences, order } = await play('inline', {}, { fail })
    expect(changesIn(order).slice(-2)).toEqual(['put octo/app:builder', 'put octo/app:latest'])
    expect(result.publication).toMatchObject({ pushed: ['octo/app:0123456', 'octo/app:builder'], published: false })
    expect(sentences).toEqual([expect.stringMatching(/could not be reached to push octo\/app:latest.*\(502\)$/)])
  })
})

describe('A registry that does not let tags change', () => {
  const KEPT = `sha256:${'f'.repeat(64)}`
  const COMMIT = 'octo/app:0123456'
  const labels = { [REVISION_LABEL]: SHA, [VARIANT_LABEL]: 'variant' }
  const ofCommit = { ...EARLIER_IMAGE, digest: KEPT, labels }
  const refusal = (tag: string, words = `tag invalid: tag ${tag} is immutable`): Record<string, Answer> => ({
    [`push octo/app:${tag}`]: { exitCode: 1, stderr: `${words}\n` }
  })
  /** Of containerd before 2.0: without the words of the registry. */
  const rejected = (tag: string, status: string): string =>
    `unexpected status from PUT request to http://r.io/v2/octo/app/manifests/${tag}: ${status}`

  function withCommit(image: ImageRecord = ofCommit): Contents {
    const contents = published()
    contents.put(COMMIT, image)
    return contents
  }

  it.each([
    [undefined, 1],
    [rejected('0123456', '400 Bad Request'), 2],
    [rejected('0123456', '403 Forbidden'), 1],
    [rejected('0123456', '409 Conflict'), 1],
    [rejected('0123456', '412 Precondition Failed'), 1]
  ])('publishes the image of the same commit and content that the commit tag names: %s', async (words, count) => {
    const how = { contents: withCommit(), keyed: true, retries: 1 }
    const { result, sentences, order, contents, notices } = await play('inline', refusal('0123456', words), how)
    expect(sentences).toEqual([])
    expect(order.filter((what) => what === `push ${COMMIT}`)).toHaveLength(count)
    expect(result.publication).toMatchObject({
      pushed: [COMMIT, 'octo/app:builder', 'octo/app:latest'],
      published: true,
      digest: KEPT
    })
    expect([contents.get('octo/app:latest')?.digest, contents.get('octo/app:builder')?.digest]).toEqual([KEPT, DIGEST])
    expect(notices).toEqual([
      expect.stringContaining(`${COMMIT} already names an image of this commit with the same content, `)
    ])
    // tested tags name what this run tested
    const tested = result.cacheTags.filter((tag) => tag.includes(':tested-'))
    expect(tested.map((tag) => contents.get(tag)?.digest)).toEqual([DIGEST, DIGEST])
  })

  it.each<[string, Partial<ImageRecord>]>([
    ['an image of commit 3333333', { labels: { ...labels, [REVISION_LABEL]: '3333333' } }],
    ['an image of no commit', { labels: {} }],
    ['another variant of the image of this commit', { labels: { ...labels, [VARIANT_LABEL]: 'other' } }],
    [
      'an image of this commit that was made of other content',
      {
        labels: {
          ...labels,
          [KEYS_LABEL]: JSON.stringify({ version: 1, engine: '', parts: [], chain: [['FROM', 'aa', []]] })
        }
      }
    ],
    ['an image of this commit, but it is unknown of what content', { labels: { ...labels, [KEYS_LABEL]: '' } }]
  ])('fails at once and moves nothing if the commit tag names %s', async (holds, more) => {
    const how = { contents: withCommit({ ...ofCommit, ...more }), keyed: true, retries: 1 }
    const { sentences, order } = await play('inline', refusal('0123456'), how)
    expect(sentences).toEqual([
      expect.stringMatching(new RegExp(`^${COMMIT} already names ${holds}.*does not let this tag change: delete`))
    ])
    expect(new Set(changesIn(order))).toEqual(new Set([`push ${COMMIT}`, 'push octo/app:builder-next']))
  })

  it('keeps a further tag that names an image of this commit with the same content', async () => {
    const contents = published()
    contents.put('octo/app:1.2', ofCommit)
    const fail = (request: string): RegistryFailure | undefined =>
      request === 'put octo/app:1.2' ? failureOf('immutable') : undefined
    const how = { contents, keyed: true, fail, inputs: { tags: '1.2' } }
    const { result, sentences, order } = await play('inline', {}, how)
    expect(sentences).toEqual([])
    expect(order).not.toContain('push octo/app:1.2')
    expect(result.publication).toMatchObject({
      published: true,
      digests: { [COMMIT]: DIGEST, 'octo/app:1.2': KEPT, 'octo/app:latest': DIGEST }
    })
  })

  it.each([
    ['builder-next', refusal('builder-next'), undefined],
    ['builder-next', refusal('builder-next', rejected('builder-next', '409 Conflict')), undefined],
    ['latest', {}, 'put octo/app:latest'],
    // both moving tags are refused
    ['builder', {}, 'put octo/app:']
  ])('fails at once at a moving tag, after the commit tag: %s, %#', async (tag, answers, refused) => {
    const contents = published()
    contents.put('octo/app:builder-next', { ...EARLIER_IMAGE, labels: { ...EARLIER_IMAGE.labels, [KEYS_LABEL]: '' } })
    const fail = (request: string): RegistryFailure | undefined =>
      refused !== undefined && request.startsWith(refused) ? failureOf('immutable') : undefined
    const { result, sentences, order } = await play('inline', answers, { contents, keyed: true, fail, retries: 1 })
    expect(sentences).toEqual([
      expect.stringMatching(new RegExp(`^octo/app:${tag} cannot move .*: moving tags must be allowed to move`))
    ])
    expect(order.filter((what) => what.endsWith(`octo/app:${tag}`) && /^pu/.test(what))).toHaveLength(1)
    expect(result.publication).toMatchObject({ published: false, digest: DIGEST })
    expect(result.publication?.pushed).toContain(COMMIT)
  })

  it('which rejects the manifest of a tag that does not exist: that is tried again, or denied', async () => {
    const again = await play('inline', refusal('0123456', rejected('0123456', '400 Bad Request')), { retries: 1 })
    expect(again.order.filter((what) => what === `push ${COMMIT}`)).toHaveLength(2)
    expect(again.sentences).toEqual([expect.stringMatching(/^The registry could not be reached to push/)])
    const denied = await play('inline', refusal('0123456', rejected('0123456', '403 Forbidden')), { retries: 1 })
    expect(denied.sentences).toEqual([expect.stringMatching(/^Access denied to push/)])
  })

  it('publishes the image of the commit tag if nothing had to be built', async () => {
    const inputs = { 'skip-unchanged-tests': 'true' }
    const contents = withCommit()
    const first = await play('inline', {}, { contents: published(), keyed: true, inputs })
    const tag = first.result.cacheTags.find((one) => one.includes(':tested-')) ?? ''
    const tested = first.result.cacheTags.filter((one) => one.includes(':tested-'))
    expect(tested).toHaveLength(2)
    for (const one of tested) contents.put(one, { ...EARLIER_IMAGE, digest: DIGEST })
    expect(tag).not.toBe('')
    const fail = (request: string): RegistryFailure | undefined =>
      request === `put ${COMMIT}` ? failureOf('immutable') : undefined
    const { result, sentences } = await play('inline', {}, { contents, keyed: true, inputs, fail })
    expect(sentences).toEqual([])
    expect(result.unchanged).toBeDefined()
    expect(contents.get('octo/app:latest')?.digest).toBe(KEPT)
    expect(result.publication).toMatchObject({ published: true, digest: KEPT })
  })
})

describe('Further tags', () => {
  const inputs = { tags: '1.2\nother/app:1.2' }

  it('are set in the registry, or in another repository pushed, after the commit and before the moving ones', async () => {
    const { result, order } = await play('inline', {}, { inputs })
    const changes = changesIn(order).filter((what) => what !== 'push octo/app:builder-next')
    expect(changes[0]).toBe('push octo/app:0123456')
    expect(new Set(changes.slice(1, 3))).toEqual(new Set(['push other/app:1.2', 'put octo/app:1.2']))
    expect(changes.slice(3)).toEqual(['put octo/app:builder', 'put octo/app:latest'])
    const pushed = ['octo/app:0123456', 'octo/app:1.2', 'other/app:1.2', 'octo/app:builder', 'octo/app:latest']
    expect(result.publication).toMatchObject({
      ...{ pushed, published: true, failures: [] },
      digests: Object.fromEntries(pushed.map((reference) => [reference, DIGEST]))
    })
  })

  it('one of which fails: no moving tag moves', async () => {
    const fail = (request: string): RegistryFailure | undefined =>
      request === 'put octo/app:1.2' ? failureOf('unreachable') : undefined
    const { result, order } = await play('inline', {}, { inputs, fail })
    expect(changesIn(order).filter((what) => /:(builder|latest)$/.test(what))).toEqual([])
    expect(result.publication).toMatchObject({ pushed: ['octo/app:0123456', 'other/app:1.2'], published: false })
  })
})

describe('A registry in which this machine cannot set a tag', () => {
  const kinds = ['absent', 'refused', 'untrusted', 'unknown'] as const

  it.each(kinds)('(%s): the engine pushes it, after the commit', async (kind) => {
    const fail = (request: string): RegistryFailure | undefined =>
      request.startsWith('put ') ? failureOf(kind) : undefined
    const { result, order, contents } = await play('inline', {}, { fail })
    expect(changesIn(order)).toEqual([
      ...['push octo/app:0123456', 'push octo/app:builder-next'],
      ...['put octo/app:builder', 'put octo/app:latest'],
      ...['push octo/app:builder', 'push octo/app:latest']
    ])
    expect(result).toMatchObject({ failures: [], publication: { published: true } })
    expect(contents.get('octo/app:latest')).toBe(PUSHED_IMAGE)
  })

  it('and to which the engine cannot push either: that is a failure', async () => {
    const { result, sentences } = await play(
      'inline',
      { 'push octo/app:latest': { exitCode: 1, stderr: 'denied: permission_denied: write_package\n' } },
      { fail: (request) => (request === 'put octo/app:latest' ? failureOf('refused') : undefined) }
    )
    expect(result.publication).toMatchObject({ pushed: ['octo/app:0123456', 'octo/app:builder'], published: false })
    expect(sentences).toEqual([expect.stringMatching(/^Access denied to push octo\/app:latest/)])
  })
})

describe('runPipeline, an image that cannot serve as a cache', () => {
  const BAD_IMAGE: ImageRecord = { ...EARLIER_IMAGE, recorded: [] }
  const pushed = (): ImageRecord => ({ ...PUSHED_IMAGE, recorded: [] })

  it('replaces no builder that can; latest moves, and what it named is kept', async () => {
    const { result, order, contents, warned } = await withWarnings(() => play('inline', {}, { pushed }))
    expect(result.failures).toEqual([])
    expect(result.publication?.pushed).toEqual(['octo/app:0123456', 'octo/app:latest'])
    expect(result.publication?.held.map(({ reference }) => reference)).toEqual(['octo/app:builder', 'octo/app:latest'])
    expect(changesIn(order)).toEqual([
      ...['push octo/app:0123456', 'push octo/app:builder-next'],
      ...['put octo/app:latest-cache', 'put octo/app:latest']
    ])
    expect(contents.get('octo/app:latest-cache')).toBe(EARLIER_IMAGE)
    expect(contents.get('octo/app:builder')).toBe(EARLIER_IMAGE)
    expect(contents.get('octo/app:latest')?.digest).toBe(DIGEST)
    expect(warned).toMatch(/^::warning::octo\/app:builder is not updated: .*no record of 1 of 1 layers/m)
    expect(warned).toMatch(/^::warning::octo\/app:latest is updated, .*uses octo\/app:latest-cache/m)
  })

  it('moves production also where what it named could not be kept', async () => {
    const fail = (request: string): RegistryFailure | undefined =>
      request === 'put octo/app:latest-cache' ? failureOf('refused', 'no') : undefined
    const { result, warned } = await withWarnings(() => play('inline', {}, { pushed, fail }))
    expect(result).toMatchObject({ failures: [], publication: { pushed: ['octo/app:0123456', 'octo/app:latest'] } })
    expect(warned).toMatch(/^::warning::octo\/app:latest is updated, although .*cannot write .*latest-cache \(no\)/m)
  })

  it.each([
    ['that cannot either', () => published(BAD_IMAGE)],
    ['that is not there', () => new Contents()]
  ])('replaces one %s', async (_, contents) => {
    const { result, warned } = await withWarnings(() => play('inline', {}, { pushed, contents: contents() }))
    expect(result.publication).toMatchObject({ published: true, held: [] })
    expect(warned).toMatch(/^::warning::The next run will rebuild stage builder: .*no record of 1 of 1 layers/m)
  })

  it('moves what could not be inspected, with a warning', async () => {
    let count = 0
    const fail = (request: string): RegistryFailure | undefined =>
      request === `get octo/app@${DIGEST}` && count++ === 0 ? failureOf('unreachable', 'connection refused') : undefined
    const { result, warned } = await withWarnings(() => play('inline', {}, { pushed, fail }))
    expect(result.publication).toMatchObject({ published: true, held: [] })
    expect(warned).toMatch(
      /^::warning::Cannot inspect the pushed image octo\/app:builder-next, .*\(connection refused\)$/m
    )
  })

  it('moves what the docker client read, which tells of no cache metadata', async () => {
    const unknown = (): ImageRecord => ({ ...PUSHED_IMAGE, recorded: 'unknown' })
    const { result, warned } = await withWarnings(() => play('inline', {}, { pushed: unknown }))
    expect(result.publication).toMatchObject({ published: true, held: [] })
    expect(warned).not.toContain('::warning::')
  })
})

describe.each(['inline', 'legacy'] as const)('runPipeline, a kept cache, strategy %s', (strategy) => {
  it('is where production takes its cache from if the newest image is a worse one, and cache metadata counts', async () => {
    const contents = published()
    contents.put('octo/app:latest', { ...EARLIER_IMAGE, recorded: [] })
    // production copies, and runs nothing
    const history = ['base', 'COPY a a'].map((createdBy) => ({ createdBy, empty: false }))
    contents.put('octo/app:latest-cache', { ...EARLIER_IMAGE, history })
    const { result, docker } = await play(strategy, {}, { contents })
    const source = strategy === 'inline' ? 'octo/app:latest-cache' : 'octo/app:latest'
    expect(result.production?.cacheSource).toBe(source)
    expect(docker.calls.find((call) => call.includes('--tag octo/app:0123456 '))).toMatch(
      new RegExp(`--cache-from (type=registry,ref=)?${source} `)
    )
  })
})

describe('runPipeline, a step that the cache should have had', () => {
  const vertex = {
    ...{ digest: 'd', name: '[builder 2/2] RUN make' },
    ...{ started: '2026-01-01T00:00:00Z', completed: '2026-01-01T00:00:01Z' }
  }
  /** The builder executes its step, although the image that it makes is what is published. */
  const answers = {
    '--target builder': { stderr: `${JSON.stringify({ vertexes: [vertex] })}\n` },
    '{{json .Config}}': { stdout: '{}\n["a","b"]\n[]\n' },
    '{{json .CreatedBy}}': { stdout: '"RUN make"\n"base"\n' }
  }
  async function executed(expectCache: 'none' | 'warn' | 'fail'): Promise<Ran & { warned: string }> {
    return withWarnings(() => play('inline', answers, { inputs: { 'expect-cache': expectCache }, keyed: true }))
  }

  it.each(['none', 'warn'] as const)(
    'is no failure with expect-cache %s, and no warning of the pipeline',
    async (how) => {
      const { result, warned } = await executed(how)
      expect(result.builder?.misses).toMatchObject([{ stage: 'builder', line: 2, unexpected: true }])
      expect(result).toMatchObject({ failures: [], publication: { published: true } })
      expect(warned).not.toContain('::warning')
      // it is for the report to warn of it
      expect(annotateMisses(result, { file: 'Dockerfile', expected: how, publishes: true })).toHaveLength(
        how === 'warn' ? 1 : 0
      )
    }
  )

  it('is a failure with expect-cache fail: nothing is pushed', async () => {
    const { result, sentences, order } = await executed('fail')
    expect(result.failures).toEqual([{ kind: 'miss', stage: 'builder' }])
    expect(sentences).toEqual([expect.stringMatching(/^Unexpected cache miss in stage builder, none of .*RUN make\. /)])
    // what was built serves the next run, but nobody deploys it
    expect(changesIn(order).filter((what) => !what.includes(':cache-'))).toEqual([])
  })
})

describe('runPipeline, strategy inline', () => {
  const productionBuilds = ({ docker }: Ran): string[] =>
    docker.calls.filter((call) => call.includes('--iidfile') && call.includes('--tag octo/app:0123456'))
  /** BuildKit takes the first step of production from its cache. */
  const stderr = rawJson('stage-1', 'made\n')

  it.each([
    [true, 2],
    [false, 1]
  ])('builds production once more if its cache source moved meanwhile: %s', async (moves, times) => {
    // nothing in the cache source is of the builder stage
    const contents = new Contents()
    const layers: Answer = { stdout: '["a"]\n["a"]\n' }
    const ran = await play(
      'inline',
      { '--tag octo/app:0123456': { stderr }, '.RootFS.Layers': layers },
      {
        contents,
        onCall: (call) => {
          if (moves && call.includes('--tag octo/app:0123456')) contents.put('octo/app:latest', EARLIER_IMAGE)
        }
      }
    )
    expect(ran.result.failures).toEqual([])
    const built = productionBuilds(ran)
    expect(built).toHaveLength(times)
    // the last one starts from the tested image
    expect(built.at(-1)?.includes(`--file ${folder}`)).toBe(moves)
  })
})

describe('runPipeline, strategy legacy', () => {
  it('gives production the Dockerfile whose builder stage is the image just built', async () => {
    const { docker } = await play('legacy')
    const [, file = ''] =
      /--file (\S+)/.exec(docker.calls.find((text) => text.includes(`--file ${folder}`)) ?? '') ?? []
    expect(existsSync(file) && readFileSync(file, 'utf8')).toMatch(
      new RegExp(`^FROM ${IMAGE_ID} AS builder\n\nFROM alpine\n`)
    )
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

describe('what is fetched beforehand', () => {
  const text = TWO_STAGES.replace('FROM alpine\nCOPY', 'FROM slim\nCOPY')
  const builder: Record<string, Answer> = { '--target builder': { until: 'cacheonly' } }

  it('goes on beside the tests, and production waits for it', async () => {
    const { result, docker } = await play('inline', { ...builder, cacheonly: { until: 'run ' } }, { text })
    expect(result.failures).toEqual([])
    const production = docker.calls.find((call) => call.includes('--tag octo/app:0123456')) ?? ''
    expect(docker.endedBefore.get(production)?.filter((call) => call.includes('cacheonly'))).toHaveLength(1)
  })

  it.each<[string, Answer]>([
    ['fails', { exitCode: 1, stderr: 'ERROR: no such image\n' }],
    ['cannot be started', { throws: new Error('ERROR: no such image') }]
  ])('is no failure if it %s', async (_, answer) => {
    const { result, printed } = await play('inline', { ...builder, cacheonly: answer }, { text })
    expect(result).toMatchObject({ failures: [], publication: { published: true } })
    expect(printed).toContain('Prefetch failed: ERROR: no such image\n')
  })

  it('ends with a builder that fails, and with the run', async () => {
    const failing = { '--target builder': { until: 'cacheonly', exitCode: 1 }, cacheonly: { hangs: true } }
    const { result, sentences } = await play('inline', failing, { text })
    expect(result.cancelled).toBe(false)
    expect(sentences).toEqual([expect.stringMatching(/builder/)])
    const cancelled = await play('inline', { ...builder, cacheonly: { hangs: true } }, { text, cancelAt: 'cacheonly' })
    expect(cancelled.result.cancelled).toBe(true)
  })

  it('does not begin once the builder is built', async () => {
    const { docker, result } = await play('inline', {}, { text, contents: new Contents(), answersAfter: 'run ' })
    expect(result.failures).toEqual([])
    expect(docker.calls.filter((call) => call.includes('cacheonly'))).toEqual([])
  })

  it('is nothing if production has the base image of the builder', async () => {
    const { docker } = await play('inline')
    expect(docker.calls.filter((call) => call.includes('cacheonly'))).toEqual([])
  })
})
