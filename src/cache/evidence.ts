import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build, MissKind } from '../result/result.ts'
import type { InstructionKey } from './content-keys.ts'

/** Everything that is known about a build with cache misses. */
export interface Evidence {
  stageBuild: StageBuild
  build: Build
  /** Whether an image serves as a cache through its cache metadata. */
  cacheMetadata: boolean
  /** Whether the build reuses the layers of published images at all. */
  reusesLayers: boolean
  /** The image that the build's cache source names. */
  published: ReadImage
  /** The content keys of what the build creates, with FROM first. */
  keys: readonly InstructionKey[]
  /** The engine, as in the label of the keys. */
  engine: string
  /** Digests of the external images now, by reference, as far as they are known. */
  digests: ReadonlyMap<string, string>
  /** Paths below the build context that git or GitHub reports as changed since the commit of the published image; undefined if unknown. */
  changed: readonly string[] | undefined
  /** Tracked files whose modes differ from those of a usual checkout. */
  unusualModes: readonly { path: string; mode: string }[]
  /** Names of the ARGs of the Dockerfile. */
  argumentNames: ReadonlySet<string>
  /** Names and indices of the stages in which this run executed a step. */
  executedStages: ReadonlySet<string>
  /** Names of the stages that the build must execute without a cache. */
  uncachedStages: readonly string[]
  /** Whether the run publishes every stage that others copy from. */
  publishesAllStages: boolean
}

export interface Reason {
  kind: MissKind
  reason: string
  unexpected?: boolean
}

/** Shortens a quotation from the Dockerfile or the build context, so that a reason stays short. */
export function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
