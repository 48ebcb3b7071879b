import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ContentKeys } from '../cache/key-tags.ts'
import { failureOf } from '../docker/errors.ts'
import { callInSection } from '../docker/transfer.ts'
import { CancelledError } from '../lib/errors.ts'
import { isRefreshing } from '../plan/no-cache.ts'
import type { Run } from '../plan/run-context.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import { ARCHIVE_FILE, type HandedImage, type Transport } from '../result/hand-off.ts'
import { buildsOf, type Failure, type RunResult } from '../result/result.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { buildAll } from './build.ts'
import { CacheSources } from './cache-sources.ts'
import { explainAll } from './explain.ts'
import { addCacheTags, findKeys, findPassed, judge } from './phases.ts'
import { Pushes } from './publish/push.ts'
import { whyOther, whyTaken } from './publish/verify.ts'
import { findUnchanged } from './reuse.ts'
import { runPhases } from './run-phases.ts'

/** Where a run puts what it hands to other machines. */
export interface HandOnTarget {
  transport: Transport
  /** Path of an existing folder. */
  folder: string
}

/** Builds up to the builder stage, and hands the images to the machines that test and publish: through the registry, or in an archive. */
export function buildForOthers(run: Run, target: HandOnTarget): Promise<RunResult> {
  const [builds] = splitAtBuilder(run.plan.builds)
  // what follows the builder stage is none of this machine's work, and nothing of it is in its engine
  const own = { ...run, plan: { ...run.plan, builds } }
  return runPhases(own, (strategy, result) => buildAndHandOn(own, strategy, result, target))
}

async function buildAndHandOn(run: Run, strategy: Strategy, result: RunResult, target: HandOnTarget): Promise<void> {
  const { plan, log, timeline } = run
  const read = await findKeys(run)
  const { transport, folder } = target
  if (plan.inputs.skipUnchangedTests && !isRefreshing(plan.inputs)) {
    const found = await timeline.measure('look', 'Look for changes', () => findUnchanged(run, read.keys))
    if (found.why === undefined) {
      log.info(`Nothing has changed since commit ${found.unchanged.commit}: publish only tags its image.`)
      result.unchanged = found.unchanged
      result.handedOn = { transport, digest: '', images: [], tests: [], folder }
      return
    }
    log.info(`Running a full build: ${found.why}.`)
  }
  const caches = { ...read, sources: new CacheSources(run, read.keys, read.inEngine) }
  caches.sources.start(plan.builds, ({ reference }) => strategy.fetch(reference))
  const building = { strategy, caches }
  result.failures.push(...(await buildAll(run, building, result, plan.builds)))
  await explainAll(run, caches, buildsOf(result))
  judge(run, result)
  if (result.failures.length > 0) {
    // the run that mends the failure must not build the same again
    if (plan.decision.push) await addCacheTags(run, caches, result, new Map())
    return
  }
  const passed = await findPassed(run, building, result)
  if (passed) result.tests = passed
  const tests = passed ? [] : plan.inputs.tests.map((_, index) => index)
  const digests = new Map<string, string>()
  const images =
    transport === 'registry' ? await pushAll(run, result, caches.keys, digests) : await saveAll(run, folder, result)
  // the cache tags of a build also serve if its tests fail
  if (plan.decision.push && result.failures.length === 0) await addCacheTags(run, caches, result, digests)
  if (run.signal.aborted) throw new CancelledError()
  if (result.failures.length > 0) return
  const digest =
    transport === 'registry'
      ? (images.at(-1)?.digest ?? '')
      : await digestOfFile(join(folder, ARCHIVE_FILE), run.signal)
  result.handedOn = { transport, digest, images, tests, folder }
}

/** Returns the name under which an image is handed on: that of a stage which is also published is its name as a builder image. */
export function handedName({ refs }: Pick<Run['plan'], 'refs'>, { kind, reference }: StageBuild): string {
  return kind === 'production' ? refs.builder : reference
}

/** Pushes the images by names that no build uses as its cache source. */
async function pushAll(
  run: Run,
  result: RunResult,
  keys: ContentKeys,
  digests: Map<string, string>
): Promise<HandedImage[]> {
  const { plan } = run
  const builds = buildsOf(result)
  const taken = await whyTaken(run, plan.builds, builds, [])
  if (taken !== undefined) {
    result.failures.push(taken)
    return []
  }
  const pushes = new Pushes(run, keys)
  const images: HandedImage[] = []
  // one after the other: the engine uploads layers that two images share only once
  for (const stage of plan.builds) {
    const reference = handedName(plan, stage)
    await pushes.push(reference)
    const digest = pushes.digests.get(reference) ?? ''
    if (!pushes.mayGoOn()) break
    const build = builds.find(({ image }) => image === stage.reference)
    const other = digest === '' || build === undefined ? undefined : await whyOther(run, reference, digest, build)
    if (other !== undefined) pushes.failures.push(other)
    else if (digest === '') {
      pushes.failures.push({
        kind: 'error',
        message: `Docker reported no digest of ${reference}; set the input transport to artifact`
      })
    }
    images.push({ reference, digest })
    digests.set(stage.reference, digest)
  }
  result.failures.push(...pushes.failures.map(describePush))
  return images
}

/** A hand-off tag moves if all jobs run again, which is no reason to let other tags move. */
function describePush(failure: Failure): Failure {
  if (failure.kind !== 'push' || failure.failure.kind !== 'immutable') return failure
  const message = `${failure.reference} cannot be pushed again, because the registry does not let this tag change: exclude hand-off tags from the immutable tags of this repository, or set the input transport to artifact (${failure.failure.message})`
  return { kind: 'error', message }
}

/** Writes all images to the archive. */
async function saveAll(run: Run, folder: string, result: RunResult): Promise<HandedImage[]> {
  const references = run.plan.builds.map((stage) => handedName(run.plan, stage))
  const args = ['save', '--output', join(folder, ARCHIVE_FILE), ...references]
  const failure = failureOf(await callInSection(run, 'publish', 'Save the images', args, run.signal))
  if (failure !== undefined) {
    result.failures.push({ kind: 'error', message: `The images could not be written to an archive (${failure})` })
  }
  return references.map((reference) => ({ reference, digest: '' }))
}

/**
 * Returns the SHA-256 of a file: `sha256:…`.
 *
 * @throws CancelledError
 */
export async function digestOfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path), hash, { signal })
  } catch (error) {
    throw signal.aborted ? new CancelledError() : error
  }
  return `sha256:${hash.digest('hex')}`
}
