import { constants } from 'node:os'
import type { LimitFunction } from 'p-limit'
import { shellArgs, type Test, titleOfTest } from '../action/tests.ts'
import { replayable } from '../docker/command-line.ts'
import { removeContainer } from '../docker/containers.ts'
import type { Docker } from '../docker/docker.ts'
import { lastLine } from '../docker/errors.ts'
import { soonAfter } from '../lib/bounds.ts'
import { CancelledError } from '../lib/errors.ts'
import { at, list, parseJson, text } from '../lib/json.ts'
import { secondsSince } from '../lib/timeline.ts'
import type { Run } from '../plan/run-context.ts'
import type { TestResult } from '../result/result.ts'
import { collect } from './collect-reports.ts'
import type { Suite, TestRun } from './suites.ts'
import { testArgs } from './test-args.ts'
import { lastLinesOf, Tail } from './test-output.ts'
import { canRun, describeUntested, platformOf } from './test-platform.ts'

/** Exit code of `docker run` if docker itself failed (docker/cli docs "docker run", Exit status). */
const DOCKER_FAILED = 125

/**
 * Runs every test in its own container, all at once or as many at a time as configured. Each one runs to its end, whatever the
 * others do. After a cancellation, returns those that had ended before.
 */
export async function runTests(run: TestRun, suite: Suite, limit: LimitFunction): Promise<TestResult[]> {
  const platform = suite.tests.length === 0 ? undefined : await platformOf(run, suite)
  if (platform !== undefined && run.mayStayUntested && !(await canRun(run, suite, platform))) {
    run.log.notice(describeUntested(suite, platform))
    return []
  }
  const ended = await Promise.allSettled(
    suite.tests.map((test, index) => limit(() => runTest(run, { ...suite, platform }, test, suite.first + index)))
  )
  return ended.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [outcome.value]
    if (outcome.reason instanceof CancelledError) return []
    throw outcome.reason
  })
}

async function runTest(
  run: TestRun,
  { kind, image, platform }: Suite & { platform: string | undefined },
  test: Test,
  number: number
): Promise<TestResult> {
  const { plan, docker, log, runId, signal } = run
  const { command } = test
  const title = titleOfTest({ kind, command })
  if (signal.aborted) throw new CancelledError()
  const name = `shared-docker-layers-${runId}-test-${number}`
  const args = testArgs({ ...plan.inputs, platform }, image, test, name, runId)
  const section = log.section(title)
  section.write(`${replayable(args)}\n`)
  const start = performance.now()
  const timer = new TestTimer(docker, name, plan.inputs.testTimeoutMinutes, signal)
  const tail = new Tail()
  try {
    const exitCode = await run.timeline.measure('test', title, () =>
      callUntil(timer, run, args, (chunk) => {
        section.write(chunk)
        tail.add(chunk)
      })
    )
    const seconds = secondsSince(start)
    timer.stop()
    const { container, late } = await readContainer(docker, name, signal)
    const outcome = judge({ exitCode, timer, tail: tail.text, container, late, image, command })
    section.end(outcome.status)
    const workingDir = container?.workingDir ?? '/'
    const failedCases = container ? await collect(run, { number, command, container: name, workingDir }) : []
    const lastLines = outcome.failure === undefined ? '' : lastLinesOf(tail.text, run.secrets)
    return {
      ...(kind !== undefined && { kind }),
      ...{ command, exitCode: timer.hasFired() ? null : exitCode, seconds },
      ...(container && { imageId: container.imageId }),
      ...outcome,
      ...(lastLines !== '' && { lastLines }),
      ...(failedCases.length > 0 && { failedCases })
    }
  } finally {
    timer.stop()
    section.end()
    await removeContainer(docker, name, signal)
  }
}

/** Returns the exit code of the test; null if a signal or the timer ended it. */
async function callUntil(
  timer: TestTimer,
  { docker, signal }: Pick<Run, 'docker' | 'signal'>,
  args: string[],
  onOutput: (chunk: Buffer) => void
): Promise<number | null> {
  try {
    const either = AbortSignal.any([signal, timer.signal])
    return (await docker.call(args, { bound: 'test', signal: either, capture: false, onOutput })).exitCode
  } catch (error) {
    if (error instanceof CancelledError && !signal.aborted) return null
    throw error
  }
}

interface Ending {
  exitCode: number | null
  timer: TestTimer
  /** The end of its output. */
  tail: string
  container: Container | undefined
  /** Why it is unknown whether there is one, if it is. */
  late: string | undefined
  /** The expected image. */
  image: string
  command: string
}

