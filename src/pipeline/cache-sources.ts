import { missingRecords } from '../cache/cached-layers.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'

/** The cache source of each build, resolved once. */
export class CacheSources {
  readonly #run: Pick<Run, 'plan' | 'registry'>
  /** By the index of the stage. */
  readonly #resolved = new Map<number, Promise<string>>()

  constructor(run: Pick<Run, 'plan' | 'registry'>) {
    this.#run = run
  }

  /** Begins to inspect what there is to choose from. */
  start(): void {
    for (const stage of this.#run.plan.builds) void this.of(stage)
  }

  of(stage: StageBuild): Promise<string> {
    const source = this.#resolved.get(stage.stage) ?? this.#resolve(stage)
    this.#resolved.set(stage.stage, source)
    // whoever awaits it sees a cancellation; until then it is no unhandled rejection
    source.catch(() => {})
    return source
  }

  /** If the newest image is a worse cache than the one before it, that one was kept (see `publish/publish.ts`). */
  async #resolve(stage: StageBuild): Promise<string> {
    const { plan, registry } = this.#run
    const { cacheSource: newest, keptCache: kept } = stage
    if (kept === undefined || !plan.strategy.capabilities.cacheMetadata) return newest
    const published = registry.published(newest)
    const { image } = await registry.published(kept)
    // as a rule there is none: then nothing needs to be compared
    if (!image) return newest
    const missing = missingRecords((await published).image, stage)
    return missingRecords(image, stage) < missing ? kept : newest
  }
}
