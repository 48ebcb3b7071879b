import pLimit from 'p-limit'
import { replayable, testArgs } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
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
  const name = `shared-docker-layers-${runId}-test-${number}`
  const args = testArgs(plan.inputs, plan.refs.builder, command, name, runId)
  if (signal.aborted) throw new CancelledError()
  const section = log.section(`Test ${command}`)
  section.write(`${replayable(args)}\n`)
  const start = performance.now()
  const timer = new TestTimer(run, name)
  let tail = ''
  try {
    const { exitCode } = await docker.call(args, {
      signal,
      capture: false,
      onOutput: (chunk) => {
        section.write(chunk)
        tail = (tail + chunk.toString()).slice(-4_096)
      }
    })
    const seconds = secondsSince(start)
    const outcome = judge(exitCode, timer.hasFired(), plan.inputs.testTimeoutMinutes, tail)
    section.write(`\n${outcome.status} after ${seconds.toFixed(1)} s, exit code ${exitCode ?? 'none'}\n`)
    return { command, exitCode: timer.hasFired() ? null : exitCode, seconds, ...outcome }
  } finally {
    timer.stop()
    section.end()
    // without the signal: it must go also after a cancel
    await docker.call(['rm', '--force', '--volumes', name])
  }
}

function judge(
  exitCode: number | null,
  timedOut: boolean,
  minutes: number | undefined,
  tail: string
): Pick<TestResult, 'status' | 'failure'> {
  if (timedOut) return { status: 'timed-out', failure: `it was stopped after ${minutes} minutes` }
  if (exitCode === 0) return { status: 'passed' }
  if (exitCode === DOCKER_FAILED) return { status: 'error', failure: `docker could not run it: ${lastLine(tail)}` }
  return { status: 'failed', failure: `exit code ${exitCode}` }
}

/** Kills the container when the time of the test is over: docker's client cannot, and ending the client would leave it running. */
class TestTimer {
  readonly #timer: NodeJS.Timeout | undefined
  #fired = false

  constructor({ plan, docker }: Run, container: string) {
    const minutes = plan.inputs.testTimeoutMinutes
    if (minutes === undefined) return
    this.#timer = setTimeout(() => {
      this.#fired = true
      void docker.call(['kill', container])
    }, minutes * 60_000)
  }

  hasFired(): boolean {
    return this.#fired
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
