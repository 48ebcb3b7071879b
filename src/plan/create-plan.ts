import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import type { Docker } from '../docker/docker.ts'
import { type EngineInfo, readBuilderDriver, readEngineInfo } from '../docker/engine-info.ts'
import { readDockerignore } from '../dockerfile/context-files.ts'
import { type Dockerfile, findStage, listStages, type Stage } from '../dockerfile/model.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import type { Git } from '../git/git.ts'
import type { GitHub } from '../git/github.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { quote, splitAtEquals } from '../lib/text.ts'
import { sameReference } from '../registry/image-reference.ts'
import { findCacheStages } from './cache-stages.ts'
import { takeFingerprints } from './fingerprints.ts'
import { makeLabels } from './labels.ts'
import type { Plan } from './plan.ts'
import { decidePublish } from './publish-policy.ts'
import { makeRefs, movingTags, type Refs } from './references.ts'
import { selectStrategy } from './select-strategy.ts'
import { planBuilds } from './stage-builds.ts'

/** The inputs and services from which `createPlan` makes a plan. */
export interface Planning {
  inputs: PublicInputs
  commit: Commit
  git: Git
  github: GitHub
  docker: Docker
  log: Log
  /** The environment of the action itself. */
  env: Readonly<Record<string, string | undefined>>
  signal: AbortSignal
}

/**
 * Decides everything that a run will do, from the inputs, the Dockerfile and the engine.
 *
 * @throws UserError; before any access to the engine if an input or the Dockerfile is wrong
 */
export async function createPlan(planning: Planning): Promise<Plan> {
  const { inputs, commit, git, github, docker, log, env, signal } = planning
  if (!statSync(inputs.context, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      `Input context: directory not found: ${JSON.stringify(inputs.context)}; check out the repository before this step, or set context to the Docker build context`
    )
  }
  const file = inputs.file ?? join(inputs.context, 'Dockerfile')
  const dockerfile = await readDockerfile(file, inputs)
  const [builderStage, targetStage] = findStages(dockerfile, inputs, file)
  const cacheStages = findCacheStages(dockerfile, builderStage, targetStage, inputs.cacheStages)

  const [publishBranch, created, engine] = await Promise.all([
    findPublishBranch(inputs, commit, github, log),
    findCommitTime(commit, git, github),
    readEngineInfo(docker, signal),
    warnOfOtherCheckout(commit, env, git, log)
  ])
  const buildxBuilder = await checkBuilder(inputs, engine, docker, signal)
  if (created === undefined) {
    log.notice(
      `Cannot determine the time of commit ${commit.shortSha}; the images get no label org.opencontainers.image.created`
    )
  }
  const dockerignore = await readDockerignore(inputs.context, file)
  const fingerprints = takeFingerprints(inputs, engine.platform)
  const decision = decidePublish(inputs.push, publishBranch, commit)
  const refs = makeRefs(inputs, commit, cacheStages)
  if (decision.push && !decision.publish) noticeHeldTags(inputs, refs, log)
  const labels = makeLabels(inputs, commit, created)
  const strategy = selectStrategy(engine, dockerfile, inputs, env.DOCKER_BUILDKIT)
  const stages = { builderStage: builderStage.index, targetStage: targetStage.index }
  const builds = planBuilds({ ...stages, dockerfile, cacheStages, refs, decision, labels, strategy })
  return {
    ...{ inputs, commit, engine, strategy, dockerfile, file, dockerignore, ...stages },
    ...{ decision, fingerprints, refs, builds, buildxBuilder }
  }
}

async function readDockerfile(file: string, { buildArgs }: PublicInputs): Promise<Dockerfile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UserError(`Cannot read the Dockerfile ${JSON.stringify(file)} (${messageOf(error)}); set the input file`)
  }
  try {
    return parseDockerfile(text, Object.fromEntries(buildArgs.filter((arg) => arg.includes('=')).map(splitAtEquals)))
  } catch (error) {
    throw new UserError(`${file} cannot be used: ${messageOf(error)}`)
  }
}

function findStages(dockerfile: Dockerfile, { builderTarget, target }: PublicInputs, file: string): [Stage, Stage] {
  const names = listStages(dockerfile)
  const builder = findStage(dockerfile, builderTarget)
  if (!builder) {
    throw new UserError(
      `Input builder-target is ${quote(builderTarget)}, but ${file} has no such stage; its stages are: ${names}`
    )
  }
  const production = target === undefined ? dockerfile.stages.at(-1) : findStage(dockerfile, target)
  if (!production) {
    throw new UserError(
      `Input target is ${quote(target ?? '')}, but ${file} has no such stage; its stages are: ${names}`
    )
  }
  if (production.index === builder.index) {
    throw new UserError(
      `Inputs builder-target and target are the same stage, ${quote(String(builder.name ?? builder.index))}, of ${file}; this action needs two: one that builds and tests, and one to publish`
    )
  }
  return [builder, production]
}

/** Logs which of the user's tags the run does not push, because they are moving tags. */
function noticeHeldTags({ tags }: PublicInputs, refs: Refs, log: Log): void {
  const held = tags.filter((tag) => movingTags(refs).some((moving) => sameReference(moving, tag)))
  if (held.length > 0)
    log.notice(`Skipping ${held.join(', ')} of the input tags: moving tags are updated on the publishing branch only`)
}

/** Warns if the checkout is not the event's commit, which the tag names. For a pull request, the merge commit is correct. */
async function warnOfOtherCheckout(commit: Commit, env: Planning['env'], git: Git, log: Log): Promise<void> {
  const head = (await git.commit('HEAD'))?.sha
  if (head === undefined || head === commit.sha || (commit.event === 'pull_request' && head === env.GITHUB_SHA)) return
  log.warning(
    `The checkout is at ${head.slice(0, 7)}, but this ${commit.event} event is about ${commit.shortSha}, which the tags of the images name; check out that commit`
  )
}

async function findPublishBranch(inputs: PublicInputs, commit: Commit, github: GitHub, log: Log): Promise<string> {
  const known = inputs.publishBranch ?? commit.defaultBranch ?? (await github.defaultBranch())
  if (known !== undefined) return known
  if (commit.repository !== '') {
    log.warning(
      'Cannot determine the default branch (neither the event nor GitHub names it); using master as the publishing branch. Set the input publish-branch'
    )
  }
  return 'master'
}

async function findCommitTime(commit: Commit, git: Git, github: GitHub): Promise<string | undefined> {
  return commit.commitTime ?? (await git.commit(commit.sha))?.time ?? (await github.commitTime(commit.sha))
}

/** Returns the name of the buildx builder to use: the engine's own has the name of the docker context. */
async function checkBuilder(
  { builder }: PublicInputs,
  engine: EngineInfo,
  docker: Docker,
  signal: AbortSignal
): Promise<string> {
  if (builder === undefined) return engine.context
  if (engine.buildx === undefined) {
    throw new UserError(
      `Input builder names ${quote(builder)}, but this docker client has no buildx; remove it or install buildx`
    )
  }
  const driver = await readBuilderDriver(docker, builder, signal)
  if (driver === 'docker') return builder
  throw new UserError(
    `Input builder names ${quote(builder)}, a builder with the driver ${driver}; only the driver docker is supported yet: remove the input to use the engine's own`
  )
}
