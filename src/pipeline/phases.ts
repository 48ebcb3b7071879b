import type { LimitFunction } from 'p-limit'
import { type ReadKeys, readContentKeys } from '../cache/read-keys.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import type { Run } from '../plan/run-context.ts'
import { splitAtBuilder } from '../plan/stage-builds.ts'
import { describeStep, judgeMisses } from '../result/cache-verdict.ts'
import { buildsOf, type Failure, type RunResult, type TestResult } from '../result/result.ts'
import { type Building, buildAll } from './build.ts'
import type { Caches } from './cache-sources.ts'
import { runChecks } from './check.ts'
import { explainAll } from './explain.ts'
import type { Prefetch } from './prefetch.ts'
import { whichMoved, writeCacheTags } from './publish/cache-tags.ts'
import { warnOfReplacement } from './publish/promote.ts'
import { publish } from './publish/publish.ts'
import { testedTags, writeTestedTags } from './publish/tested-tags.ts'
import { findPassedTests } from './reuse.ts'
import { sayNoReports } from './reuse-all.ts'
import { suitesOf } from './suites.ts'
import { runTests } from './test.ts'

/** Computes the content keys; without them only the moving tags serve as cache sources. */
export async function findKeys(run: Run): Promise<ReadKeys> {
  try {
    return await run.timeline.measure('prepare', 'Content keys', () => readContentKeys(run))
  } catch (error) {
    if (error instanceof CancelledError || run.signal.aborted) throw new CancelledError()
    run.log.warning(
      `Cannot compute the content keys, so only the moving tags serve as cache sources: ${messageOf(error)}`
    )
    return { keys: new Map(), digests: new Map() }
  }
}

/** Returns the results of an earlier run of the same tests in the same builder image, if they may serve; undefined otherwise. */
export async function findPassed(
  run: Run,
  { strategy, caches }: Building,
  { builder, production }: RunResult
): Promise<TestResult[] | undefined> {
  // a builder stage that is published is the production stage
  const tested = builder ?? production
  const passed = tested && (await findPassedTests(run, strategy, tested, caches.keys))
  if (!passed) return undefined
  run.log.info(`Skipping the tests: they passed for commit ${passed[0]?.passedFor} in the same builder image.`)
  sayNoReports(run)
  return passed
}

/** Builds what follows the builder stage, then tests production. */
export async function buildAndTestOthers(
  run: Run,
  building: Building & { prefetch: Prefetch },
  result: RunResult,
  limit: LimitFunction
): Promise<{ tests: TestResult[]; failures: Failure[] }> {
  const [, afterBuilder] = splitAtBuilder(run.plan.builds)
  // the prefetch may share base images with these builds, and concurrent solves must not share anything
  await run.timeline.measure('wait', 'Wait for the prefetch', () => building.prefetch.wait())
  const failures = await buildAll(run, building, result, afterBuilder)
  const test = async (): Promise<TestResult[]> => {
    if (failures.length > 0) return []
    const { production } = suitesOf(run.plan)
    return (await Promise.all([runTests(run, production, limit), runChecks(run)])).flat()
  }
  const unexplained = buildsOf(result).filter(({ misses }) => misses === undefined)
  const [tests] = await Promise.all([test(), explainAll(run, building.caches, unexplained)])
  return { tests, failures }
}

/** Returns a failure for each test that did not pass. */
export function failuresOf(tests: readonly TestResult[]): Failure[] {
  return tests.flatMap(({ failure }, index): Failure[] => (failure === undefined ? [] : [{ kind: 'test', index }]))
}

/** Logs the cache misses, and adds those that the input `expect-cache` makes failures. */
export function judge({ plan, log }: Pick<Run, 'plan' | 'log'>, result: RunResult): void {
  for (const miss of buildsOf(result).flatMap(({ misses = [] }) => misses)) {
    log.info(`Cache miss in stage ${miss.stage} at ${describeStep(miss)}. ${miss.reason}`)
  }
  const verdict = judgeMisses(result, plan.inputs.expectCache, plan.decision.publish)
  result.failures.push(...verdict.failures.map(({ stage }): Failure => ({ kind: 'miss', stage })))
}

/**
 * Pushes the images if everything has succeeded; otherwise only cache tags.
 *
 * @param handed digests of images that another machine has pushed, by reference in the engine; '' if unknown
 */
export async function publishAll(
  run: Run,
  caches: Caches,
  result: RunResult,
  handed: ReadonlyMap<string, string> = new Map()
): Promise<void> {
  if (!run.plan.decision.push) return
  if (result.failures.length > 0) {
    // the run that mends the failure must not build the same again
    await addCacheTags(run, caches, result, new Map(handed))
    if (run.signal.aborted) throw new CancelledError()
    return
  }

  const { publication, digests, pullSize: size } = await publish(run, buildsOf(result), result.tests, caches.keys)
  result.publication = publication
  if (size) result.pullSize = size
  result.failures.push(...publication.failures)
  for (const [reference, digest] of handed) if (!digests.get(reference)) digests.set(reference, digest)
  if (publication.failures.length === 0) await addCacheTags(run, caches, result, digests)
  // as late as possible: a concurrent run may end after this one
  if (publication.failures.length === 0) await warnOfReplacement(run, publication.digest)
  if (run.signal.aborted) throw new CancelledError()
}

/** Adds the cache tags of all built images and, if everything passed, the tested tags. */
export async function addCacheTags(
  run: Run,
  caches: Caches,
  result: RunResult,
  digests: Map<string, string>
): Promise<void> {
  const builds = buildsOf(result)
  const moved = whichMoved(builds, caches)
  if (moved !== undefined) {
    run.log.info(`No cache tags: the base image ${moved} moved during the run`)
    return
  }
  await run.timeline.measure('publish', 'Cache tags', async () => {
    result.cacheTags.push(...(await writeCacheTags(run, builds, caches, digests)))
    if (result.failures.length > 0 || run.signal.aborted) return
    const tested = { builds, tests: result.tests, digests }
    result.cacheTags.push(...(await writeTestedTags(run, tested, testedTags(run.plan, caches.keys), caches)))
  })
  if (result.cacheTags.length > 0) run.log.info(`Added the cache tags ${result.cacheTags.join(', ')}`)
}
