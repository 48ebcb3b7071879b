import type { Inputs } from '../action/inputs.ts'
import { readEventCommit } from '../action/read-commit.ts'
import { publicInputs } from '../action/secrets.ts'
import { saveImages } from '../action/state.ts'
import { ImageRecorder } from '../docker/added-images.ts'
import { removeContainers } from '../docker/containers.ts'
import type { Docker } from '../docker/docker.ts'
import { changesFinder } from '../git/changes.ts'
import { isWide, narrowModes } from '../git/file-modes.ts'
import { Git } from '../git/git.ts'
import { GitHub } from '../git/github.ts'
import type { Log } from '../lib/log.ts'
import { handOver } from '../pipeline/collect-reports.ts'
import { createPlan } from '../plan/create-plan.ts'
import type { Plan } from '../plan/plan.ts'
import type { Run } from '../plan/run-context.ts'
import { sameRepository } from '../registry/image-reference.ts'
import { HttpRegistry } from '../registry/registry.ts'
import type { RunResult } from '../result/result.ts'
import type { Action } from './lifecycle.ts'

/** A plan, and the services that made it. */
export interface Planned {
  plan: Plan
  git: Git
  github: GitHub
}

/** Makes the plan of a run, and says what it is. */
export async function makePlan(action: Omit<Action, 'secrets'>): Promise<Planned> {
  const { inputs, childEnv, log, timeline, signal } = action
  const git = await Git.open(inputs.context, childEnv, { signal, log })
  const planned = await timeline.measure('prepare', 'Prepare', async () => {
    const commit = await readEventCommit(process.env, git)
    const github = new GitHub(inputs.githubToken, commit.repository, signal, log)
    const services = { git, github, docker: action.docker, log, env: process.env, signal }
    return { git, github, plan: await createPlan({ ...services, inputs: publicInputs(inputs), commit }) }
  })
  action.planned(planned.plan)
  announce(planned.plan, log)
  return planned
}

/** Runs `work` with the file modes of a usual checkout, and removes the run's containers. */
export async function runWith(
  action: Action,
  { plan, git, github }: Planned,
  work: (run: Run) => Promise<RunResult>,
  docker = recordingDocker(action, isNameOf([plan]))
): Promise<RunResult> {
  const { inputs, childEnv, log, timeline, signal, folder, runId } = action
  const registry = new HttpRegistry({
    ...{ docker, log, timeline, signal },
    env: childEnv,
    insecure: plan.engine.insecure,
    platform: plan.inputs.platform ?? plan.engine.platform,
    buildx: plan.engine.buildx,
    retries: inputs.retries
  })
  const changesSince = changesFinder(git, github, plan.commit)
  const tracked = isWide(process.umask()) ? ((await git.tracked()) ?? []) : []
  const restoreModes = narrowModes(plan.inputs.context, tracked)
  try {
    return await work({ ...action, docker, plan, git, github, registry, changesSince, stepEnv: process.env })
  } finally {
    await registry.end()
    restoreModes()
    // after the last build has read the build context
    await handOver({ plan, log, folder })
    await removeOwnContainers(docker, runId, log, signal)
  }
}

/** Returns whether a run of one of these plans may have set a name in the engine. */
export function isNameOf(plans: readonly Plan[]): (name: string) => boolean {
  const names = plans.flatMap(({ builds }) => builds).flatMap(({ tags }) => tags)
  return (name) => names.includes(name) || plans.some(({ inputs }) => sameRepository(inputs.image, name))
}

/** Removes the containers of a run, whatever they do. */
export async function removeOwnContainers(docker: Docker, runId: string, log: Log, signal: AbortSignal): Promise<void> {
  const left = await removeContainers(docker, runId, signal)
  if (left !== undefined) log.warning(`Cannot remove all containers of this run: ${left}`)
}

/**
 * Returns the docker client of a run. It notes what the run adds to the engine, if the post step removes that.
 *
 * @param isOurs whether the run may remove a name
 */
export function recordingDocker({ docker, inputs }: Action, isOurs: (name: string) => boolean): Docker {
  return removesImages(inputs) ? new ImageRecorder(docker, isOurs, saveImages) : docker
}

/** Returns whether the post step removes the images that the run adds to the engine; outside GitHub there is none. */
function removesImages({ removeImages, push }: Inputs): boolean {
  const { GITHUB_ACTIONS, RUNNER_ENVIRONMENT } = process.env
  if (GITHUB_ACTIONS !== 'true') return false
  const isKept = RUNNER_ENVIRONMENT !== 'github-hosted'
  return removeImages === 'always' || (removeImages === 'auto' && isKept && push !== 'never')
}

function announce({ strategy, decision, refs, commit, builds }: Plan, log: Log): void {
  log.info(`Commit ${commit.shortSha}${commit.branch === '' ? '' : ` of branch ${commit.branch}`}: ${refs.production}`)
  log.info(`Strategy ${strategy.name}: ${strategy.reason}`)
  if (strategy.warning !== undefined) log.warning(strategy.warning)
  const cacheStages = builds.flatMap(({ kind, name, moving }) =>
    kind === 'cache' ? [moving === undefined ? name : `${name} (${moving})`] : []
  )
  if (cacheStages.length > 0) log.info(`Stages built separately for their cache: ${cacheStages.join(', ')}`)
  if (decision.push) log.info(decision.reason)
  else log.notice(decision.reason)
}
