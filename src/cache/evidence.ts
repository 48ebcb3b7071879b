import type { Changes } from '../git/changes.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build, MissKind } from '../result/result.ts'

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
  /** The built image; undefined if the build failed. */
  built: ReadImage | undefined
  /** The digests of the base image in the published build and in this one, if they are known. */
  base: { before: string | undefined; now: string | undefined }
  /** The changes since the commit of the published image; undefined if it names none. */
  changes: Changes | undefined
  dockerignore: string
  /** Targets of instruction sources that are links, by source: paths below the build context. */
  links: ReadonlyMap<string, string[]>
  /** Tracked files whose modes differ from those of a usual checkout. */
  unusualModes: readonly { path: string; mode: string }[]
  /** Names of the stages in which this run executed a step. */
  executedStages: ReadonlySet<string>
  /** Names of the stages, by index. */
  stageNames: readonly string[]
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
