import { whyEngineGone } from '../docker/errors.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import { splitAtBuilder } from '../plan/stage-builds.ts'
import { describeUnreadable } from '../registry/client-words.ts'
import { placeOfMiss } from '../report/annotations.ts'
import { describeStep, describeUnexpected, judgeMisses } from '../result/cache-verdict.ts'
import {
  type Build,
  buildsOf,
  describeFailedBuild,
  describeFailedTest,
  type Run,
  type RunResult,
  type TestResult
} from '../result/run.ts'
import { InlineStrategy } from '../strategy/inline.ts'
import { LegacyStrategy } from '../strategy/legacy.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { explain } from './explain.ts'
import { Prefetch } from './prefetch.ts'
import { publish, tagUnchanged } from './publish/publish.ts'
import { pullSize } from './publish/pull-size.ts'
import { findPassedTests, findUnchanged } from './reuse.ts'
import { runTests } from './test.ts'

/**
 * Runs the phases in their order: the builder, after the stages that it needs; then its tests beside the other builds; then,
 * if all of it went well, the pushes. What fails, and a cancellation, is part of the result.
 */
export async function runPipeline(run: Run): Promise<RunResult> {
  const result: RunResult = { cacheStages: [], tests: [], cancelled: false, failures: [] }
  const strategy: Strategy = run.plan.strategy.name === 'legacy' ? new LegacyStrategy(run) : new InlineStrategy(run)
  try {
    await runPhases(run, strategy, result)
  } catch (error) {
    result.cancelled = error instanceof CancelledError
    result.failures.push(messageOf(error))
  } finally {
    // first of all: what the strategy waits for may wait for a registry
    await run.registry.end()
    await strategy.end()
  }
  // whatever failed because of it says so in words of its own
  const gone = result.failures.length > 0 && !result.cancelled ? await whyEngineGone(run.docker) : undefined
  if (gone !== undefined) result.failures.unshift(`The Docker engine went away in the middle of the run (${gone})`)
  return result
}

async function runPhases(run: Run, strategy: Strategy, result: RunResult): Promise<void> {
  const { decision, inputs } = run.plan
  if (inputs.skipUnchangedTests && (await reuseAll(run, result))) return
  const prefetch = new Prefetch(run)
  try {
    await buildAndTest(run, strategy, result, prefetch)
  } finally {
    await prefetch.end()
  }
  // not all tests need have ended
  if (run.signal.aborted) throw new CancelledError()
  for (const miss of buildsOf(result).flatMap(({ misses = [] }) => misses)) {
    run.log.info(`Stage ${miss.stage} was executed from ${describeStep(miss)}. ${miss.reason}`)
  }
  const verdict = judgeMisses(result, inputs.expectCache, decision.publish)
  for (const miss of verdict.warnings) run.log.warning(describeUnexpected(miss), placeOfMiss(miss, run.plan.file))
  result.failures.push(...verdict.failures.map(describeUnexpected))
  if (result.failures.length > 0 || !decision.push) return

  const { publication, pullSize: size } = await publish(run, buildsOf(result), result.tests)
  result.publication = publication
  if (size) result.pullSize = size
  result.failures.push(...publication.failures)
  if (run.signal.aborted) throw new CancelledError()
}

async function buildAndTest(run: Run, strategy: Strategy, result: RunResult, prefetch: Prefetch): Promise<void> {
  const [untilBuilder, afterBuilder] = splitAtBuilder(run.plan.builds)
  result.failures.push(...(await buildAll(run, strategy, result, untilBuilder)))
  if (result.failures.length > 0) return explainAll(run, strategy, result)
  const buildOthers = async (): Promise<string[]> => {
    // it may have base images in common with them, and no two solves at once may have anything in common
    await run.timeline.measure('wait', 'Wait for what is fetched', () => prefetch.wait())
    const failures = await buildAll(run, strategy, result, afterBuilder)
    await explainAll(run, strategy, result)
    return failures
  }
  const [tests, others] = await Promise.allSettled([testUnlessPassed(run, strategy, result), buildOthers()])
  if (tests.status === 'rejected') throw tests.reason
  result.tests = tests.value
  result.failures.push(...result.tests.filter(({ failure }) => failure !== undefined).map(describeFailedTest))
  if (others.status === 'rejected') throw others.reason
  result.failures.push(...others.value)
}

/** @returns whether nothing needs to be built, tested or moved: what is published gets the tags of the commit */
async function reuseAll(run: Run, result: RunResult): Promise<boolean> {
  const { log, timeline, plan } = run
  const found = await timeline.measure('look', 'Look for changes', () => findUnchanged(run))
  if (found.why !== undefined) {
    log.info(`All is built, because ${found.why}.`)
    return false
  }
  const { unchanged, tests } = found
  log.info(
    `Nothing has changed since commit ${unchanged.commit}: its image ${unchanged.image} is this commit's, too. Nothing is built or tested.`
  )
  result.unchanged = unchanged
  result.tests = tests
  if (plan.decision.push) {
    const { manifest } = (await run.registry.published(plan.refs.movingProduction)).image ?? {}
    // a host that has it has all of it
    if (manifest) result.pullSize = pullSize(manifest, manifest, plan.refs.movingProduction)
    result.publication = await tagUnchanged(run, unchanged)
    result.failures.push(...result.publication.failures)
  }
  return true
}

async function testUnlessPassed(run: Run, strategy: Strategy, { builder }: RunResult): Promise<TestResult[]> {
  const passed = builder && (await findPassedTests(run, strategy, builder))
  if (!passed) return runTests(run)
  run.log.info(`The tests are not run: they passed for commit ${passed[0]?.passedFor} in the same builder image.`)
  return passed
}

async function explainAll(run: Run, strategy: Strategy, result: RunResult): Promise<void> {
  const work = run.timeline.measure('look', 'Explain', () => explain(run, strategy, buildsOf(result)))
  await work.catch((error: unknown) => {
    if (error instanceof CancelledError) throw error
    // an explanation is no reason to fail
    run.log.warning(`Why steps were not cached could not be found out: ${messageOf(error)}`)
  })
}

/**
 * One after the other: two solves at once that share steps make BuildKit miss at random.
 *
 * @returns what failed; nothing is built after that
 */
async function buildAll(
  run: Run,
  strategy: Strategy,
  result: RunResult,
  builds: Run['plan']['builds']
): Promise<string[]> {
  for (const stage of builds) {
    const build = await strategy.build(stage)
    if (build.kind === 'cache') result.cacheStages.push(build)
    else result[build.kind] = build
    warnOfCaches(run, build)
    if (build.failure !== undefined) return [describeFailedBuild(build)]
  }
  return []
}

function warnOfCaches({ log }: Run, build: Build): void {
  for (const { reference, failure } of build.unreadableCaches) {
    const sentence = describeUnreadable(reference, failure)
    if (sentence === undefined) log.info(`${reference} does not exist yet: nothing to reuse`)
    else log.warning(sentence)
  }
}
