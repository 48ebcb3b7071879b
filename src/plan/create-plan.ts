import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Commit } from '../action/event.ts'
import { valuesOfBuildArgs } from '../action/passed-variables.ts'
import { onePlatform } from '../action/platforms.ts'
import type { PublicInputs } from '../action/secrets.ts'
import type { Docker } from '../docker/docker.ts'
import { type EngineInfo, readBuilderDriver, readEngineInfo } from '../docker/engine-info.ts'
import { differencesOfBuilders } from '../dockerfile/builder-differences.ts'
import { readDockerignore } from '../dockerfile/dockerignore.ts'
import { type Dockerfile, findStage, listStages, type Stage } from '../dockerfile/model.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { nameOf, neededStages } from '../dockerfile/stage-graph.ts'
import { dirtyFiles } from '../git/changes.ts'
import type { Git } from '../git/git.ts'
import type { GitHub } from '../git/github.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { quote } from '../lib/text.ts'
import { parseReference, sameReference } from '../registry/image-reference.ts'
import { isCommitTag } from '../registry/reserved-tags.ts'
import { checkBuildContexts, checkBuilderInputs } from './builder-inputs.ts'
import { findCacheStages } from './cache-stages.ts'
import { describeDirty, MOST_DIRTY_FILES } from './dirty.ts'
import { takeFingerprints } from './fingerprints.ts'
import { makeLabels } from './labels.ts'
import { checkNoCacheFilters } from './no-cache.ts'
import type { Plan } from './plan.ts'
import { decidePublish, describeOtherCheckout, maySetTag } from './publish-policy.ts'
import { findPublishing } from './publishing.ts'
import { isNamed, makeRefs, movingTags, partOf, type Refs, tagsOfOthers } from './references.ts'
import { selectStrategy } from './select-strategy.ts'
import { planBuilds } from './stage-builds.ts'
import { buildArgsOf, pathInRepository, variantOf } from './variant.ts'

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
  const { commit, git, github, docker, log, env, signal } = planning
  const inputs = withPlatform(planning.inputs, env.DOCKER_DEFAULT_PLATFORM)
  if (!statSync(inputs.context, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      `Input context: directory not found: ${JSON.stringify(inputs.context)}; check out the repository before this step, or set context to the Docker build context`
    )
  }
  const file = inputs.file ?? join(inputs.context, 'Dockerfile')
  const dockerfile = await readDockerfile(file, inputs, env)
  const [builderStage, targetStage] = findStages(dockerfile, inputs, file)
  const cacheStages = findCacheStages(dockerfile, builderStage, targetStage, inputs.cacheStages)
  checkNoCacheFilters(dockerfile, inputs, neededStages(dockerfile, [builderStage, targetStage]))
  checkBuildContexts(dockerfile, inputs.buildContexts)

  const [firstBranch, created, engine, dirty, prefix] = await Promise.all([
    findPublishBranch(inputs, commit, github, log),
    commit.commitTime ?? github.commitTime(commit.sha),
    readEngineInfo(docker, signal),
    findDirtyFiles(commit, git),
    git.prefix()
  ])
  describeCheckout(inputs.context, commit, dirty, log)
  const buildxBuilder = await checkBuilder(inputs, engine, docker, signal)
  if (created === undefined) {
    log.notice(
      `Cannot determine the time of commit ${commit.shortSha}; the images get no label org.opencontainers.image.created`
    )
  }
  const differences = [
    ...differencesOfBuilders(dockerfile, [builderStage, targetStage]),
    ...(existsSync(`${file}.dockerignore`) ? [`the file ${basename(file)}.dockerignore`] : [])
  ]
  const strategy = selectStrategy(engine, dockerfile, inputs, env.DOCKER_BUILDKIT, differences)
  checkBuilderInputs(inputs, engine, strategy)
  const dockerignore = await readDockerignore(inputs.context, strategy.name === 'legacy' ? undefined : file)
  const fingerprints = takeFingerprints(inputs, engine.platform)
  const publishing = findPublishing(inputs, firstBranch, commit.branch)
  const decision = decidePublish(inputs.push, publishing, commit, partOf(inputs))
  const made = makeRefs(inputs, commit, cacheStages, publishing)
  const refs = { ...made, branch: made.branch.filter((tag) => maySetTag(tag, commit, decision, publishing, inputs)) }
  if (publishing.refusal !== undefined && decision.reason.includes(publishing.refusal)) log.warning(decision.reason)
  if (decision.push && partOf(inputs) === undefined) noticeHeldTags({ inputs, commit, made, refs, decision }, log)
  const folder = prefix ?? ''
  const variant = variantOf({
    inputs: {
      ...inputs,
      platform: inputs.platforms.toSorted((a, b) => (a < b ? -1 : 1)).join() || (inputs.platform ?? engine.platform)
    },
    target: nameOf(targetStage),
    ...{ file: await pathInRepository(file, inputs.context, folder), folder }
  })
  const buildArgs = buildArgsOf(dockerfile, inputs.buildArgs, env)
  const labels = makeLabels(inputs, commit, created, { variant, buildArgs })
  const stages = { builderStage: builderStage.index, targetStage: targetStage.index }
  const isPart = partOf(inputs) !== undefined
  const builds = planBuilds({ ...stages, dockerfile, cacheStages, refs, decision, labels, strategy, isPart })
  return {
    ...{ inputs, commit, engine, strategy, dockerfile, file, dockerignore, ...stages },
    ...{ decision, fingerprints, refs, variant, buildArgs, builds, buildxBuilder },
    ...(dirty && { dirty })
  }
}

