import { missingRecords, whyNoCache } from '../cache/image.ts'
import { replayable } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
import { CancelledError } from '../errors.ts'
import { cacheTagOf } from '../plan.ts'
import { describeFailedPush } from '../registry-error.ts'
import { type Build, type Publication, type Run, secondsSince } from '../run.ts'
import type { StageBuild } from '../stage-build.ts'
import type { Strategy } from '../strategy/strategy.ts'

/**
 * Pushes the commit's tag first, then the further tags, and the moving tags last: whatever a moving tag names can also be
 * had by its commit. Pushes that need no order overlap. After a failure or a cancellation nothing further is pushed.
 *
 * Before a moving tag moves, the image is looked at in the registry: one that cannot serve as a cache replaces none that can.
 */
export async function publish(run: Run, strategy: Strategy, builds: readonly Build[]): Promise<Publication> {
  const { refs, decision, builds: stageBuilds } = run.plan
  const start = performance.now()
  const publication: Publication = { pushed: [], published: false, digest: '', held: [], seconds: 0, failures: [] }
  const candidates = stageBuilds.flatMap(({ candidate }) => candidate ?? [])
  const digests = new Map<string, string>()
  await pushAll(run, publication, [refs.production], digests)
  publication.digest = digests.get(refs.production) ?? ''
  if (mayGoOn(run, publication)) await pushAll(run, publication, [...refs.further, ...candidates], digests)
  // they are ours alone, and of no use to anyone who reads what was pushed
  publication.pushed = publication.pushed.filter((reference) => !candidates.includes(reference))
  if (decision.publish && mayGoOn(run, publication)) {
    const moving = await findMoving(run, strategy, builds, digests, publication)
    await pushAll(run, publication, moving, digests)
    publication.published =
      publication.pushed.includes(refs.movingProduction) && moving.every((ref) => publication.pushed.includes(ref))
  }
  publication.seconds = secondsSince(start)
  return publication
}

function mayGoOn({ signal }: Run, { failures }: Publication): boolean {
  return failures.length === 0 && !signal.aborted
}

/** Pushes at the same time, and collects the digests by reference. */
async function pushAll(
  run: Run,
  publication: Publication,
  references: string[],
  digests: Map<string, string>
): Promise<void> {
  const pushes = await Promise.allSettled(references.map((reference) => push(run, reference)))
  for (const [index, outcome] of pushes.entries()) {
    if (outcome.status === 'rejected') {
      if (outcome.reason instanceof CancelledError) continue
      throw outcome.reason
    }
    const { failure, digest } = outcome.value
    const reference = references[index] ?? ''
    if (failure !== undefined) publication.failures.push(failure)
    else publication.pushed.push(reference)
    if (digest !== '') digests.set(reference, digest)
  }
}

/** The moving tags that may move. */
async function findMoving(
  run: Run,
  strategy: Strategy,
  builds: readonly Build[],
  digests: ReadonlyMap<string, string>,
  publication: Publication
): Promise<string[]> {
  const judged = await Promise.all(
    run.plan.builds.map(async (stage) => {
      const build = builds.find(({ image }) => image === stage.reference)
      const digest = digests.get(stage.candidate ?? stage.reference)
      const why = build && stage.moving !== undefined ? await whyWorse(run, strategy, stage, build, digest) : undefined
      const held = build && why !== undefined ? await hold(run, stage, build.cacheSource, why) : undefined
      return { stage, held }
    })
  )
  publication.held = judged.flatMap(({ held }) => held ?? [])
  for (const { reason } of publication.held) run.log.warning(reason)
  // production moves all the same: hosts deploy it
  return judged.flatMap(({ stage, held }) => (held && stage.kind !== 'production' ? [] : (stage.moving ?? [])))
}

/** Why the image that was pushed is a worse cache than the one that is published; undefined if it is not. */
async function whyWorse(
  run: Run,
  strategy: Strategy,
  stage: StageBuild,
  { steps, cacheSource }: Build,
  digest: string | undefined
): Promise<string | undefined> {
  // the legacy builder needs no metadata
  if (run.plan.strategy.client !== 'buildx' || digest === undefined) return undefined
  const repository = run.plan.inputs.image
  const { image, error } = await strategy.readPublished(`${repository}@${digest}`)
  if (error !== undefined) {
    run.log.warning(
      `What was pushed as ${stage.reference} could not be looked at, so nobody knows whether it can serve as a cache (${error})`
    )
    return undefined
  }
  const why = whyNoCache(image, stage)
  if (why === undefined) return undefined
  const published = (await strategy.readPublished(cacheSource)).image
  const cached = steps.filter((step) => step.cached).length
  // a run from the published one executes what this run executed, a run from the new one what this run found cached
  if (missingRecords(image, stage) <= missingRecords(published, stage) || cached < steps.length - cached) {
    run.log.warning(`The next run will build stage ${stage.name} again: of ${stage.reference} ${why}`)
    return undefined
  }
  return why
}

/** Keeps the cache that is published as `cacheSource`. */
async function hold(
  run: Run,
  stage: StageBuild,
  cacheSource: string,
  why: string
): Promise<Publication['held'][number]> {
  const { refs } = run.plan
  const reference = stage.moving ?? ''
  if (stage.kind !== 'production') {
    return {
      reference,
      reason: `${reference} was left where it is, because the new image would be a worse cache: ${why}`
    }
  }
  const kept = cacheTagOf(refs.movingProduction)
  const reason = `${reference} moves, but would be a worse cache than before (${why}), so the next run takes ${kept}`
  if (cacheSource === kept) return { reference, reason }
  const args = ['buildx', 'imagetools', 'create', '--tag', kept, refs.movingProduction]
  const { exitCode, stderr } = await run.docker.call(args, { signal: run.signal })
  if (exitCode === 0) return { reference, reason }
  return {
    reference,
    reason: `${reference} moves, although it is a worse cache than before (${why}): ${kept} could not be written (${lastLine(stderr)})`
  }
}

async function push({ docker, log, signal }: Run, reference: string): Promise<{ digest: string; failure?: string }> {
  const args = ['push', reference]
  const section = log.section(`Push ${reference}`)
  section.write(`${replayable(args)}\n`)
  try {
    const { exitCode, stdout, stderr } = await docker.call(args, {
      signal,
      onOutput: (chunk) => section.write(chunk)
    })
    // the engine's own last line, the same since Docker 1.6 (moby/moby daemon/internal/distribution/push_v2.go)
    const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(stdout)?.[1] ?? ''
    if (exitCode === 0) return { digest }
    return { digest: '', failure: describeFailedPush(reference, lastLine(stderr) || `exit code ${exitCode}`) }
  } finally {
    section.end()
  }
}
