import type { ContentKeys } from '../cache/key-tags.ts'
import { CancelledError, UserError } from '../lib/errors.ts'
import { fingerprintOfTest } from '../plan/fingerprints.ts'
import type { Run } from '../plan/run-context.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import { inspectInEngine } from '../registry/client-images.ts'
import { type HandedResult, type HandOff, imagesOf } from '../result/hand-off.ts'
import { type Expected, judgeResults, type ReadResult } from '../result/judge-results.ts'
import type { Build, Machine, RunResult } from '../result/result.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { CacheSources } from './cache-sources.ts'
import { handedName } from './hand-on.ts'
import { buildAndTestOthers, failuresOf, findKeys, findPassed, judge, publishAll } from './phases.ts'
import { Prefetch } from './prefetch.ts'
import { reuseAll } from './reuse-all.ts'
import { runPhases } from './run-phases.ts'
import { limitOf } from './suites.ts'
import { fetchHanded, idInEngine, setName, whyOtherContent, whyOtherPlan } from './take-over.ts'

/** What other machines have handed to the one that publishes. */
export interface Handed {
  handOff: HandOff
  results: ReadResult[]
  /** Path of the folder with the hand-off. */
  folder: string
  /** GITHUB_RUN_ID of this run; '' outside GitHub. */
  runId: string
}

/**
 * Builds production from the images that another machine built and further ones tested, and publishes it. What it builds, and
 * which tests must have passed, it knows from its own checkout and inputs: the hand-off only has to agree.
 */
export function publishHanded(run: Run, handed: Handed): Promise<RunResult> {
  return runPhases(run, (strategy, result) => takeOverAndPublish(run, strategy, result, handed))
}

async function takeOverAndPublish(run: Run, strategy: Strategy, result: RunResult, handed: Handed): Promise<void> {
  const { plan } = run
  const { handOff, results } = handed
  const [untilBuilder, afterBuilder] = splitAtBuilder(plan.builds)
  const names = untilBuilder.map((stage) => handedName(plan, stage))
  const why = whyOtherPlan(plan, handOff, names, handed.runId)
  if (why !== undefined) {
    throw new UserError(
      `The hand-off is not of this run: ${why}; hand over what build made in this run, and give build and publish the same inputs and the same checkout`
    )
  }
  result.machines = machinesOf(handOff, [])
  const read = await findKeys(run)
  if (handOff.digest === '') {
    // of anything else, the results of this run's own tests count
    if (plan.inputs.skipUnchangedTests && (await reuseAll(run, read.keys, result))) return
    throw new UserError(
      'The hand-off has no images, because an earlier run had built and tested the same content, and that cannot be found in the registry now; run all jobs again'
    )
  }
  const caches = { ...read, sources: new CacheSources(run, read.keys, read.inEngine) }
  caches.sources.start(afterBuilder, ({ reference }) => strategy.fetch(reference))
  const prefetch = new Prefetch(run, caches)
  const building = { strategy, caches, prefetch, startFromImages: true }
  if (handOff.tests.length > 0 || plan.inputs.tests.length === 0) {
    const { tests, judged, problems } = judgeResults(expectedOf(plan, handOff), results)
    result.tests = tests
    result.machines = machinesOf(handOff, judged)
    result.failures.push(...problems.map((message) => ({ kind: 'error', message }) as const), ...failuresOf(tests))
    // nothing is built of what must not be published
    if (result.failures.length > 0) return
  }
  prefetch.start()
  try {
    await run.timeline.measure('fetch', 'Take over the images', () => takeOver(run, result, handed, read.keys))
    if (handOff.tests.length === 0 && plan.inputs.tests.length > 0) {
      result.tests = (await findPassed(run, building, result)) ?? notPassed()
    }
    const { tests, failures } = await buildAndTestOthers(run, building, result, limitOf(plan.inputs))
    result.tests.push(...tests)
    result.failures.push(...failuresOf(result.tests), ...failures)
  } finally {
    await prefetch.end()
  }
  if (run.signal.aborted) throw new CancelledError()
  judge(run, result)
  const digests = untilBuilder.map((stage, index) => [stage.reference, handOff.images[index]?.digest ?? ''] as const)
  await publishAll(run, caches, result, new Map(digests))
}

function notPassed(): never {
  throw new UserError(
    'The hand-off says that an earlier run has passed the tests in the same builder image, and the registry does not say so; run all jobs again'
  )
}

function expectedOf({ inputs, commit }: Run['plan'], handOff: HandOff): Expected {
  const tests = inputs.tests.map(({ command }, index) => ({ command, fingerprint: fingerprintOfTest(inputs, index) }))
  return { runId: handOff.runId, commit: commit.sha, images: imagesOf(handOff), tests }
}

/** Brings the images into the engine, checks them, and gives them all names that this run would have given them. */
async function takeOver(run: Run, result: RunResult, { handOff, folder }: Handed, keys: ContentKeys): Promise<void> {
  const { plan, docker, signal } = run
  const { platform, retries } = plan.inputs
  await fetchHanded({ ...run, platform, retries }, handOff, folder, handOff.images)
  const [untilBuilder] = splitAtBuilder(plan.builds)
  for (const stage of untilBuilder) {
    const name = handedName(plan, stage)
    const imageId = await idInEngine(run, name)
    const { image, failure } = await inspectInEngine(docker, name, signal)
    const why = failure ? failure.message : whyOtherContent(plan, stage, keys, image)
    if (why !== undefined) {
      throw new UserError(`${name}, which was handed on, cannot be published: ${why}; run all jobs again`)
    }
    for (const tag of [stage.reference, ...stage.tags].filter((one) => one !== name)) await setName(run, name, tag)
    const build = { ...buildOf(handOff, stage), imageId }
    if (build.kind === 'cache') result.cacheStages.push(build)
    else result[build.kind] = build
  }
}

/** Returns what the other machine tells of a build, which only the report and the choice between two caches need. */
function buildOf({ builds, image }: HandOff, stage: StageBuild): Build {
  const names = { kind: stage.kind, stage: stage.name, image: stage.reference }
  const unknown: Build = {
    ...names,
    cacheSource: stage.cacheSource,
    imageId: '',
    seconds: 0,
    steps: [],
    bases: [],
    unreadableCaches: []
  }
  // the other machine has shown the warnings
  const { warnings: _, ...told } =
    builds.find((one) => one.kind === stage.kind && one.image === stage.reference) ?? unknown
  const cacheSource = told.cacheSource.startsWith(`${image}:`) ? told.cacheSource : stage.cacheSource
  return { ...told, ...names, cacheSource }
}

/** Returns the other machines: that which built, and those of the results that count. One machine may have run several tests. */
function machinesOf({ startedAt, timeline }: HandOff, results: readonly HandedResult[]): Machine[] {
  const isSame = (a: HandedResult, b: HandedResult): boolean =>
    a.startedAt === b.startedAt && a.result.machine === b.result.machine
  const first = results.filter((one, index) => results.findIndex((other) => isSame(one, other)) === index)
  const tested = first.map((one) => {
    const all = results.filter((other) => isSame(one, other))
    // each file has what had ended by then
    const [longest = one] = all.toSorted((a, b) => b.timeline.length - a.timeline.length)
    const indices = all.map(({ index }) => index).toSorted((a, b) => a - b)
    return { name: `test ${indices.join(', ')}`, startedAt: one.startedAt, timeline: longest.timeline }
  })
  return [{ name: 'build', startedAt, timeline }, ...tested]
}
