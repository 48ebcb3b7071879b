/** Returns whether the action itself uses such a tag, and reads something from it: `cache-` and `tested-` with a content key. */
export function isReservedTag(tag: string): boolean {
  return /^(cache|tested)-[0-9a-f]{16}$/.test(tag)
}

/** Returns whether a tag has the form of a commit tag. */
export function isCommitTag(tag: string): boolean {
  return /^[0-9a-f]{7}$/.test(tag)
}

/** Returns whether a tag names the image of a pull request, as the action and docker/metadata-action do. */
export function isPullRequestTag(tag: string): boolean {
  return /^pr-[0-9]+$/.test(tag)
}
