import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import { isTag } from '../registry/image-reference.ts'
import {
  candidateOf,
  isCommitTag,
  isPullRequestTag,
  isReservedTag,
  keptCacheOf,
  type NamedTags,
  ownUseOf,
  tagOfBranch
} from '../registry/reserved-tags.ts'
import { type Get, words } from './input-values.ts'

/** The inputs that decide about the moving tags of branches. */
export interface BranchInputs extends NamedTags {
  commitTag: string
  publishBranch: readonly string[]
}

/**
 * Reads names of branches, and after the first one also patterns with one `*`, which stands for any text without a slash.
 * Expressions such as github.ref give a name as a ref.
 *
 * @throws UserError
 */
export function readPublishBranches(get: Get): string[] {
  const items = words(get, 'publish-branch').map((item) => item.replace(/^refs\/heads\//, ''))
  for (const [index, item] of items.entries()) {
    const wrong = whyNoBranch(item, index === 0)
    if (wrong !== undefined) throw new UserError(`Input publish-branch has ${quote(item)}; ${wrong}`)
  }
  return [...new Set(items)]
}

function whyNoBranch(item: string, isFirst: boolean): string | undefined {
  if (item === '' || /^refs\/|[\s?[\\]/.test(item)) {
    return 'each line must be the name of a branch, for example main, or after the first line a pattern, for example release/*'
  }
  if (item.split('*').length > 2) return 'a pattern may have one *'
  if (isFirst && item.includes('*')) {
    return 'the first line must be the name of one branch, because only its runs set the tags of builder-tag and latest-tag'
  }
  return undefined
}

/** Returns whether the name of a branch is an item of the input `publish-branch`, or fits its pattern. */
export function fits(branch: string, item: string): boolean {
  const [before = '', after] = item.split('*')
  if (after === undefined) return branch === item
  return isAround(branch, before, after) && !branch.slice(before.length, branch.length - after.length).includes('/')
}

function isAround(text: string, before: string, after: string): boolean {
  return text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after)
}

/** Returns the moving tags of a further publishing branch. */
export function movingTagsOf(branch: string, { builderTag, latestTag }: NamedTags): NamedTags {
  const tag = tagOfBranch(branch)
  return { builderTag: `${builderTag}-${tag}`, latestTag: `${latestTag}-${tag}` }
}

/** Returns why a further publishing branch cannot have moving tags of its own, as a clause; undefined if it can. */
export function whyNoMovingTags(branch: string, inputs: BranchInputs): string | undefined {
  const own = movingTagsOf(branch, inputs)
  const all = [own.builderTag, own.latestTag, candidateOf(own.builderTag), keptCacheOf(own.latestTag)]
  const long = all.find((tag) => !isTag(tag))
  if (long !== undefined) return `its tag ${long} would be longer than a registry allows (128 characters)`
  const taken = all.find((tag) => isTaken(tag, inputs))
  if (taken !== undefined) return `the action uses the tag ${taken} for something else`
  if (/(^|-)(next|cache)$|(^|-)stage-/.test(tagOfBranch(branch))) {
    return `the action may use the tags ${own.builderTag} and ${own.latestTag} for something else of another branch`
  }
  const rival = findRival(branch, inputs.publishBranch)
  return (
    rival && `its tag ${own.latestTag} would also be that of branch ${quote(rival)}, which the input names or allows`
  )
}

/** Returns whether a tag of a further publishing branch has another use. */
function isTaken(tag: string, inputs: BranchInputs): boolean {
  const { builderTag, latestTag, commitTag } = inputs
  const own = [builderTag, latestTag, candidateOf(builderTag), keptCacheOf(latestTag)]
  const isOfAction = own.includes(tag) || ownUseOf(tag, inputs) !== undefined
  return isOfAction || isReservedTag(tag) || isPullRequestTag(tag) || isCommitTag(tag, commitTag)
}

/** Returns another further publishing branch that exists or may exist, and has the same moving tags. */
function findRival(branch: string, [first, ...further]: readonly string[]): string | undefined {
  const tag = tagOfBranch(branch)
  const rivals = further.map((item) => {
    const [before = '', after] = item.split('*')
    if (after === undefined) return tagOfBranch(item) === tag ? item : branch
    const [tagBefore, tagAfter] = [tagOfBranch(before), tagOfBranch(after)]
    if (!isAround(tag, tagBefore, tagAfter)) return branch
    return `${before}${tag.slice(tagBefore.length, tag.length - tagAfter.length)}${after}`
  })
  return rivals.find((rival) => rival !== branch && rival !== first)
}

/** Returns whether a tag is one that the action uses for a further publishing branch, or may use. */
export function isTagOfBranch(tag: string, inputs: BranchInputs): boolean {
  return inputs.publishBranch.slice(1).some((item) => {
    const [before = '', after] = item.split('*')
    if (after === undefined) {
      const own = movingTagsOf(item, inputs)
      return tag === own.latestTag || ownUseOf(tag, own) !== undefined
    }
    const names = [inputs.builderTag, inputs.latestTag]
    return names.some((name) => isAround(tag, `${name}-${tagOfBranch(before)}`, tagOfBranch(after)))
  })
}

/** @throws UserError if the moving tags of two branches could be the same */
export function checkPublishBranches(inputs: BranchInputs): void {
  const { builderTag, latestTag, publishBranch } = inputs
  if (publishBranch.length > 1 && (builderTag.startsWith(`${latestTag}-`) || latestTag.startsWith(`${builderTag}-`))) {
    throw new UserError(
      `Inputs builder-tag and latest-tag are "${builderTag}" and "${latestTag}", so moving tags of the branches of the input publish-branch could be the same; let neither begin with the other and a dash`
    )
  }
  for (const branch of publishBranch.slice(1).filter((item) => !item.includes('*'))) {
    const why = whyNoMovingTags(branch, inputs)
    if (why === undefined) continue
    throw new UserError(
      `Input publish-branch has ${quote(branch)}, which cannot have moving tags of its own: ${why}; remove it, or rename the branch`
    )
  }
}