/** Docker reads the variable itself; as an input, it is also in content keys, fingerprints and the variant. */
function withPlatform(inputs: PublicInputs, otherwise: string | undefined): PublicInputs {
  if (inputs.platform !== undefined || inputs.platforms.length > 0 || !otherwise) return inputs
  return { ...inputs, platform: onePlatform('The variable DOCKER_DEFAULT_PLATFORM', otherwise) }
}

async function readDockerfile(file: string, { buildArgs }: PublicInputs, env: Planning['env']): Promise<Dockerfile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UserError(`Cannot read the Dockerfile ${JSON.stringify(file)} (${messageOf(error)}); set the input file`)
  }
  try {
    return parseDockerfile(text, Object.fromEntries(valuesOfBuildArgs(buildArgs, env)))
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
  return [builder, production]
}

/** Logs which of the user's tags the run does not push: moving tags, and tags of a branch or a commit that it does not build. */
function noticeHeldTags(
  { inputs, commit, made, refs, decision }: Pick<Plan, 'inputs' | 'commit' | 'refs' | 'decision'> & { made: Refs },
  log: Log
): void {
  const moving = inputs.tags.filter(
    (tag) => movingTags(refs).some((one) => sameReference(one, tag)) || isNamed(tag, inputs.latestTag)
  )
  const isSkipped = (tag: string): boolean =>
    !decision.publish || (made.branch.includes(tag) && !refs.branch.includes(tag))
  if (moving.some(isSkipped)) {
    log.notice(
      `Skipping ${moving.filter(isSkipped).join(', ')} of the input tags: moving tags are updated on the publishing branch only`
    )
  }
  const held = made.branch.filter((tag) => !refs.branch.includes(tag) && !moving.includes(tag))
  if (held.length > 0) {
    log.notice(`Skipping ${held.join(', ')} of the input tags: this run does not build the branch that the tag names`)
  }
  const others = tagsOfOthers(inputs, commit)
  const commits = others.filter((tag) => isCommitTag(parseReference(tag).tag ?? '', inputs.commitTag))
  if (commits.length > 0) {
    log.notice(
      `Skipping ${commits.join(', ')} of the input tags: such a tag is that of a commit, and this run builds ${commit.shortSha}`
    )
  }
  const pulls = others.filter((tag) => !commits.includes(tag))
  if (pulls.length > 0) {
    log.notice(
      `Skipping ${pulls.join(', ')} of the input tags: pr- and a number are the tag of a pull request that this run does not build`
    )
  }
}

/** Says which commit the images are tagged with, unless it is what everybody expects. */
function describeCheckout(context: string, commit: Commit, dirty: Plan['dirty'], log: Log): void {
  if (commit.checkout === 'unknown') {
    log.warning(
      `Git cannot tell which commit is checked out, because the context folder ${JSON.stringify(context)} is not in a git checkout, or git is missing; this run assumes the event's commit ${commit.shortSha}. Check out the repository with actions/checkout, set the context to a folder in it, and install git`
    )
  }
  if (commit.checkout === 'other') {
    log.notice(
      `The images are tagged ${commit.shortSha}, and no tag that names a branch is set: ${describeOtherCheckout(commit)}`
    )
  }
  if (dirty) log.warning(describeDirty(commit.shortSha, dirty))
}

async function findDirtyFiles(commit: Commit, git: Git): Promise<Plan['dirty']> {
  const own = commit.checkout === 'unknown' ? undefined : await git.ownCommit(commit.sha)
  const files = own === undefined ? undefined : await dirtyFiles(git, own)
  return files?.[0] === undefined ? undefined : { files: files.slice(0, MOST_DIRTY_FILES), count: files.length }
}

async function findPublishBranch(inputs: PublicInputs, commit: Commit, github: GitHub, log: Log): Promise<string> {
  const known = inputs.publishBranch[0] ?? commit.defaultBranch ?? (await github.defaultBranch())
  if (known !== undefined) return known
  if (commit.repository !== '') {
    log.warning(
      'Cannot determine the default branch (neither the event nor GitHub names it); using master as the publishing branch. Set the input publish-branch'
    )
  }
  return 'master'
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
