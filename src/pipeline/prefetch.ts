import { layersBelow, ownHistoryStart, whyNoCache } from '../cache/cached-layers.ts'
import { type ContentKeys, chainOfKeys } from '../cache/key-tags.ts'
import { isRecorded, readKeysLabel } from '../cache/keys-label.ts'
import { replayable } from '../docker/command-line.ts'
import { lastLine } from '../docker/errors.ts'
import { createReader } from '../docker/progress/buildkit.ts'
import { imagesNeededFor, stageAt } from '../dockerfile/stage-graph.ts'
import { describeLateness } from '../lib/bounds.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import type { Stream } from '../lib/exec.ts'
import { usesCacheSource } from '../plan/no-cache.ts'
import type { Plan } from '../plan/plan.ts'
import type { Run } from '../plan/run-context.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import type { ImageRecord } from '../registry/image.ts'
import { isReference, sameImage } from '../registry/image-reference.ts'
import { ProgressWatch } from '../strategy/build-watch.ts'
import type { Caches } from './cache-sources.ts'

/**
 * Lets the engine fetch and unpack the cache of the later builds while the builder stage is being built. An engine unpacks the
 * layers of an image one after the other, so a CPU core is free for it.
 *
 * The solve contains only images, and none that the builder stage uses: steps that concurrent solves share cause random cache
 * misses in BuildKit. A failure never fails the run: the builds fetch missing layers themselves. They wait for a prefetch that makes
 * progress, because it fetches what they need.
 */
export class Prefetch {
  readonly #run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>
  readonly #caches: Caches
  readonly #unneeded = new AbortController()
  #isLate = false
  #solve: Promise<void> | undefined

  constructor(run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>, caches: Caches) {
    this.#run = run
    this.#caches = caches
  }

  start(): void {
    const { strategy, inputs } = this.#run.plan
    // a build context may take the place of an image that the Dockerfile names
    if (strategy.capabilities.prefetch && inputs.buildContexts.length === 0) void this.#begin()
  }

  /** Waits for the prefetch if it has started; it does not start after that. */
  async wait(): Promise<void> {
    this.#isLate = true
    await this.#solve
  }

  /** Stops the prefetch. */
  async end(): Promise<void> {
    this.#unneeded.abort()
    await this.wait()
  }

  async #begin(): Promise<void> {
    const references = await findPrefetched(this.#run, this.#caches).catch((error: unknown) => {
      this.#tell(error)
      return []
    })
    if (references.length > 0 && !this.#isLate) this.#solve = this.#fetch(references)
  }

  async #fetch(references: readonly string[]): Promise<void> {
    const { plan, docker, log, timeline, signal } = this.#run
    const { platform } = plan.inputs
    const args = [
      ...['buildx', 'build', '--builder', plan.buildxBuilder, '--output', 'type=cacheonly'],
      ...['--progress', plan.strategy.progress],
      ...(platform === undefined ? [] : ['--platform', platform]),
      '-'
    ]
    const input = prefetchDockerfile(references)
    const reader = createReader(plan.strategy.progress, () => {})
    const stuck = new AbortController()
    const watch = new ProgressWatch(reader, 'prefetch-progress', () => stuck.abort())
    const options = {
      bound: 'prefetch' as const,
      signal: AbortSignal.any([signal, this.#unneeded.signal, stuck.signal]),
      input,
      onOutput: (chunk: Buffer, stream: Stream) => {
        reader.write(chunk, stream)
        watch.look()
      }
    }
    const began = performance.now()
    try {
      const { exitCode, stderr } = await timeline.measure('fetch', 'Prefetch', () => docker.call(args, options))
      // only now: until then, the section of the builder stage is the one that prints live
      const section = log.section(`Prefetch ${references.join(', ')}`, began)
      section.write(`${replayable(args, {}, input)}\n`)
      section.end()
      if (exitCode !== 0) this.#tell(lastLine(stderr))
    } catch (error) {
      // the builds fetch what they need themselves
      this.#tell(stuck.signal.aborted ? new Error(describeLateness('prefetch-progress')) : error)
    } finally {
      watch.end()
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof CancelledError)) this.#run.log.info(`Prefetch failed: ${messageOf(error)}`)
  }
}

