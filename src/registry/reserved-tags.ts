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

/** Returns the candidate tag, under which the action inspects an image before promotion, for a moving tag of the builder image. */
export function candidateOf(builderTag: string): string {
  return `${builderTag}-next`
}

/** Returns the form of a platform in tags: `linux-arm64`. */
export function platformInTag(platform: string): string {
  return platform.toLowerCase().replaceAll('/', '-')
}

/** Returns the moving tag of the builder image of one platform: no two platforms share a builder image. */
export function builderTagOf(builderTag: string, platform: string | undefined): string {
  return platform === undefined ? builderTag : `${builderTag}-${platformInTag(platform)}`
}

/** Returns the tag of one platform's image of a commit, from which an index of all platforms is made. */
export function platformTagOf(commitTag: string, platform: string): string {
  return `${commitTag}-${platformInTag(platform)}`
}

/** Returns the tag of the kept cache, for production's moving tag or its reference. */
export function keptCacheOf(latest: string): string {
  return `${latest}-cache`
}

/**
 * Returns the tag of a cache stage's image for the corresponding tag of the builder image: moving, candidate or local. No two
 * stages of a Dockerfile share one, because docker allows no stage name that begins with a digit (bk: instructions/parse.go).
 */
export function stageTagOf(builderTag: string, { name, index }: { name?: string; index: number }): string {
  return `${builderTag}-stage-${name ?? index}`
}

/** The moving tags that the inputs name. */
export interface NamedTags {
  builderTag: string
  latestTag: string
}

/** Does the same as `ownUseOf` for the tags of single platforms. */
export function ownUseOfPlatforms(
  tag: string,
  { platform, platforms, ...named }: NamedTags & { platform: string | undefined; platforms: readonly string[] }
): string | undefined {
  for (const one of platform === undefined ? platforms : [platform]) {
    const use = ownUseOf(tag, { ...named, builderTag: builderTagOf(named.builderTag, one) })
    if (use !== undefined) return use
    if (tag.length > 7 && tag === platformTagOf(tag.slice(0, 7), one) && isCommitTag(tag.slice(0, 7))) {
      return `the images of single platforms (input platforms)`
    }
  }
  return undefined
}

/** Returns what the action itself uses a tag for, as a noun phrase with the input that names it; undefined if it does not. */
export function ownUseOf(tag: string, { builderTag, latestTag }: NamedTags): string | undefined {
  if (tag === builderTag) return 'the builder image (input builder-tag)'
  if (tag === keptCacheOf(latestTag)) return 'the kept cache of the production image (input latest-tag)'
  const rest = tag.startsWith(`${builderTag}-`) ? tag.slice(builderTag.length + 1) : ''
  const [, prefix, stage] = /^(next|[0-9a-f]{7})?(?:(?:^|-)(stage)-.+)?$/.exec(rest) ?? []
  if (stage !== undefined) return 'the images of cache stages (input builder-tag)'
  if (prefix === undefined) return undefined
  return `${prefix === 'next' ? 'candidates for' : 'local copies of'} the builder image (input builder-tag)`
}
