import type { Docker } from '../docker/docker.ts'
import type { Base } from '../docker/progress/reader.ts'
import type { ChangesSince } from '../git/changes.ts'
import type { Git } from '../git/git.ts'
import type { GitHub } from '../git/github.ts'
import type { Log } from '../lib/log.ts'
import type { Retry } from '../lib/retry.ts'
import type { Timeline } from '../lib/timeline.ts'
import type { PullSize } from '../pipeline/publish/pull-size.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { RegistryFailure } from '../registry/failure.ts'
import type { Registry } from '../registry/registry.ts'

/** What the phases work with. */
export interface Run {
  plan: Plan
  docker: Docker
  registry: Registry
  git: Git
  github: GitHub
  changesSince: ChangesSince
  log: Log
  timeline: Timeline
  /** Our temporary folder. */
  folder: string
  /** Value of the label on our containers. */
  runId: string
  /** Aborted when the run is cancelled. */
  signal: AbortSignal
}

/** What retries of a run need. */
export function retryOf({ plan, log, signal }: Pick<Run, 'plan' | 'log' | 'signal'>): Retry {
  return { retries: plan.inputs.retries, log, signal }
}

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
  /** One sentence for each push that failed. */
  failures: string[]
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
  /** One sentence for each thing that failed; empty if all is well. */
  failures: string[]
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

/** The sentence in the failures of a run. */
export function describeFailedBuild({ image, failure }: Build): string {
  return `Building ${image} failed: ${failure}`
}

/** The sentence in the failures of a run. */
export function describeFailedTest({ command, failure }: TestResult): string {
  return `The test ${JSON.stringify(command)} did not pass: ${failure}`
}

/** Seconds since a `performance.now()`. */
export function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1_000
}
