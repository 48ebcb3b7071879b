import { type ContentKeys, cacheTagsOf } from '../cache/key-tags.ts'
import { imageLabels, keysLabel, nameOfEngine } from '../cache/keys-label.ts'
import { type ReadKeys, readContentKeys } from '../cache/read-keys.ts'
import { whyEngineGone } from '../docker/errors.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import type { Run } from '../plan/run-context.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import { describeUnreadable } from '../registry/client-words.ts'
import { describeOrigin, describeStep, judgeMisses } from '../result/cache-verdict.ts'
import {
  type Build,
  buildsOf,
  emptyResult,
  type Failure,
  failureOfError,
  type RunResult,
  type TestResult
} from '../result/result.ts'
import { createStrategy } from '../strategy/create-strategy.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { type CacheSource, CacheSources, type Caches } from './cache-sources.ts'
import { explain } from './explain.ts'
import { BUILT_ON_LABEL, hashOfImages, hasMoved, hasOlderResults } from './older-results.ts'
import { Prefetch } from './prefetch.ts'
import { whichMoved, writeCacheTags } from './publish/cache-tags.ts'
import { publish, tagUnchanged } from './publish/publish.ts'
import { pullSize } from './publish/pull-size.ts'
import { testedTags, writeTestedTags } from './publish/tested-tags.ts'
import { findPassedTests, findUnchanged } from './reuse.ts'
import { runTests } from './test.ts'

/**
 * Runs the phases in order: the builder stage, after the cache stages that it needs; then the tests, concurrently with the other
 * builds; then, if all of them succeeded, the pushes. The result includes failures and a cancellation.
 */
export async function runPipeline(run: Run): Promise<RunResult> {
  const result = emptyResult()
  const strategy = createStrategy(run)
  try {
    await runPhases(run, strategy, result)
  } catch (error) {
    result.cancelled = error instanceof CancelledError
    result.failures.push(failureOfError(error))
  } finally {
    // first, because the strategy may be waiting for a registry
    await run.registry.end()
    await strategy.end()
  }
  // each failure that a stopped engine caused has another message
  const gone = result.failures.length > 0 && !result.cancelled ? await whyEngineGone(run.docker) : undefined
  if (gone !== undefined) result.failures.unshift({ kind: 'engine-gone', message: gone })
  return result
}

async function runPhases(run: Run, strategy: Strategy, result: RunResult): Promise<void> {
  const { decision, inputs } = run.plan
  const read = await findKeys(run)
  if (inputs.skipUnchangedTests && (await reuseAll(run, read.keys, result))) return
  const caches = { ...read, sources: new CacheSources(run, read.keys) }
  caches.sources.start(({ reference }) => strategy.fetch(reference))
  const prefetch = new Prefetch(run, caches)
  prefetch.start()
  try {
    await buildAndTest(run, { strategy, caches, prefetch }, result)
  } finally {
    await prefetch.end()
  }
  // after a cancellation, some tests may not have ended
  if (run.signal.aborted) throw new CancelledError()
  for (const miss of buildsOf(result).flatMap(({ misses = [] }) => misses)) {
    run.log.info(`Cache miss in stage ${miss.stage} at ${describeStep(miss)}. ${miss.reason}`)
  }
  const verdict = judgeMisses(result, inputs.expectCache, decision.publish)
  result.failures.push(...verdict.failures.map(({ stage }): Failure => ({ kind: 'miss', stage })))
  if (!decision.push) return
  if (result.failures.length > 0) {
    // the run that mends the failure must not build the same again
    await addCacheTags(run, caches, result, new Map())
    if (run.signal.aborted) throw new CancelledError()
    return
  }

  const { publication, digests, pullSize: size } = await publish(run, buildsOf(result), result.tests)
  result.publication = publication
  if (size) result.pullSize = size
  result.failures.push(...publication.failures)
  if (publication.failures.length === 0) await addCacheTags(run, caches, result, digests)
  if (run.signal.aborted) throw new CancelledError()
}

