import { UserError } from '../lib/errors.ts'
import { quote, show } from '../lib/text.ts'
import { isTag, parseReference, resolveTag, sameRepository } from '../registry/image-reference.ts'
import {
  candidateOf,
  commitTagOf,
  isCommitTag,
  isPullRequestTag,
  isReservedTag,
  keptCacheOf,
  ownUseOf,
  ownUseOfPlatforms,
  partsOfTemplate,
  SHORT_TEMPLATE
} from '../registry/reserved-tags.ts'
import { check, type Get, optional, tagName } from './input-values.ts'
import { type BranchInputs, checkPublishBranches, isTagOfBranch } from './publish-branches.ts'

/** Digits that are also decimal, and as many as a commit ID has at most. */
const SOME_COMMIT = '0'.repeat(64)

/** Reads the template of commit tags, which has one placeholder. */
export function commitTag(get: Get): string {
  const template = optional(get, 'commit-tag') ?? SHORT_TEMPLATE
  if (partsOfTemplate(template) === undefined) {
    throw new UserError(
      `Input commit-tag is ${quote(template)}; it must have exactly one of {short} and {sha}, for example sha-{short}`
    )
  }
  const tag = commitTagOf(template, SOME_COMMIT)
  if (!isTag(tag)) {
    throw new UserError(
      `Input commit-tag is ${quote(template)}, which makes no tag; a tag is at most 128 letters, digits, dots, dashes and underscores and begins with none of dot and dash`
    )
  }
  return template
}

export function furtherTag(image: string, item: string): string {
  const reference = check('tags', () => resolveTag(image, item))
  const { tag = '' } = parseReference(reference)
  if (isReservedTag(tag) && sameRepository(image, reference)) throw reserved('tags has', item)
  return reference
}

export function movingTag(get: Get, name: string, otherwise: string): string {
  const tag = tagName(get, name, otherwise)
  if (isReservedTag(tag) || isPullRequestTag(tag) || isCommitTag(tag)) throw reserved(`${name} is`, tag)
  return tag
}

function reserved(what: string, tag: string): UserError {
  return new UserError(
    `Input ${what} ${quote(tag)}, a tag that the action sets for purposes of its own; give one of another form than ${formOf(tag)}`
  )
}

function formOf(tag: string): string {
  if (isCommitTag(tag)) return '7 hex digits'
  return isPullRequestTag(tag) ? 'pr- and a number' : 'cache- or tested- and 16 hex digits'
}

/** The inputs that name tags. */
export interface TagInputs extends BranchInputs {
  platform: string | undefined
  platforms: readonly string[]
  image: string
  tags: readonly string[]
}

/**
 * Validates that no tag has two uses.
 *
 * @throws UserError
 */
export function crossCheckTags(inputs: TagInputs): void {
  const { image, builderTag, latestTag, tags } = inputs
  if (builderTag === latestTag) {
    throw new UserError(
      `Inputs builder-tag and latest-tag are both "${latestTag}"; give the builder image and the production image different tags`
    )
  }
  const twice = builderTag === keptCacheOf(latestTag) ? builderTag : latestTag
  if (twice === builderTag || ownUseOf(latestTag, inputs) !== undefined) {
    throw new UserError(
      `Inputs builder-tag and latest-tag are "${builderTag}" and "${latestTag}", so the action would use the tag "${twice}" for two images; change one of them`
    )
  }
  checkCommitTag(inputs)
  checkPublishBranches(inputs)
  for (const reference of tags.filter((one) => sameRepository(image, one))) {
    const { tag = '' } = parseReference(reference)
    const ofBranch = isTagOfBranch(tag, inputs) ? 'a branch of the input publish-branch' : undefined
    const taken = ownUseOf(tag, inputs) ?? ownUseOfPlatforms(tag, inputs) ?? ofBranch
    if (taken !== undefined) {
      throw new UserError(
        `Input tags has ${show(reference)}, but the action uses this tag for ${taken}; remove it, or change that input`
      )
    }
  }
}

/** Refuses a template that may make a tag which the action uses for something else. */
function checkCommitTag(inputs: TagInputs): void {
  const { builderTag, latestTag, commitTag: template } = inputs
  const some = [40, 64].map((digits) => commitTagOf(template, SOME_COMMIT.slice(0, digits)))
  const named = [builderTag, latestTag, candidateOf(builderTag), keptCacheOf(latestTag)]
  const taken =
    named.find((tag) => isCommitTag(tag, template)) ??
    some.find(
      (tag) =>
        isReservedTag(tag) || isPullRequestTag(tag) || ownUseOf(tag, inputs) !== undefined || isTagOfBranch(tag, inputs)
    )
  if (taken === undefined) return
  throw new UserError(
    `Input commit-tag is ${quote(template)}, but the action may use such a tag (${taken}) for something else; give another one, for example sha-{short}`
  )
}
