import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build } from '../result/result.ts'

/** The part of a run that a strategy needs. */
export type StrategyRun = Pick<
  Run,
  'plan' | 'docker' | 'registry' | 'secrets' | 'log' | 'timeline' | 'folder' | 'signal'
>

/** A way to share layers through the registry on one kind of engine. A failed build is a result, not an error. */
export interface Strategy {
  /** Starts work that the builds will need. */
  start(): void
  /** Builds a stage from one cache source and the images built before. */
  build(stage: StageBuild, cacheSource: string): Promise<Build>
  /** Inspects the image of a build as it was before labelling. */
  readBuilt(build: Build): Promise<ReadImage>
  /** Stops unfinished work and waits for its end. No other method may be called after that. */
  end(): Promise<void>
}
