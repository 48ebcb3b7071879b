import type { Secrets } from '../action/secrets.ts'
import type { Docker } from '../docker/docker.ts'
import type { ChangesSince } from '../git/changes.ts'
import type { Git } from '../git/git.ts'
import type { GitHub } from '../git/github.ts'
import type { Log } from '../lib/log.ts'
import type { Retry } from '../lib/retry.ts'
import type { Timeline } from '../lib/timeline.ts'
import type { Registry } from '../registry/registry.ts'
import type { Plan } from './plan.ts'

/** The plan and the services with which the phases of a run work. */
export interface Run {
  plan: Plan
  docker: Docker
  registry: Registry
  secrets: Secrets
  git: Git
  github: GitHub
  changesSince: ChangesSince
  /** The environment of docker. */
  childEnv: Readonly<Record<string, string>>
  /** The environment of the workflow step. */
  stepEnv: Readonly<Record<string, string | undefined>>
  log: Log
  timeline: Timeline
  /** The action's temporary folder. */
  folder: string
  /** Value of the label on the containers of this run. */
  runId: string
  /** Whether tests are left out if the engine cannot run their image; otherwise they fail. */
  mayStayUntested?: boolean
  /** Aborted when the run is cancelled. */
  signal: AbortSignal
}

/** Returns the options for retries in a run. */
export function retryOf({ plan, log, signal }: Pick<Run, 'plan' | 'log' | 'signal'>): Retry {
  return { retries: plan.inputs.retries, log, signal }
}