/** Writes COPY of a file that no image has: BuildKit must unpack the image for it, and a pattern without a match is not an error. */
export function prefetchDockerfile(references: readonly string[]): string {
  const names = references.map((_, index) => `shared-docker-layers-${index}`)
  return [
    ...references.flatMap((reference, index) => [
      `FROM scratch AS ${names[index]}`,
      `COPY --from=${reference} /shared-docker-layers-non[e] /`
    ]),
    'FROM scratch',
    ...names.map((name) => `COPY --from=${name} / /`),
    ''
  ].join('\n')
}

async function findPrefetched(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  { keys, sources }: Caches
): Promise<string[]> {
  const [, afterBuilder] = splitAtBuilder(plan.builds)
  const chosen = await Promise.all(
    afterBuilder.map(async (stage) => {
      const { reference } = await sources.of(stage)
      if (!usesCacheSource(plan, stage)) return { reference, image: undefined }
      return { reference, image: (await registry.published(reference)).image }
    })
  )
  return choosePrefetched(plan, chosen, keys)
}

/**
 * Chooses the images worth prefetching: for each build after the builder stage its cache source, or its base image if too little
 * of the cache source would be useful.
 *
 * @param sources the cache source of each build after the builder stage, with its image if there is one
 */
export function choosePrefetched(
  plan: Pick<Plan, 'builds' | 'dockerfile' | 'builderStage' | 'strategy'>,
  sources: readonly { reference: string; image: ImageRecord | undefined }[],
  keys: ContentKeys
): string[] {
  const ofBuilder = imagesNeededFor(plan.dockerfile, [stageAt(plan.dockerfile, plan.builderStage)])
  const chosen: string[] = []
  const choose = (reference: string): void => {
    if (isReference(reference) && ![...ofBuilder, ...chosen].some((other) => sameImage(other, reference))) {
      chosen.push(reference)
    }
  }
  const [, afterBuilder] = splitAtBuilder(plan.builds)
  for (const [index, build] of afterBuilder.entries()) {
    const { reference, image } = sources[index] ?? { reference: build.cacheSource, image: undefined }
    const base = build.baseImage
    const root = stageAt(plan.dockerfile, build.own[0]?.stage ?? build.stage)
    // an image on the builder stage has the layers that the build of that stage fetches at the same time
    const isOnBuilder = root.baseStage === plan.builderStage
    if (image && !isOnBuilder && isWorthFetching(plan, build, image, keys)) choose(reference)
    // with a --platform of its own, the base image may be of another platform
    else if (base !== undefined && !root.hasPlatform) choose(base)
  }
  return chosen
}

/** Share of an image's own bytes that the prefetch may waste. */
const MOST_WASTE = 0.1

function isWorthFetching(
  { strategy }: Pick<Plan, 'strategy'>,
  build: StageBuild,
  image: ImageRecord,
  keys: ContentKeys
): boolean {
  const start = ownHistoryStart(image, build)
  const layerSizes = image.manifest?.layers.map(({ size }) => size)
  if (start === undefined || layerSizes?.length !== image.layers.length || whyNoCache(image, build) !== undefined) {
    return false
  }
  const recorded = readKeysLabel(image.labels)
  const [from, ...own] = chainOfKeys(build, keys)
  if (recorded === undefined || from === undefined || !isRecorded(from, recorded.chain[0])) return false
  const isInHistory = ({ keyword }: { keyword: string }): boolean =>
    strategy.capabilities.triggerHistory || keyword !== 'ONBUILD'
  const before = recorded.chain.slice(1).filter(isInHistory)
  const firstAnew = own.filter(isInHistory).findIndex((one, index) => !isRecorded(one, before[index]))
  const below = layersBelow(image, start)
  const useful = firstAnew === -1 ? image.layers.length : layersBelow(image, start + firstAnew)
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0)
  return useful > below && sum(layerSizes.slice(useful)) <= MOST_WASTE * sum(layerSizes.slice(below))
}
