import type { Docker } from '../../src/docker/docker.ts'
import { Git, type Relation } from '../../src/git/git.ts'
import { GitHub } from '../../src/git/github.ts'
import { Timeline } from '../../src/lib/timeline.ts'
import type { Run } from '../../src/plan/run-context.ts'
import { FakeRegistry } from './fake-registry.ts'
import { makePlan, makeSecrets } from './make-plan.ts'
import { RecordingLog } from './recording-log.ts'

/** A shallow checkout: it tells nothing of the history. */
export class ShallowGit extends Git {
  constructor() {
    super('/', {})
  }

  override async relation(): Promise<Relation | undefined> {
    return undefined
  }
}

/** GitHub for tests that override what is asked of it; all else it does not answer, for it has no token. */
export class SilentGitHub extends GitHub {
  constructor() {
    super(undefined, '', new AbortController().signal)
  }
}

/** A docker that must not be called. */
const NO_DOCKER: Docker = {
  call: async (args) => {
    throw new Error(`docker ${args.join(' ')} is not expected here`)
  }
}

/** A run of a plan in which nobody answers and nothing is published, but for what a test puts in. */
export function makeRun(more: Partial<Run> = {}): Run {
  return {
    plan: makePlan(),
    docker: NO_DOCKER,
    registry: new FakeRegistry(),
    secrets: makeSecrets(),
    git: new ShallowGit(),
    github: new SilentGitHub(),
    changesSince: async () => undefined,
    childEnv: {},
    stepEnv: {},
    log: new RecordingLog(),
    timeline: new Timeline(),
    folder: '/nowhere',
    runId: 'run',
    signal: new AbortController().signal,
    ...more
  }
}
