import type { Docker } from './engine/docker.ts'
import type { Step } from './engine/progress.ts'
import type { Log } from './log.ts'
import type { Plan } from './plan.ts'

/** What the phases work with. */
export interface Run {
  plan: Plan
  docker: Docker
  log: Log
  /** Our temporary folder. */
  folder: string
  /** Value of the label on our containers. */
  runId: string
  /** Aborted when the run is cancelled. */
  signal: AbortSignal
}

/** A stage that was built, or not. */
export interface Build {
  image: string
  /** Id of the image in the engine; '' if the build failed. */
  imageId: string
  seconds: number
  steps: Step[]
  /** Cache sources that could not be read, with what the engine said. */
  unreadableCaches: { reference: string; error: string }[]
  /** One sentence on why the build failed. */
  failure?: string
}

export type TestStatus = 'passed' | 'failed' | 'timed-out' | 'error'

/** A test that ended. */
export interface TestResult {
  command: string
  status: TestStatus
  /** null where the command did not end by itself. */
  exitCode: number | null
  seconds: number
  /** One sentence on why it did not pass. */
  failure?: string
}

/** What reached the registry. */
export interface Publication {
  /** References, in the order in which they were pushed. */
  pushed: string[]
  /** Whether the moving tags moved. */
  published: boolean
  /** Digest of the production image as pushed; '' if it was not. */
  digest: string
  seconds: number
  /** One sentence for each push that failed. */
  failures: string[]
}

/** How a run went: everything a report needs. */
export interface RunResult {
  builder?: Build
  tests: TestResult[]
  production?: Build
  publication?: Publication
  /** Whether it was cancelled; what had ended by then is there. */
  cancelled: boolean
  /** One sentence for each thing that failed; empty if all is well. */
  failures: string[]
}

/** Seconds since a `performance.now()`. */
export function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1_000
}
