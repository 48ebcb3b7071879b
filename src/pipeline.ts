import { CancelledError, messageOf } from './errors.ts'
import { publish } from './phases/publish.ts'
import { runTests } from './phases/test.ts'
import { describeUnreadable } from './registry-error.ts'
import type { Build, Run, RunResult } from './run.ts'
import { InlineStrategy } from './strategy/inline.ts'
import { LegacyStrategy } from './strategy/legacy.ts'
import type { Strategy } from './strategy/strategy.ts'

/**
 * Runs the phases in their order: the builder; then its tests beside the production build; then, if all of it went well,
 * the pushes. What fails, and a cancellation, is part of the result.
 */
export async function runPipeline(run: Run): Promise<RunResult> {
  const result: RunResult = { tests: [], cancelled: false, failures: [] }
  const strategy: Strategy = run.plan.strategy.name === 'legacy' ? new LegacyStrategy(run) : new InlineStrategy(run)
  try {
    await runPhases(run, strategy, result)
  } catch (error) {
    result.cancelled = error instanceof CancelledError
    result.failures.push(messageOf(error))
  } finally {
    await strategy.end()
  }
  return result
}

async function runPhases(run: Run, strategy: Strategy, result: RunResult): Promise<void> {
  result.builder = await strategy.buildBuilder()
  warnOfCaches(run, result.builder)
  collectBuildFailure(result, result.builder)
  if (result.failures.length > 0) return

  const [tests, production] = await Promise.allSettled([runTests(run), strategy.buildProduction()])
  if (tests.status === 'rejected') throw tests.reason
  result.tests = tests.value
  for (const { command, failure } of result.tests) {
    if (failure !== undefined) result.failures.push(`The test ${JSON.stringify(command)} did not pass: ${failure}`)
  }
  if (production.status === 'rejected') throw production.reason
  result.production = production.value
  warnOfCaches(run, result.production)
  collectBuildFailure(result, result.production)
  // not all tests need have ended
  if (run.signal.aborted) throw new CancelledError()
  if (result.failures.length > 0 || !run.plan.decision.push) return

  result.publication = await publish(run)
  result.failures.push(...result.publication.failures)
  if (run.signal.aborted) throw new CancelledError()
}

function collectBuildFailure(result: RunResult, { image, failure }: Build): void {
  if (failure !== undefined) result.failures.push(`Building ${image} failed: ${failure}`)
}

function warnOfCaches({ log }: Run, build: Build): void {
  for (const { reference, error } of build.unreadableCaches) {
    const sentence = describeUnreadable(reference, error)
    if (sentence === undefined) log.info(`${reference} does not exist yet: nothing to reuse`)
    else log.warning(sentence)
  }
}
