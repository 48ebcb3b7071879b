import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build } from '../result/result.ts'

/** What a strategy works with. */
export type StrategyRun = Pick<
  Run,
  'plan' | 'docker' | 'registry' | 'secrets' | 'log' | 'timeline' | 'folder' | 'signal'
>

/** A way to share layers through the registry on one kind of engine. A build that fails is a result, not an error. */
export interface Strategy {
  /** Begins what the builds will need. */
  start(): void
  /** Builds a stage from one cache source and the images built before. */
  build(stage: StageBuild, cacheSource: string): Promise<Build>
  /** Reads what a build made, without what was put on top for its labels. */
  readBuilt(build: Build): Promise<ReadImage>
  /** Stops what still runs and waits for its end. Nothing is asked of the strategy after that. */
  end(): Promise<void>
}
