import { readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildContext, quote, readContext } from '../action/event.ts'
import { type Inputs, splitAtEquals } from '../action/inputs.ts'
import type { Docker } from '../docker/docker.ts'
import { type EngineInfo, readBuilderDriver, readEngineInfo } from '../docker/engine-info.ts'
import { readDockerignore } from '../dockerfile/context-files.ts'
import { type Dockerfile, findStage, listStages, type Stage } from '../dockerfile/model.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { type ChangesSince, changesFinder } from '../git/changes.ts'
import { Git } from '../git/git.ts'
import { GitHub } from '../git/github.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { sameReference } from '../registry/image-reference.ts'
import { findCacheStages } from './cache-stages.ts'
import { takeFingerprints } from './fingerprints.ts'
import { completePlan, makeLabels, makeRefs, movingTags, type Plan, type Refs } from './plan.ts'
import { decidePublish } from './publish-policy.ts'
import { selectStrategy } from './select-strategy.ts'

type Environment = Record<string, string | undefined>

/**
 * Decides all that a run will do: reads the event, the Dockerfile and the engine.
 *
 * @param env the action's own environment
 * @param childEnv the environment for git and docker
 * @throws UserError, before the engine is touched if an input or the Dockerfile is wrong
 */
export async function preparePlan(
  inputs: Inputs,
  env: Environment,
  childEnv: Record<string, string>,
  docker: Docker,
  log: Log,
  signal: AbortSignal
): Promise<{ plan: Plan; git: Git; github: GitHub; changesSince: ChangesSince }> {
  if (!statSync(inputs.context, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      `Input context is ${JSON.stringify(inputs.context)}, which is no folder here; check out the repository before this step, or give the folder that docker build shall see`
    )
  }
  const file = inputs.file ?? join(inputs.context, 'Dockerfile')
  const dockerfile = await readDockerfile(file, inputs)
  const [builderStage, targetStage] = findStages(dockerfile, inputs, file)
  const cacheStages = findCacheStages(dockerfile, builderStage, targetStage, inputs.cacheStages)

  const git = new Git(inputs.context, childEnv)
  const build = await readBuild(env, git)
  const github = new GitHub(inputs.githubToken, build.repository, signal)
  const [publishBranch, created, engine] = await Promise.all([
    findPublishBranch(inputs, build, github, log),
    findCommitTime(build, git, github),
    readEngineInfo(docker, signal),
    warnOfOtherCheckout(build, env, git, log)
  ])
  const buildxBuilder = await checkBuilder(inputs, engine, docker, signal)
  if (created === undefined) {
    log.notice(
      `Nothing here knows when ${build.shortSha} was committed, so the images get no label for the time of their creation`
    )
  }
  const dockerignore = await readDockerignore(inputs.context, file)
  const fingerprints = takeFingerprints(inputs, dockerfile.text, dockerignore, childEnv)
  const decision = decidePublish(inputs.push, publishBranch, build)
  const refs = makeRefs(inputs, build, cacheStages)
  if (decision.push && !decision.publish) noticeHeldTags(inputs, refs, log)
  const plan = completePlan({
    inputs,
    build,
    engine,
    dockerfile,
    file,
    dockerignore,
    builderStage,
    targetStage,
    cacheStages,
    buildxBuilder,
    strategy: selectStrategy(engine, dockerfile, inputs, env.DOCKER_BUILDKIT),
    decision,
    fingerprints,
    refs,
    labels: makeLabels(inputs, build, created, fingerprints)
  })
  return { plan, git, github, changesSince: changesFinder(git, github, build, { context: inputs.context, file }) }
}

async function readDockerfile(file: string, { buildArgs }: Inputs): Promise<Dockerfile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UserError(
      `There is no readable Dockerfile at ${JSON.stringify(file)} (${messageOf(error)}); set the input file`
    )
  }
  try {
    return parseDockerfile(text, Object.fromEntries(buildArgs.filter((arg) => arg.includes('=')).map(splitAtEquals)))
  } catch (error) {
    throw new UserError(`${file} cannot be used: ${messageOf(error)}`)
  }
}

function findStages(dockerfile: Dockerfile, { builderTarget, target }: Inputs, file: string): [Stage, Stage] {
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

async function readBuild(env: Environment, git: Git): Promise<BuildContext> {
  const head = env.GITHUB_SHA ? undefined : await git.commit('HEAD')
  const local = head && { sha: head.sha, branch: await git.branch() }
  try {
    return readContext(env, readPayload(env.GITHUB_EVENT_PATH), local)
  } catch (error) {
    throw new UserError(messageOf(error))
  }
}

function readPayload(path: string | undefined): unknown {
  if (!path) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UserError(`The event's payload at GITHUB_EVENT_PATH cannot be read: ${messageOf(error)}`)
  }
}

/** Says which of the user's tags do not move, because they are the moving tags. */
function noticeHeldTags({ tags }: Inputs, refs: Refs, log: Log): void {
  const held = tags.filter((tag) => movingTags(refs).some((moving) => sameReference(moving, tag)))
  if (held.length > 0)
    log.notice(`Not pushed, though input tags names it: ${held.join(', ')} moves on the publishing branch only`)
}

/** The tag names the event's commit. A pull request's checkout is its merge commit, which is as it should be. */
async function warnOfOtherCheckout(build: BuildContext, env: Environment, git: Git, log: Log): Promise<void> {
  const head = (await git.commit('HEAD'))?.sha
  if (head === undefined || head === build.sha || (build.event === 'pull_request' && head === env.GITHUB_SHA)) return
  log.warning(
    `The checkout is at ${head.slice(0, 7)}, but this ${build.event} event is about ${build.shortSha}, and the images are tagged so; check out that commit`
  )
}

async function findPublishBranch(inputs: Inputs, build: BuildContext, github: GitHub, log: Log): Promise<string> {
  const known = inputs.publishBranch ?? build.defaultBranch ?? (await github.defaultBranch())
  if (known !== undefined) return known
  if (build.repository !== '') {
    log.warning(
      'The default branch of the repository is not known (neither the event nor GitHub tells it), so the publishing branch is master; set the input publish-branch'
    )
  }
  return 'master'
}

async function findCommitTime(build: BuildContext, git: Git, github: GitHub): Promise<string | undefined> {
  return build.commitTime ?? (await git.commit(build.sha))?.time ?? (await github.commitTime(build.sha))
}

/** Name of the buildx builder to use: the engine's own has the name of the docker context. */
async function checkBuilder(
  { builder }: Inputs,
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
