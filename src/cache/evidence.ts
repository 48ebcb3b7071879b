import type { Changes } from '../git/changes.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build, MissKind } from '../result/result.ts'

/** All that is known about a build whose steps were not all cached. */
export interface Evidence {
  stageBuild: StageBuild
  build: Build
  /** Whether an image serves as a cache by its cache metadata. */
  cacheMetadata: boolean
  /** What is published where the build looked for its cache. */
  published: ReadImage
  /** The image that was built; undefined if the build failed. */
  built: ReadImage | undefined
  /** The digest of the base image in the published build, and in this one, where they are known. */
  base: { before: string | undefined; now: string | undefined }
  /** What differs from the commit of the published image; undefined if it names none. */
  changes: Changes | undefined
  dockerignore: string
  /** Where sources of the instructions lead that are links: paths below the build context. */
  links: ReadonlyMap<string, string[]>
  /** Tracked files whose modes are not those of a usual checkout. */
  unusualModes: readonly { path: string; mode: string }[]
  /** Names of the stages of which this run executed a step. */
  executedStages: ReadonlySet<string>
  /** Names of the stages, by index. */
  stageNames: readonly string[]
  /** Whether every stage that others copy from is published. */
  publishesAllStages: boolean
}

export interface Reason {
  kind: MissKind
  reason: string
  unexpected?: boolean
}

/** Keeps a reason short, whatever it quotes from the Dockerfile or the build context. */
export function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
