import pLimit from 'p-limit'
import { replayable, testArgs } from '../engine/args.ts'
import { type Docker, lastLine } from '../engine/docker.ts'
import { CancelledError } from '../errors.ts'
import { type Run, secondsSince, type TestResult } from '../run.ts'

/** Exit code of `docker run` if docker itself failed (docker/cli docs "docker run", Exit status). */
const DOCKER_FAILED = 125

/**
 * Runs every test in a container of its own of the builder image, at once or as many at a time as asked. All of them end,
 * whatever the others do. After a cancellation those are returned that had ended before.
 */
export async function runTests(run: Run): Promise<TestResult[]> {
  const { tests, testParallelism } = run.plan.inputs
  const limit = pLimit(testParallelism ?? Math.max(1, tests.length))
  const ended = await Promise.allSettled(tests.map((command, index) => limit(() => runTest(run, command, index + 1))))
  return ended.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [outcome.value]
    if (outcome.reason instanceof CancelledError) return []
    throw outcome.reason
  })
}

async function runTest(run: Run, command: string, number: number): Promise<TestResult> {
  const { plan, docker, log, runId, signal } = run
  if (signal.aborted) throw new CancelledError()
  const name = `shared-docker-layers-${runId}-test-${number}`
  const args = testArgs(plan.inputs, plan.refs.builder, command, name, runId)
  const section = log.section(`Test ${command}`)
  section.write(`${replayable(args)}\n`)
  const start = performance.now()
  const timer = new TestTimer(docker, name, plan.inputs.testTimeoutMinutes)
  let tail = ''
  try {
    const exitCode = await run.timeline.measure(`Test ${command}`, () =>
      callUntil(timer, run, args, (chunk) => {
        section.write(chunk)
        tail = (tail + chunk.toString()).slice(-4_096)
      })
    )
    const seconds = secondsSince(start)
    const outcome = judge(exitCode, timer, tail)
    section.write(`\n${outcome.status} after ${seconds.toFixed(1)} s, exit code ${exitCode ?? 'none'}\n`)
    return { command, exitCode: timer.hasFired() ? null : exitCode, seconds, ...outcome }
  } finally {
    timer.stop()
    section.end()
    // without the signal: it must go also after a cancel
    await docker.call(['rm', '--force', '--volumes', name])
  }
}

/** The exit code of the test; null if a signal or the timer ended it. */
async function callUntil(
  timer: TestTimer,
  { docker, signal }: Run,
  args: string[],
  onOutput: (chunk: Buffer) => void
): Promise<number | null> {
  try {
    const either = AbortSignal.any([signal, timer.signal])
    return (await docker.call(args, { signal: either, capture: false, onOutput })).exitCode
  } catch (error) {
    if (error instanceof CancelledError && !signal.aborted) return null
    throw error
  }
}

function judge(exitCode: number | null, timer: TestTimer, tail: string): Pick<TestResult, 'status' | 'failure'> {
  if (timer.hasFired()) return { status: 'timed-out', failure: `it was stopped after ${timer.minutes} minutes` }
  if (exitCode === 0) return { status: 'passed' }
  if (exitCode === DOCKER_FAILED) return { status: 'error', failure: `docker could not run it: ${lastLine(tail)}` }
  return { status: 'failed', failure: exitCode === null ? 'docker was killed' : `exit code ${exitCode}` }
}

/** Milliseconds in which docker's client ends after its container was killed. */
const CLIENT_ENDS_WITHIN = 3_000

/** Kills the container when the time of the test is over, and the client if that does not end it: there may be no container yet. */
class TestTimer {
  readonly minutes: number | undefined
  readonly #client = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #fired = false

  constructor(docker: Docker, container: string, minutes: number | undefined) {
    this.minutes = minutes
    if (minutes === undefined) return
    this.#timer = setTimeout(() => {
      this.#fired = true
      this.#timer = setTimeout(() => this.#client.abort(), CLIENT_ENDS_WITHIN)
      docker.call(['kill', container]).catch(() => {})
    }, minutes * 60_000)
  }

  /** Aborted when docker's client must end. */
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