/** Computes the content keys; without them only the moving tags serve as cache sources. */
async function findKeys(run: Run): Promise<ReadKeys> {
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

/** Adds the cache tags of all built images and, if everything passed, the tested tags. */
async function addCacheTags(run: Run, caches: Caches, result: RunResult, digests: Map<string, string>): Promise<void> {
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

/** The objects that the builds of a run share. */
interface Building {
  strategy: Strategy
  caches: Caches
  prefetch: Prefetch
}

async function buildAndTest(run: Run, building: Building, result: RunResult): Promise<void> {
  const { prefetch } = building
  const [untilBuilder, afterBuilder] = splitAtBuilder(run.plan.builds)
  result.failures.push(...(await buildAll(run, building, result, untilBuilder)))
  if (result.failures.length > 0) return explainAll(run, building.caches, result)
  const buildOthers = async (): Promise<Failure[]> => {
    // the prefetch may share base images with these builds, and concurrent solves must not share anything
    await run.timeline.measure('wait', 'Wait for the prefetch', () => prefetch.wait())
    const failures = await buildAll(run, building, result, afterBuilder)
    await explainAll(run, building.caches, result)
    return failures
  }
  const [tests, others] = await Promise.allSettled([testUnlessPassed(run, building, result), buildOthers()])
  if (tests.status === 'rejected') throw tests.reason
  result.tests = tests.value
  result.failures.push(
    ...result.tests.flatMap(({ failure }, index): Failure[] => (failure === undefined ? [] : [{ kind: 'test', index }]))
  )
  if (others.status === 'rejected') throw others.reason
  result.failures.push(...others.value)
}

/** @returns whether nothing needs to be built, tested or promoted: then the published image gets the tags of the commit */
async function reuseAll(run: Run, keys: ContentKeys, result: RunResult): Promise<boolean> {
  const { log, timeline, plan } = run
  const found = await timeline.measure('look', 'Look for changes', () => findUnchanged(run, keys))
  if (found.why !== undefined) {
    log.info(`Running a full build: ${found.why}.`)
    return false
  }
  const { unchanged, tests } = found
  log.info(
    `Nothing has changed since commit ${unchanged.commit}: this run tags its image ${unchanged.image}, and builds and tests nothing.`
  )
  sayNoReports(run)
  result.unchanged = unchanged
  result.tests = tests
  if (plan.decision.push) {
    const { manifest } = (await run.registry.published(plan.refs.movingProduction)).image ?? {}
    // a host with this image has all of its layers
    if (manifest) result.pullSize = pullSize(manifest, manifest, plan.refs.movingProduction)
    result.publication = await tagUnchanged(run, unchanged, imagesByMovingTag(plan, keys))
    result.failures.push(...result.publication.failures)
    if (run.signal.aborted) throw new CancelledError()
  }
  return true
}

/** Returns, by the moving tag of each stage but production, the cache tag of the image of this run's content. */
function imagesByMovingTag({ builds, inputs }: Run['plan'], keys: ContentKeys): Map<string, string> {
  return new Map(
    builds.flatMap((stage): [string, string][] => {
      const [longest] = cacheTagsOf(inputs.image, stage, keys)
      if (stage.moving === undefined || stage.kind === 'production' || longest === undefined) return []
      return [[stage.moving, longest]]
    })
  )
}

/** The reports of earlier tests are not kept. */
function sayNoReports({ plan, log }: Pick<Run, 'plan' | 'log'>): void {
  if (plan.inputs.testReports.length > 0) log.info('There are no test reports, because the tests did not run.')
}

async function testUnlessPassed(
  run: Run,
  { strategy, caches }: Building,
  { builder }: RunResult
): Promise<TestResult[]> {
  const passed = builder && (await findPassedTests(run, strategy, builder, caches.keys))
  if (!passed) return runTests(run)
  run.log.info(`Skipping the tests: they passed for commit ${passed[0]?.passedFor} in the same builder image.`)
  sayNoReports(run)
  return passed
}

async function explainAll(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'changesSince' | 'log' | 'timeline'>,
  caches: Caches,
  result: RunResult
): Promise<void> {
  const work = run.timeline.measure('look', 'Explain', () => explain(run, caches, buildsOf(result)))
  await work.catch((error: unknown) => {
    if (error instanceof CancelledError) throw error
    // a missing explanation must not fail the run
    run.log.warning(`Cannot explain the cache misses: ${messageOf(error)}`)
  })
}

/**
 * Builds one stage after the other: concurrent solves that share steps cause random cache misses in BuildKit.
 *
 * @returns the failure, after which it builds nothing more
 */
async function buildAll(
  run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>,
  building: Building,
  result: RunResult,
  builds: Run['plan']['builds']
): Promise<Failure[]> {
  for (const stage of builds) {
    const build = await buildOne(run, building, stage)
    if (build.kind === 'cache') result.cacheStages.push(build)
    else result[build.kind] = build
    warnOfCaches(run, build)
    if (build.failure !== undefined) return [{ kind: 'build', image: build.image }]
  }
  return []
}

async function buildOne(
  run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>,
  { strategy, caches: { keys, digests, sources } }: Building,
  stage: StageBuild
): Promise<Build> {
  const { plan, timeline } = run
  const source = await timeline.measure('wait', 'Wait for the cache source', () => sources.of(stage))
  tellSource(run, stage, source)
  // with a rewritten Dockerfile, every build starts from the images anyway
  const builtOn = plan.strategy.capabilities.replacesStages ? '' : await hashOfImages(run, stage)
  const startFromImages = await hasOlderResults(run, stage, source.reference, builtOn, keys)
  if (startFromImages) {
    run.log.info(
      `${source.reference} was built on other images than those of this run, or nobody knows on which: ${stage.reference} starts from the images of this run`
    )
  }
  const labels = [
    ...stage.labels,
    keysLabel(stage, keys, nameOfEngine(plan.engine)),
    ...imageLabels(stage, digests),
    ...(builtOn ? [`${BUILT_ON_LABEL}=${builtOn}`] : [])
  ]
  const solve = (fromImages: boolean): Promise<Build> =>
    strategy.build({ ...stage, labels }, { cacheSource: source.reference, startFromImages: fromImages })
  let build = await solve(startFromImages)
  const moved = !startFromImages && builtOn !== '' && (await hasMoved(run, source.reference, build))
  if (moved) {
    run.log.info(
      `${source.reference} may have moved during the build: ${stage.reference} is built once more, from the images of this run`
    )
    const { seconds } = build
    build = await solve(true)
    build.seconds += seconds
  }
  if (source.origin) build.cacheOrigin = source.origin
  // the image of the tag has other results than this run, or BuildKit could not use it; nothing is known of one that moved
  const isUnused = source.isWhole === true && build.steps.some(({ cached }) => !cached)
  if (startFromImages || (isUnused && !moved)) sources.reject(source.reference)
  return build
}

function tellSource({ log }: Pick<Run, 'log'>, { name }: StageBuild, { reference, origin }: CacheSource): void {
  if (origin) log.info(`Cache source of stage ${name}: ${describeOrigin(origin)} (${reference})`)
}

function warnOfCaches({ log }: Pick<Run, 'log'>, build: Build): void {
  for (const { reference, failure } of build.unreadableCaches) {
    const sentence = describeUnreadable(reference, failure)
    if (sentence === undefined) log.info(`${reference} does not exist yet: nothing to reuse`)
    else log.warning(sentence)
  }
}
