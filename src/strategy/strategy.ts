import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build } from '../result/result.ts'

/** The part of a run that a strategy needs. */
export type StrategyRun = Pick<
  Run,
  'plan' | 'docker' | 'registry' | 'secrets' | 'log' | 'timeline' | 'folder' | 'signal'
>

/** How to build a stage. */
export interface BuildOptions {
  /** Reference of the image whose layers the build may reuse. */
  cacheSource: string
  /** Another name of the same image, by which BuildKit reads it in the registry. */
  readAs?: string
  /** Whether the build must start from the images of the stages built before: the engine's local cache may not have what was tested. */
  startFromImages?: boolean
}

/** A way to share layers through the registry on one kind of engine. A failed build is a result, not an error. */
export interface Strategy {
  /** Starts to fetch a cache source that a later build will use, if the engine needs it beforehand. */
  fetch(cacheSource: string): void
  /** Builds a stage from one cache source and the stages built before. */
  build(stage: StageBuild, options: BuildOptions): Promise<Build>
  /** Inspects the image of a build as it was before labelling. */
  readBuilt(build: Build): Promise<ReadImage>
  /** Stops unfinished work and waits for its end. No other method may be called after that. */
  end(): Promise<void>
}
