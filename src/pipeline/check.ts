import { checkEnvironment } from '../action/check-environment.ts'
import { shellArgs, type Test, titleOfTest } from '../action/tests.ts'
import { readImageId } from '../docker/image-id.ts'
import { CancelledError } from '../lib/errors.ts'
import { exec } from '../lib/exec.ts'
import { secondsSince } from '../lib/timeline.ts'
import type { Run } from '../plan/run-context.ts'
import type { TestResult } from '../result/result.ts'
import { lastLinesOf, Tail } from './test-output.ts'

/** The part of a run that checks need. */
type CheckRun = Pick<Run, 'plan' | 'docker' | 'secrets' | 'log' | 'timeline' | 'stepEnv' | 'signal'>

/**
 * Runs the checks on the runner, one after the other: two of them may use the same port or the same compose project. Each one
 * runs to its end, whatever the others do. After a cancellation, returns those that had ended before.
 */
export async function runChecks(run: CheckRun): Promise<TestResult[]> {
  const results: TestResult[] = []
  const { checks } = run.plan.inputs
  const imageId = checks.length === 0 ? '' : (await readImageId(run.docker, run.plan.refs.production, run.signal)).id
  for (const check of checks) {
    try {
      results.push(await runCheck(run, check, imageId))
    } catch (error) {
      if (error instanceof CancelledError) return results
      throw error
    }
  }
  return results
}

async function runCheck(run: CheckRun, { command }: Test, imageId: string): Promise<TestResult> {
  const { plan, log, secrets, signal, stepEnv } = run
  if (signal.aborted) throw new CancelledError()
  const title = titleOfTest({ kind: 'check', command })
  const section = log.section(title)
  const tail = new Tail()
  const start = performance.now()
  const minutes = plan.inputs.testTimeoutMinutes
  const timeout = new AbortController()
  const timer = minutes === undefined ? undefined : setTimeout(() => timeout.abort(), minutes * 60_000)
  const either = AbortSignal.any([signal, timeout.signal])
  const { production, builder } = plan.refs
  const env = checkEnvironment(stepEnv, { IMAGE: production, BUILDER_IMAGE: builder, IMAGE_ID: imageId })
  try {
    const exitCode = await run.timeline
      .measure('test', title, () =>
        // in a session of its own, so that a signal reaches whatever the command has started
        exec('setsid', ['sh', ...shellArgs(command)], {
          ...{ env, signal: either, bound: 'test', capture: false, group: true },
          onOutput: (chunk) => {
            section.write(chunk)
            tail.add(chunk)
          }
        })
      )
      .then(
        (result) => result.exitCode,
        (error: unknown) => {
          if (error instanceof CancelledError && !signal.aborted) return null
          throw error
        }
      )
    const isLate = timeout.signal.aborted
    const failure = isLate ? `it was stopped after ${minutes} minutes` : whyFailed(exitCode)
    const status = isLate ? 'timed-out' : failure === undefined ? 'passed' : 'failed'
    const lastLines = failure === undefined ? '' : lastLinesOf(tail.text, secrets)
    section.end(status)
    return {
      ...{
        kind: 'check',
        command,
        status,
        exitCode: isLate ? null : exitCode,
        seconds: secondsSince(start)
      },
      ...(imageId !== '' && { imageId }),
      ...(failure !== undefined && { failure }),
      ...(lastLines !== '' && { lastLines })
    }
  } finally {
    clearTimeout(timer)
    section.end()
  }
}

function whyFailed(exitCode: number | null): string | undefined {
  if (exitCode === 0) return undefined
  return exitCode === null ? 'it was killed' : `exit code ${exitCode}`
}