/** Judges by the exit code and the container: options could make the docker client report on another container, or on none. */
function judge({
  exitCode,
  timer,
  tail,
  container,
  late,
  image,
  command
}: Ending): Pick<TestResult, 'status' | 'failure'> {
  if (timer.hasFired()) return { status: 'timed-out', failure: `it was stopped after ${timer.minutes} minutes` }
  if (exitCode === 0) {
    const why = late ?? whyNotOurs(container, image, command)
    return why === undefined ? { status: 'passed' } : { status: 'error', failure: `docker reports success, but ${why}` }
  }
  if (NO_SHELL.test(container?.error || tail) && !container?.hasRun) {
    return {
      status: 'error',
      failure: 'the image has no shell (sh) to run it in; test such an image with the input checks, from outside'
    }
  }
  if (container?.error || (exitCode === DOCKER_FAILED && !container?.hasRun)) {
    return { status: 'error', failure: `docker could not run it: ${container?.error || lastLine(tail)}` }
  }
  if (exitCode === null) return { status: 'failed', failure: 'docker was killed' }
  if (container?.isOomKilled)
    return { status: 'failed', failure: `exit code ${exitCode}: it ran out of memory and was killed` }
  const signal = exitCode > 128 ? signalNames.get(exitCode - 128) : undefined
  return { status: 'failed', failure: `exit code ${exitCode}${signal === undefined ? '' : `: it ended by ${signal}`}` }
}

/** The words of runc if the image has no such program (opencontainers/runc libcontainer/error.go, os/exec ErrNotFound). */
const NO_SHELL = /exec: "sh": executable file not found|"?sh"?: no such file or directory/

/** Names of signals by number. If a signal ends a process, the exit code of a shell and of docker is 128 plus that number. */
const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

function whyNotOurs(container: Container | undefined, image: string, command: string): string | undefined {
  if (!container) return 'knows no such container any more'
  const isOurs =
    container.image === image && JSON.stringify(container.words) === JSON.stringify(['sh', ...shellArgs(command)])
  if (!isOurs) return `its container ran ${JSON.stringify(container.words.join(' '))} in ${container.image}`
  return container.status === 'exited' && container.exitCode === 0
    ? undefined
    : `its container is ${container.status} with exit code ${container.exitCode}`
}

/** The engine's data about a test's container. */
interface Container {
  image: string
  imageId: string
  words: string[]
  status: string
  exitCode: number
  hasRun: boolean
  isOomKilled: boolean
  /** Why it could not start; '' if it did. */
  error: string
  workingDir: string
}

/**
 * Reads `docker inspect` (moby/moby api/types/container, State and Config). Returns no container if the engine has none of this name.
 * A cancellation must not change how a test ended, so the call ends only some time after it.
 */
async function readContainer(
  docker: Docker,
  name: string,
  signal: AbortSignal
): Promise<{ container?: Container; late?: string }> {
  const { exitCode, stdout, stderr } = await docker.call(['container', 'inspect', name], {
    bound: 'container',
    signal: soonAfter(signal)
  })
  const [container] = exitCode === 0 ? list(parseJson(stdout)) : []
  if (container === undefined) return exitCode === null ? { late: stderr } : {}
  return { container: describe(container) }
}

function describe(container: unknown): Container {
  return {
    image: text(at(container, 'Config', 'Image')),
    imageId: text(at(container, 'Image')),
    words: [text(at(container, 'Path')), ...list(at(container, 'Args')).map(text)],
    status: text(at(container, 'State', 'Status')),
    exitCode: Number(at(container, 'State', 'ExitCode')),
    // "A container that has never been started" (docs.docker.com, "docker ps", status)
    hasRun: text(at(container, 'State', 'Status')) !== 'created',
    isOomKilled: at(container, 'State', 'OOMKilled') === true,
    error: text(at(container, 'State', 'Error')),
    workingDir: text(at(container, 'Config', 'WorkingDir'))
  }
}

/** Milliseconds within which the docker client ends after its container was killed. */
const CLIENT_ENDS_WITHIN = 3_000

/** Kills the container when a test's time is over, and then the docker client if it still runs: there may be no container yet. */
class TestTimer {
  readonly minutes: number | undefined
  readonly #client = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #fired = false

  constructor(docker: Docker, container: string, minutes: number | undefined, signal: AbortSignal) {
    this.minutes = minutes
    if (minutes === undefined) return
    this.#timer = setTimeout(() => {
      this.#fired = true
      this.#timer = setTimeout(() => this.#client.abort(), CLIENT_ENDS_WITHIN)
      docker.call(['kill', container], { bound: 'container', signal }).catch(() => {})
    }, minutes * 60_000)
  }

  /** Aborted when the docker client must end. */
  get signal(): AbortSignal {
    return this.#client.signal
  }

  hasFired(): boolean {
    return this.#fired
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
