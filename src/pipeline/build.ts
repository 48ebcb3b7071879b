import type { ContentKeys } from '../cache/key-tags.ts'
import { imageLabels, keysLabel, nameOfEngine } from '../cache/keys-label.ts'
import { startsFromRefreshed, usesCacheSource } from '../plan/no-cache.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { describeUnreadable } from '../registry/client-words.ts'
import { describeOrigin } from '../result/cache-verdict.ts'
import type { Build, Failure, RunResult } from '../result/result.ts'
import type { Strategy } from '../strategy/strategy.ts'
import type { CacheSource, Caches } from './cache-sources.ts'
import { countLocalHits } from './local-hits.ts'
import { BUILT_ON_LABEL, hashOfImages, hasMoved, hasOlderResults } from './older-results.ts'

/** The objects that the builds of a run share. */
export interface Building {
  strategy: Strategy
  caches: Caches
  /** Whether the images of the stages built before are of another machine: only they contain what was tested. */
  startFromImages?: boolean
}

/**
 * Builds one stage after the other: concurrent solves that share steps cause random cache misses in BuildKit.
 *
 * @returns the failure, after which it builds nothing more
 */
export async function buildAll(
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
  { strategy, caches: { keys, digests, sources }, startFromImages: isHanded = false }: Building,
  stage: StageBuild
): Promise<Build> {
  const { plan, timeline } = run
  const source = await timeline.measure('wait', 'Wait for the cache source', () => sources.of(stage))
  tellSource(run, stage, source)
  // with a rewritten Dockerfile, every build starts from the images anyway
  const builtOn = plan.strategy.capabilities.replacesStages ? '' : await hashOfImages(run, stage)
  const isCached = usesCacheSource(plan, stage)
  const isOlder = isCached && (await hasOlderResults(run, stage, source.reference, builtOn, keys))
  const startFromImages = isHanded || isOlder || startsFromRefreshed(plan, stage)
  if (isOlder) {
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
  const options = { cacheSource: source.reference, ...(source.readAs && { readAs: source.readAs }) }
  const solve = (fromImages: boolean): Promise<Build> =>
    strategy.build({ ...stage, labels }, { ...options, startFromImages: fromImages })
  let build = await solve(startFromImages)
  const moved = isCached && !startFromImages && builtOn !== '' && (await hasMoved(run, source.reference, build))
  if (moved) {
    run.log.info(
      `${source.reference} may have moved during the build: ${stage.reference} is built once more, from the images of this run`
    )
    const { seconds } = build
    build = await solve(true)
    build.seconds += seconds
  }
  if (source.origin) build.cacheOrigin = source.origin
  await tellLocalHits(run, stage, build, keys)
  // the image of the tag has other results than this run, or BuildKit could not use it; nothing is known of one that moved
  const isUnused = source.isWhole === true && build.steps.some(({ cached }) => !cached)
  if (isOlder || (isUnused && !moved)) sources.reject(source.reference)
  return build
}

/** Says it if the local cache had steps that the cache source does not have: then its name does not explain the hits. */
async function tellLocalHits(
  { plan, registry, log }: Pick<Run, 'plan' | 'registry' | 'log'>,
  stage: StageBuild,
  build: Build,
  keys: ContentKeys
): Promise<void> {
  if (!build.steps.some(({ cached }) => cached)) return
  const before = plan.builds.slice(
    0,
    plan.builds.findIndex((one) => one.stage === stage.stage)
  )
  const count = countLocalHits(stage, build, await registry.published(build.cacheSource), keys, before)
  if (count === 0) return
  const steps = count === 1 ? '1 cached step' : `${count} cached steps`
  log.info(
    `${steps} of stage ${stage.name} came from the local cache of the engine: ${build.cacheSource} does not have them`
  )
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
