import type { Base } from '../docker/progress/reader.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { RegistryFailure } from '../registry/failure.ts'

/** One instruction of the Dockerfile, as the builder treated it. FROM is none: it is fetched, never executed. */
export interface Step {
  /** Name of its stage, `stage-N` where it has none. */
  stage: string
  instruction: string
  /** Its line in the Dockerfile; undefined for what is in none, such as the triggers of a base image. */
  line?: number
  cached: boolean
  /** How long it took; for a cached step, how long its layer took to come from the registry, where the builder says so. */
  seconds: number
  /** What the builder said, if the step failed. */
  error?: string
}

/** Why the first executed step of a stage did not come from the cache. */
export interface Miss {
  stage: string
  instruction: string
  line?: number
  /** What kind of reason it is, for programs. */
  kind: MissKind
  /** One sentence for people. */
  reason: string
  /** Whether nothing that the step depends on has changed, as far as that can be known: the cache has failed. */
  unexpected: boolean
}

export type MissKind =
  | 'not-published'
  | 'refused'
  | 'unreachable'
  | 'no-metadata'
  | 'incomplete-metadata'
  | 'base-changed'
  | 'instruction-changed'
  | 'build-arg-changed'
  | 'files-changed'
  | 'stage-changed'
  | 'unknown'

/** A stage that was built, or not. */
export interface Build {
  kind: StageBuild['kind']
  /** Name of the stage. */
  stage: string
  image: string
  /** Where it looked for a cache. */
  cacheSource: string
  /** Id of the image in the engine; '' if the build failed. */
  imageId: string
  seconds: number
  steps: Step[]
  /** The images outside the Dockerfile that it is built on, as far as the builder told them. */
  bases: Base[]
  /** Why each stage's first executed step did not come from the cache; undefined until that was looked into. */
  misses?: Miss[]
  /** Cache sources that could not be read, and why. */
  unreadableCaches: { reference: string; failure: RegistryFailure }[]
  /** One sentence on why the build failed. */
  failure?: string
}

export type TestStatus = 'passed' | 'failed' | 'timed-out' | 'error' | 'unchanged'

/** A test that ended, or that need not run. */
export interface TestResult {
  command: string
  status: TestStatus
  /** null where the command did not end by itself, or was not run. */
  exitCode: number | null
  seconds: number
  /** Id in the engine of the image that its container was of, if it had one. */
  imageId?: string
  /** The commit for which it passed in the same image, if it is `unchanged`. */
  passedFor?: string
  /** One sentence on why it did not pass. */
  failure?: string
  /** The last of what it printed, if it did not pass. */
  lastLines?: string
  /** What the reports that it wrote say of cases that did not pass. */
  failedCases?: FailedCase[]
}

/** A case in a report of a test that did not pass. */
export interface FailedCase {
  name: string
  message: string
}

/** What failed in a run, as data: `report/messages.ts` alone makes sentences of it. */
export type Failure =
  /** Something that the user can put right, or that nobody expected. */
  | { kind: 'error'; message: string }
  | { kind: 'cancelled' }
  | { kind: 'engine-gone'; message: string }
  /** The build of an image: its own `failure` says why. */
  | { kind: 'build'; image: string }
  /** A test, by its place among the results: its own `failure` says why. */
  | { kind: 'test'; index: number }
  /** A step of a stage that the cache should have had. */
  | { kind: 'miss'; stage: string }
  | { kind: 'push'; reference: string; failure: RegistryFailure }
  /** The published image could not be read, so the moving tags stay. */
  | { kind: 'guard'; reference: string; failure: RegistryFailure }
  /** What was built is not in the engine any more. */
  | { kind: 'images-gone'; message: string }
  /** A name stands for another image in the engine than the one that this run built. */
  | { kind: 'name-taken'; reference: string }
  /** A push by name pushed another image than the one that this run built. */
  | { kind: 'other-image'; reference: string; pushed: string; built: string }

/** What reached the registry. */
export interface Publication {
  /** References, in the order in which they were pushed. */
  pushed: string[]
  /** Whether the moving tags moved. */
  published: boolean
  /** Digest of the production image as pushed; '' if it was not. */
  digest: string
  /** Digests by reference, as far as the engine told them. */
  digests: Record<string, string>
  /** Moving tags that were left where they are, because the new image could not serve as a cache: one sentence each. */
  held: { reference: string; reason: string }[]
  /** One sentence on why the moving tags are of another commit although this run may move them: a newer one is published. */
  stays?: string
  seconds: number
  failures: Failure[]
}

/** What an earlier run made of the same files, base images and options. */
export interface Unchanged {
  /** The production image, as REPOSITORY@DIGEST. */
  image: string
  digest: string
  /** The commit that it was built from, and the one that the builder image was built from and tested for. */
  commit: string
  builderCommit: string
}

/** How a run went: everything a report needs. */
export interface RunResult {
  builder?: Build
  /** Further stages that were built by themselves, in the order in which they were built. */
  cacheStages: Build[]
  tests: TestResult[]
  production?: Build
  /** The images that are published already, if nothing has changed since: then nothing is built. */
  unchanged?: Unchanged
  publication?: Publication
  /** The commands that would be run, if it is a dry run. */
  commands?: string[]
  /** Undefined if the image was not pushed, or the registry could not be asked. */
  pullSize?: PullSize
  /** Whether it was cancelled; what had ended by then is there. */
  cancelled: boolean
  /** Empty if all is well. */
  failures: Failure[]
}

/** The result of a run of which nothing has happened yet. */
export function emptyResult(): RunResult {
  return { cacheStages: [], tests: [], cancelled: false, failures: [] }
}

/** What was thrown, as a failure. */
export function failureOfError(error: unknown): Failure {
  return error instanceof CancelledError ? { kind: 'cancelled' } : { kind: 'error', message: messageOf(error) }
}

/** All builds of a run that ended: the builder, the further stages, production. */
export function buildsOf<B>({
  builder,
  cacheStages,
  production
}: {
  builder?: B
  cacheStages: B[]
  production?: B
}): B[] {
  return [...(builder ? [builder] : []), ...cacheStages, ...(production ? [production] : [])]
}

/** What a host must pull to have an image. */
export interface PullSize {
  /** The image that the host has already; undefined if there is none, because this is the first. */
  previous?: string
  /** Bytes that it must pull, compressed as they are in the registry, and what a host without any image must. */
  bytes: number
  fullBytes: number
  layers: number
  reusedLayers: number
}
