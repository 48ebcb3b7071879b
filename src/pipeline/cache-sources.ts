import { missingRecords, whyNoCache } from '../cache/cached-layers.ts'
import { type ContentKeys, cacheTagOf, keysToAsk } from '../cache/key-tags.ts'
import { ownInstructionsOf } from '../cache/keys-label.ts'
import { timeOf } from '../lib/bounds.ts'
import { within } from '../lib/within.ts'
import { BRANCH_LABEL, REVISION_LABEL } from '../plan/labels.ts'
import { usesCacheSource } from '../plan/no-cache.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ImageRecord } from '../registry/image.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'
import { repositoryOf } from '../registry/reference.ts'
import type { CacheOrigin } from '../result/result.ts'

/** The image from which a build takes its cache, and what made it, if that is known. */
export interface CacheSource {
  reference: string
  origin?: CacheOrigin
  /** Name of the same image that the engine does not take for an old image of its own; undefined if `reference` is one. */
  readAs?: string
  /** Whether it is the cache tag of the last key: its image has the result of every step. */
  isWhole?: boolean
}

/** What the builds of a run were made of, and where they took their caches from. */
export interface Caches {
  keys: ContentKeys
  /** Digests of the external images that the keys are made of, by reference. */
  digests: ReadonlyMap<string, string>
  sources: CacheSources
}

/** Chooses the cache source of each build, once. */
export class CacheSources {
  readonly #run: Pick<Run, 'plan' | 'registry'>
  readonly #keys: ContentKeys
  readonly #inEngine: readonly string[]
  /** By stage index. */
  readonly #chosen = new Map<number, Promise<CacheSource>>()
  /** Cache tags that exist, by whether their images can serve as a cache. */
  readonly #existing = new Map<string, boolean>()

  /** @param inEngine references of the images that the engine had before the run */
  constructor(run: Pick<Run, 'plan' | 'registry'>, keys: ContentKeys, inEngine: readonly string[] = []) {
    this.#run = run
    this.#keys = keys
    this.#inEngine = inEngine
  }

  /** Starts to choose the cache sources of builds. A failure is that of the build that needs the cache source. */
  start(builds: readonly StageBuild[], onChosen: (source: CacheSource) => void): void {
    for (const stage of builds) this.of(stage).then(onChosen, () => {})
  }

  of(stage: StageBuild): Promise<CacheSource> {
    const source = this.#chosen.get(stage.stage) ?? this.#chooseInTime(stage)
    this.#chosen.set(stage.stage, source)
    // prevents an unhandled rejection; the code that awaits it still receives a cancellation
    source.catch(() => {})
    return source
  }

  /** Returns whether a cache tag is known to exist with an image that can serve as a cache; undefined if nothing is known of it. */
  exists(reference: string): boolean | undefined {
    return this.#existing.get(reference)
  }

  /** Notes that the image of a cache tag is of no use, so that this run may replace it. */
  reject(reference: string): void {
    this.#existing.set(reference, false)
  }

  /** A build works with its moving tag, too. */
  async #chooseInTime(stage: StageBuild): Promise<CacheSource> {
    return (await within(timeOf('cache-source'), this.#choose(stage))) ?? { reference: stage.cacheSource }
  }

  /** Chooses the image with the longest content key of this build, or else the newest published one. */
  async #choose(stage: StageBuild): Promise<CacheSource> {
    const { plan, registry } = this.#run
    const { image, cacheTags } = plan.inputs
    if (!usesCacheSource(plan, stage)) return { reference: stage.cacheSource }
    const asked = cacheTags === 'none' ? [] : keysToAsk(stage, this.#keys).map((key) => cacheTagOf(image, key))
    const answers = await Promise.all(asked.map((reference) => within(timeOf('look'), registry.digest(reference))))
    const found = asked.filter((_, index) => answers[index]?.value !== undefined)
    for (const reference of found) {
      const record = await this.#usable(reference, stage)
      if (record === undefined) continue
      for (const other of found.slice(found.indexOf(reference))) this.#existing.set(other, true)
      return { reference, origin: originOf(record), isWhole: reference === asked[0] }
    }
    const newest = await this.#newest(stage)
    const digest = this.#isHidden(newest) ? (await registry.published(newest)).image?.digest : undefined
    return { reference: newest, ...(digest !== undefined && { readAs: `${repositoryOf(newest)}@${digest}` }) }
  }

  /** Returns whether the engine has an image of this name, however old, which BuildKit would read instead of the registry's. */
  #isHidden(reference: string): boolean {
    if (!this.#run.plan.strategy.capabilities.hidesCacheSource) return false
    return this.#inEngine.some((other) => isReference(other) && sameReference(other, reference))
  }

  /** Returns the image of a cache tag; undefined if BuildKit could not use it. */
  async #usable(reference: string, stage: StageBuild): Promise<ImageRecord | undefined> {
    const { image } = await this.#run.registry.published(reference)
    if (image === undefined || !this.#run.plan.strategy.capabilities.cacheMetadata) return image
    if (whyNoCache(image, ownInstructionsOf(image.labels) ?? stage) === undefined) return image
    this.reject(reference)
    return undefined
  }

  /** Chooses the kept cache if the newest image is a worse cache source (see `publish/verify.ts`). */
  async #newest(stage: StageBuild): Promise<string> {
    const { plan, registry } = this.#run
    const { cacheSource: newest, keptCache: kept } = stage
    if (kept === undefined || !plan.strategy.capabilities.cacheMetadata) return newest
    const published = registry.published(newest)
    const { image } = await registry.published(kept)
    // usually there is no kept cache, and so nothing to compare
    if (!image) return newest
    const missing = missingRecords((await published).image, stage)
    return missingRecords(image, stage) < missing ? kept : newest
  }
}

function originOf({
  labels: { [REVISION_LABEL]: commit = '', [BRANCH_LABEL]: branch = '' }
}: ImageRecord): CacheOrigin {
  return { commit, branch }
}
