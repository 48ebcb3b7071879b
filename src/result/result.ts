import type { BuildWarning } from '../docker/progress/build-warnings.ts'
import type { Base } from '../docker/progress/reader.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import type { Span } from '../lib/timeline.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { RegistryFailure } from '../registry/failure.ts'

/** An instruction of the Dockerfile as the builder treated it. FROM is not a step: the builder only fetches its image. */
export interface Step {
  /** Name of its stage; `stage-N` if the stage has none. */
  stage: string
  instruction: string
  /** Its line in the Dockerfile; undefined for instructions from elsewhere, such as the triggers of a base image. */
  line?: number
  cached: boolean
  /** Duration of the step; for a cached step, of fetching its layer from the registry, if the builder reports it. */
  seconds: number
  /** The builder's message, if the step failed. */
  error?: string
}

/** A cache miss: the first executed step of a stage, with the reason. */
export interface Miss {
  stage: string
  instruction: string
  line?: number
  /** The kind of reason, for programs. */
  kind: MissKind
  /** The reason as one sentence, for people. */
  reason: string
  /** Whether the cache failed: nothing that the step depends on has changed, as far as that can be known. */
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
  | 'options-changed'
  | 'platform-changed'
  | 'no-cache'
  | 'unknown'

/** What built the image of a cache source: a full commit ID and its branch; '' if the image does not name it. */
export interface CacheOrigin {
  commit: string
  branch: string
}

/** The build of a stage, successful or not. */
export interface Build {
  kind: StageBuild['kind']
  /** Name of the stage. */
  stage: string
  image: string
  /** The cache source that it used. */
  cacheSource: string
  /** What built the image of the cache source, if the cache source is a cache tag. */
  cacheOrigin?: CacheOrigin
  /** ID of the image in the engine; '' if the build failed. */
  imageId: string
  seconds: number
  steps: Step[]
  /** The base images, as far as the builder reported them. */
  bases: Base[]
  /** The cache miss of each stage; undefined until the run has determined the reasons. */
  misses?: Miss[]
  /** Cache sources that the builder could not read, with the reason. */
  unreadableCaches: { reference: string; failure: RegistryFailure }[]
  /** The warnings of Docker's build checks about the user's Dockerfile; undefined if there are none. */
  warnings?: BuildWarning[]
  /** Why the build failed, as one sentence. */
  failure?: string
}

export type TestStatus = 'passed' | 'failed' | 'timed-out' | 'error' | 'unchanged'

/** A test that ended, or did not need to run. */
export interface TestResult {
  /** What it ran in: a container of the production image, or the runner; undefined: a container of the builder image. */
  kind?: 'production-test' | 'check'
  command: string
  status: TestStatus
  /** null if the command did not end by itself, or did not run. */
  exitCode: number | null
  seconds: number
  /** ID in the engine of its container's image, if it had a container; of a check, that of the production image before the checks. */
  imageId?: string
  /** The commit for which it passed in the same image, if its status is `unchanged`. */
  passedFor?: string
  /** Why it did not pass, as one sentence. */
  failure?: string
  /** The last lines of its output, if it did not pass. */
  lastLines?: string
  /** The failed cases in the test reports that it wrote. */
  failedCases?: FailedCase[]
  /** Name of the machine that ran it, if another one publishes. */
  machine?: string
}

/** A failed case in a test report. */
export interface FailedCase {
  name: string
  message: string
}

/** A failure of a run, as data: only `report/messages.ts` turns it into a sentence. */
export type Failure =
  /** An error that the user can fix, or an unexpected one. */
  | { kind: 'error'; message: string }
  | { kind: 'cancelled' }
  | { kind: 'engine-gone'; message: string }
  /** The build of an image; its own `failure` has the reason. */
  | { kind: 'build'; image: string }
  /** A failure of the image of one platform, by its index in the failures of that. */
  | { kind: 'platform'; platform: string; index: number }
  /** A test, by its index in the results; its own `failure` has the reason. */
  | { kind: 'test'; index: number }
  /** An unexpected cache miss in a stage. */
  | { kind: 'miss'; stage: string }
  /** If the registry does not let the tag change, `holds` is one clause about the image that it names; undefined for a tag that moves. */
  | { kind: 'push'; reference: string; failure: RegistryFailure; holds?: string }
  /** The published image could not be read, so the run did not promote. */
  | { kind: 'guard'; reference: string; failure: RegistryFailure }
  /** A built image is no longer in the engine. */
  | { kind: 'images-gone'; message: string }
  /** A name in the engine refers to another image than the one that this run built. */
  | { kind: 'name-taken'; reference: string }
  /** A push by name pushed another image than the one that this run built. */
  | { kind: 'other-image'; reference: string; pushed: string; built: string }

/** The result of the pushes. */
export interface Publication {
  /** The pushed references, in the order of the pushes. */
  pushed: string[]
  /** Whether the run promoted the images. */
  published: boolean
  /** Digest of the pushed production image; '' if it was not pushed. */
  digest: string
  /** Digests by reference, as far as the engine reported them. */
  digests: Record<string, string>
  /** Moving tags whose new image cannot serve as a cache, so that the run kept the previous one: one sentence each. */
  held: { reference: string; reason: string }[]
  /** Why the moving tags name another commit although this run may promote, as one sentence: a newer commit is published. */
  stays?: string
  seconds: number
  failures: Failure[]
}

/** The image that an earlier run built and tested from the same content. */
export interface Unchanged {
  /** The production image, as REPOSITORY@DIGEST. */
  image: string
  digest: string
  /** The commit from which it was built. */
  commit: string
  /** The commit for which its builder image was built and tested: the same run built both. */
  builderCommit: string
}

/** What a run hands to the machines that test and publish. */
export interface HandedOn {
  transport: 'registry' | 'artifact'
  /** Of the image in which the tests run, or of the archive; '' if an earlier run has published the same content. */
  digest: string
  /** The images of all stages up to the builder stage; their digests are '' if they are in the archive. */
  images: { reference: string; digest: string }[]
  /** The indices of the tests that must run, from 0. */
  tests: number[]
  /** Path of the folder with the hand-off. */
  folder: string
}

/** What another machine did for a run. */
export interface Machine {
  name: string
  /** When it began, in milliseconds since 1970. */
  startedAt: number
  timeline: Span[]
}

/** What became of the image of one platform, if a run joins several. */
export interface PlatformResult
  extends Pick<
    RunResult,
    'builder' | 'cacheStages' | 'production' | 'tests' | 'unchanged' | 'pullSize' | 'cacheTags' | 'failures'
  > {
  platform: string
  /** Of the image in the registry; '' if it was not pushed. */
  digest: string
  /** Why tests did not run, as one sentence: this engine cannot run the platform. */
  untested?: string
}

/** The result of a run: all data that the report needs. */
export interface RunResult {
  builder?: Build
  /** The cache stages, in build order. */
  cacheStages: Build[]
  tests: TestResult[]
  production?: Build
  /** The published images, if nothing has changed since: then the run builds nothing. */
  unchanged?: Unchanged
  publication?: Publication
  /** The cache tags and tested tags that the run added. */
  cacheTags: string[]
  /** The commands that a run would execute, if this is a dry run. */
  commands?: string[]
  /** What it hands to other machines, if those test and publish. */
  handedOn?: HandedOn
  /** The images of single platforms, if this run joins them. */
  platforms?: PlatformResult[]
  /** Path of the folder with the result of one platform, for the run that joins all. */
  platformResult?: string
  /** The other machines that worked for the run, if this one publishes what they built and tested. */
  machines?: Machine[]
  /** Undefined if the image was not pushed, or could not be inspected in the registry. */
  pullSize?: PullSize
  /** Whether the run was cancelled; the result contains everything that had ended by then. */
  cancelled: boolean
  /** Empty if the run succeeded. */
  failures: Failure[]
}

/** Returns the result of a run before anything has happened. */
export function emptyResult(): RunResult {
  return { cacheStages: [], tests: [], cacheTags: [], cancelled: false, failures: [] }
}

/** Converts a thrown value to a failure. */
export function failureOfError(error: unknown): Failure {
  return error instanceof CancelledError ? { kind: 'cancelled' } : { kind: 'error', message: messageOf(error) }
}

/** Returns all finished builds of a run: the builder, the cache stages, production. */
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

/** The size of a host's pull of an image. */
export interface PullSize {
  /** The image that the host already has; undefined if this is the first image. */
  previous?: string
  /** Bytes that it must pull, compressed as in the registry, and bytes that a host without any image must pull. */
  bytes: number
  fullBytes: number
  layers: number
  reusedLayers: number
}
