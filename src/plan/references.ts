import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import type { Stage } from '../dockerfile/model.ts'
import { UserError } from '../lib/errors.ts'
import { isTag, parseReference, sameReference, sameRepository } from '../registry/image-reference.ts'
import {
  builderTagOf,
  candidateOf,
  commitTagOf,
  isCommitTag,
  isPullRequestTag,
  platformTagOf,
  stageTagOf,
  tagOfBranch
} from '../registry/reserved-tags.ts'
import type { CacheStage } from './cache-stages.ts'
import type { Publishing } from './publishing.ts'

/** Full references of the images of a run. */
export interface Refs {
  /** This commit's builder image: only in the engine, unless other machines test it. */
  builder: string
  /** This commit's production image; that of one platform, if others are joined with it. */
  production: string
  movingBuilder: string
  movingProduction: string
  /** By the name of the cache stage, or its number if it has none. */
  stages: Record<string, StageRefs>
  /** The image of the pull request, `IMAGE:pr-N`; only if the commit contains its changes. */
  pullRequest?: string
  /** Further tags of the production image from the user, without the references above and below. */
  further: string[]
  /** Those that are named after the branch of the run or a publishing branch, or like a moving tag: a late run must not set them. */
  branch: string[]
}

/** References of the images of a cache stage. */
export interface StageRefs {
  /** This commit's image, likewise. */
  local: string
  moving: string
  candidate: string
}

/**
 * @throws UserError if a tag would be too long
 */
export function makeRefs(
  inputs: Pick<PublicInputs, 'image' | 'builderTag' | 'latestTag' | 'tags' | 'commitTag' | 'platform' | 'platforms'>,
  commit: Pick<Commit, 'sha' | 'shortSha' | 'branch' | 'pullRequest'>,
  cacheStages: readonly Pick<CacheStage, 'stage'>[],
  publishing: Publishing
): Refs {
  const reference = (tag: string): string => {
    if (isTag(tag)) return `${inputs.image}:${tag}`
    throw new UserError(
      `The tag ${tag} would be too long for a registry; give the stage a shorter name, or set the input cache-stages to none`
    )
  }
  const { latestTag } = publishing
  const part = partOf(inputs)
  const builderTag = builderTagOf(publishing.builderTag, inputs.platform)
  // for all branches the same: other machines and clean-up scripts know it by its form
  const builder = `${builderTagOf(inputs.builderTag, inputs.platform)}-${commit.shortSha}`
  const commitTag = commitTagOf(inputs.commitTag, commit.sha)
  const stages = cacheStages.map(({ stage }): [string, StageRefs] => [
    keyOf(stage),
    {
      local: reference(stageTagOf(builder, stage)),
      moving: reference(stageTagOf(builderTag, stage)),
      candidate: reference(stageTagOf(candidateOf(builderTag), stage))
    }
  ])
  const refs = {
    builder: reference(builder),
    production: reference(part === undefined ? commitTag : platformTagOf(commitTag, part)),
    movingBuilder: reference(builderTag),
    movingProduction: reference(latestTag),
    stages: Object.fromEntries(stages)
  }
  const pullRequest =
    commit.pullRequest === undefined || part !== undefined ? undefined : reference(pullRequestTag(commit.pullRequest))
  // the user's tags may include a moving tag, e.g. from docker/metadata-action: only promotion may set it
  const held = [refs.production, refs.builder, ...movingTags(refs), ...(pullRequest === undefined ? [] : [pullRequest])]
  const others = tagsOfOthers(inputs, commit)
  const users = (part === undefined ? inputs.tags : []).filter(
    (tag, index, tags) =>
      !others.includes(tag) &&
      !held.some((ref) => sameReference(ref, tag)) &&
      tags.findIndex((other) => sameReference(other, tag)) === index
  )
  const names = (tag: string): boolean =>
    isOfBranch(tag, commit.branch) ||
    isOfPublishing(tag, publishing) ||
    isNamed(tag, latestTag) ||
    isNamed(tag, inputs.latestTag) ||
    // docker/metadata-action's type=edge; a late run of another branch has no newer one to compare with
    (isNamed(tag, 'edge') && commit.branch === publishing.branch)
  return {
    ...refs,
    ...(pullRequest !== undefined && { pullRequest }),
    further: users.filter((tag) => !names(tag)),
    branch: users.filter(names)
  }
}

/** Returns the platform of the image that a run makes, if the images of several platforms are joined later; undefined otherwise. */
export function partOf({ platform, platforms }: Pick<PublicInputs, 'platform' | 'platforms'>): string | undefined {
  return platforms.length > 0 ? platform : undefined
}

/** Returns the key of a cache stage in `Refs.stages`. */
export function keyOf({ name, index }: Pick<Stage, 'name' | 'index'>): string {
  return name ?? String(index)
}

/**
 * Returns the user's tags that have the form of the tag of a commit or of a pull request, but of another one than this run
 * builds: its image must keep its tag.
 */
export function tagsOfOthers(
  { image, tags, commitTag }: Pick<PublicInputs, 'image' | 'tags' | 'commitTag'>,
  { sha, shortSha, pullRequest }: Pick<Commit, 'sha' | 'shortSha' | 'pullRequest'>
): string[] {
  const own = [shortSha, commitTagOf(commitTag, sha)]
  return tags.filter((reference) => {
    const { tag = '' } = parseReference(reference)
    const isOther =
      (isCommitTag(tag, commitTag) && !own.includes(tag)) ||
      (isPullRequestTag(tag) && tag !== pullRequestTag(pullRequest))
    return isOther && sameRepository(image, reference)
  })
}

function pullRequestTag(number: number | undefined): string {
  return `pr-${number}`
}

/** Returns whether docker/metadata-action makes the tag of a reference of the name of this branch (`type=ref,event=branch`). */
export function isOfBranch(reference: string, branch: string): boolean {
  const tag = parseReference(reference).tag ?? 'latest'
  return branch !== '' && tag === tagOfBranch(branch)
}

/** Returns whether the tag of a reference is made of the name of a publishing branch; patterns name none. */
export function isOfPublishing(reference: string, { all }: Pick<Publishing, 'all'>): boolean {
  return all.some((branch) => !branch.includes('*') && isOfBranch(reference, branch))
}

/** Returns whether a reference has a tag, in whichever repository. */
export function isNamed(reference: string, tag: string): boolean {
  return (parseReference(reference).tag ?? 'latest') === tag
}

/** Returns the references that the production image gets besides its commit tag, whatever other runs have published. */
export function tagsOfCommit({ pullRequest, further }: Pick<Refs, 'pullRequest' | 'further'>): string[] {
  return [...(pullRequest === undefined ? [] : [pullRequest]), ...further]
}

/** Returns all references of the production image, except the moving tag, that a run may push. */
export function productionRefs(refs: Refs): string[] {
  return [refs.production, ...tagsOfCommit(refs), ...refs.branch]
}

/** Returns the moving tags, which only runs of the publishing branch set. */
export function movingTags(refs: Pick<Refs, 'movingBuilder' | 'movingProduction' | 'stages'>): string[] {
  return [refs.movingBuilder, ...Object.values(refs.stages).map(({ moving }) => moving), refs.movingProduction]
}
