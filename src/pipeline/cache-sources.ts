import { missingRecords } from '../cache/cached-layers.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'

/** Resolves the cache source of each build, once. */
export class CacheSources {
  readonly #run: Pick<Run, 'plan' | 'registry'>
  /** By stage index. */
  readonly #resolved = new Map<number, Promise<string>>()

  constructor(run: Pick<Run, 'plan' | 'registry'>) {
    this.#run = run
  }

  /** Starts to resolve all cache sources. */
  start(): void {
    for (const stage of this.#run.plan.builds) void this.of(stage)
  }

  of(stage: StageBuild): Promise<string> {
    const source = this.#resolved.get(stage.stage) ?? this.#resolve(stage)
    this.#resolved.set(stage.stage, source)
    // prevents an unhandled rejection; the code that awaits it still receives a cancellation
    source.catch(() => {})
    return source
  }

  /** Chooses the kept cache if the newest image is a worse cache source (see `publish/verify.ts`). */
  async #resolve(stage: StageBuild): Promise<string> {
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
