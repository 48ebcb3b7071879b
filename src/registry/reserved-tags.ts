/** Returns whether the action itself uses such a tag, and reads something from it: `cache-` and `tested-` with a content key. */
export function isReservedTag(tag: string): boolean {
  return /^(cache|tested)-[0-9a-f]{16}$/.test(tag)
}

/** What a template of commit tags may have in place of the commit, and the form of the commit's digits there. */
const COMMIT_PLACES = { '{short}': '[0-9a-f]{7}', '{sha}': '[0-9a-f]{40}(?:[0-9a-f]{24})?' }

/** The template of the commit tags that every run knows. */
export const SHORT_TEMPLATE = '{short}'

/** Splits a template of commit tags at its only placeholder; undefined if it does not have exactly one. */
export function partsOfTemplate(template: string): [string, keyof typeof COMMIT_PLACES, string] | undefined {
  const [, before = '', place, after = ''] = /^([^{}]*)(\{short\}|\{sha\})([^{}]*)$/.exec(template) ?? []
  return place === undefined ? undefined : [before, place as keyof typeof COMMIT_PLACES, after]
}

/**
 * Returns the commit tag of a commit.
 *
 * @param template text with one placeholder, `{short}` or `{sha}`
 */
export function commitTagOf(template: string, sha: string): string {
  return template.replace('{short}', sha.slice(0, 7)).replace('{sha}', sha)
}

/** Returns whether a tag has the form of a commit tag: 7 hex digits, or as the template makes it. */
export function isCommitTag(tag: string, template = SHORT_TEMPLATE): boolean {
  if (/^[0-9a-f]{7}$/.test(tag)) return true
  const [before, place, after] = partsOfTemplate(template) ?? []
  if (before === undefined || place === undefined || after === undefined) return false
  if (!tag.startsWith(before) || !tag.endsWith(after)) return false
  return new RegExp(`^${COMMIT_PLACES[place]}$`).test(tag.slice(before.length, tag.length - after.length))
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

/** Returns the tag that docker/metadata-action makes of the name of a branch (`type=ref,event=branch`). */
export function tagOfBranch(branch: string): string {
  return branch.replaceAll(/[^a-zA-Z0-9._-]+/g, '-')
}

/** The moving tags that the inputs name. */
export interface NamedTags {
  builderTag: string
  latestTag: string
}

/** Does the same as `ownUseOf` for the tags of single platforms. */
export function ownUseOfPlatforms(
  tag: string,
  {
    platform,
    platforms,
    commitTag,
    ...named
  }: NamedTags & { commitTag: string; platform: string | undefined; platforms: readonly string[] }
): string | undefined {
  for (const one of platform === undefined ? platforms : [platform]) {
    const use = ownUseOf(tag, { ...named, builderTag: builderTagOf(named.builderTag, one) })
    if (use !== undefined) return use
    const end = `-${platformInTag(one)}`
    if (tag.endsWith(end) && isCommitTag(tag.slice(0, -end.length), commitTag)) {
      return 'the images of single platforms (input platforms)'
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
