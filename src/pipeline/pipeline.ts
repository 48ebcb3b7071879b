import { CancelledError } from '../lib/errors.ts'
import { isRefreshing } from '../plan/no-cache.ts'
import type { Run } from '../plan/run-context.ts'
import { splitAtBuilder } from '../plan/stage-builds.ts'
import { buildsOf, type RunResult, type TestResult } from '../result/result.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { type Building, buildAll } from './build.ts'
import { CacheSources } from './cache-sources.ts'
import { explainAll } from './explain.ts'
import { buildAndTestOthers, failuresOf, findKeys, findPassed, judge, publishAll } from './phases.ts'
import { Prefetch } from './prefetch.ts'
import { reuseAll } from './reuse-all.ts'
import { runPhases } from './run-phases.ts'
import { limitOf, suitesOf } from './suites.ts'
import { runTests } from './test.ts'

/**
 * Does the whole job, phase after phase: the builder stage, after the cache stages that it needs; then the tests, concurrently
 * with the other builds; then, if all of them succeeded, the pushes.
 */
export function runPipeline(run: Run): Promise<RunResult> {
  return runPhases(run, (strategy, result) => doAll(run, strategy, result))
}

async function doAll(run: Run, strategy: Strategy, result: RunResult): Promise<void> {
  const read = await findKeys(run)
  const { inputs } = run.plan
  if (inputs.skipUnchangedTests && !isRefreshing(inputs) && (await reuseAll(run, read.keys, result))) return
  const caches = { ...read, sources: new CacheSources(run, read.keys, read.inEngine) }
  caches.sources.start(run.plan.builds, ({ reference }) => strategy.fetch(reference))
  const prefetch = new Prefetch(run, caches)
  prefetch.start()
  try {
    await buildAndTest(run, { strategy, caches, prefetch }, result)
  } finally {
    await prefetch.end()
  }
  // after a cancellation, some tests may not have ended
  if (run.signal.aborted) throw new CancelledError()
  judge(run, result)
  await publishAll(run, caches, result)
}

async function buildAndTest(run: Run, building: Building & { prefetch: Prefetch }, result: RunResult): Promise<void> {
  const [untilBuilder] = splitAtBuilder(run.plan.builds)
  result.failures.push(...(await buildAll(run, building, result, untilBuilder)))
  if (result.failures.length > 0) return explainAll(run, building.caches, buildsOf(result))
  const limit = limitOf(run.plan.inputs)
  const testBuilder = async (): Promise<TestResult[]> =>
    (await findPassed(run, building, result)) ?? runTests(run, suitesOf(run.plan).builder, limit)
  const [tests, others] = await Promise.allSettled([testBuilder(), buildAndTestOthers(run, building, result, limit)])
  if (tests.status === 'rejected') throw tests.reason
  const ofOthers = others.status === 'fulfilled' ? others.value : { tests: [], failures: [] }
  result.tests = [...tests.value, ...ofOthers.tests]
  result.failures.push(...failuresOf(result.tests))
  if (others.status === 'rejected') throw others.reason
  result.failures.push(...ofOthers.failures)
}
