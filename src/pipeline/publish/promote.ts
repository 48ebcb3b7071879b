import { isCommitId, type Relation } from '../../git/git.ts'
import { timeOf } from '../../lib/bounds.ts'
import { within } from '../../lib/within.ts'
import { isOfAction, REVISION_LABEL } from '../../plan/labels.ts'
import type { Run } from '../../plan/run-context.ts'
import { BUILD_ARGS_LABEL, VARIANT_LABEL } from '../../plan/variant.ts'
import type { ImageRecord } from '../../registry/image.ts'
import { look } from '../../registry/look.ts'
import { commitTagOf } from '../../registry/reserved-tags.ts'
import { decideMove, type MoveDecision } from './promote-policy.ts'

/** The part of a run that promotion needs. */
export type PromoteRun = Pick<Run, 'plan' | 'registry' | 'git' | 'github' | 'log'>

/**
 * Inspects the published image, and decides whether this run's commit is newer.
 *
 * @param reference the moving tag of production, or another tag that is named after the branch
 */
export async function mayMove(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'github'>,
  reference = run.plan.refs.movingProduction
): Promise<MoveDecision> {
  const { refs, commit } = run.plan
  const isMoving = reference === refs.movingProduction
  const facts = { commit: commit.sha, branch: commit.branch, reference, isMoving }
  const { image, failure } = await run.registry.current(reference)
  if (failure) return decideMove(failure.kind === 'absent' ? { ...facts, published: null } : { ...facts, failure })
  const isMadeUp = isMoving && reference !== `${run.plan.inputs.image}:${run.plan.inputs.latestTag}`
  if (isMadeUp && !isOfAction(image.labels)) {
    const notice = `The moving tags are not updated: ${reference} names an image that this action did not make; delete that tag, or set the input latest-tag`
    return { move: false, notice }
  }
  const published = revisionOf(image)
  if (published === undefined) return decideMove({ ...facts, published })
  const toPublished = published === commit.sha ? 'identical' : await relation(run, published, commit.sha)
  if (toPublished === undefined) return decideMove({ ...facts, published, toPublished })
  const tip = await run.github.tip(commit.branch)
  if (toPublished === 'identical' || toPublished === 'ahead') {
    const mayBeLate = tip !== undefined && tip !== 'unknown' && tip !== commit.sha
    // a newer commit that reverts this one may have the image of an older one
    const retaggedFor = mayBeLate ? await findRetagged(run, image.digest) : undefined
    const tipToCommit = mayBeLate ? await relation(run, commit.sha, tip) : undefined
    return decideMove({ ...facts, published, toPublished, tipToCommit, retaggedFor })
  }
  const tipToCommit = tip === undefined || tip === 'unknown' ? tip : await relation(run, commit.sha, tip)
  const isInBranch = tip !== undefined && tip !== 'unknown' && tipToCommit === 'ahead'
  const tipToPublished = toPublished === 'behind' && isInBranch ? await relation(run, published, tip) : undefined
  const retaggedFor =
    toPublished !== 'behind' && tipToCommit === 'ahead' ? await findRetagged(run, image.digest) : undefined
  return decideMove({ ...facts, published, toPublished, tipToCommit, tipToPublished, retaggedFor })
}

/**
 * Returns the newer commit of the branch whose commit tag names an image with this digest. After a squash merge, such an image
 * may have been built for a commit that the branch does not contain.
 */
async function findRetagged(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'github'>,
  digest: string | undefined
): Promise<string | undefined> {
  if (digest === undefined) return undefined
  try {
    for (const newer of await findNewer(run, run.plan.commit.sha)) {
      if ((await run.registry.digest(commitTag(run, newer))).value === digest) return newer
    }
  } catch (error) {
    if (!(error instanceof NobodyKnows)) throw error
  }
  return undefined
}

function commitTag({ plan }: Pick<Run, 'plan'>, commit: string): string {
  return `${plan.inputs.image}:${commitTagOf(plan.inputs.commitTag, commit)}`
}

/** Determines the relation of two commits; queries GitHub only if the checkout does not contain the answer. */
async function relation(
  { git, github }: Pick<Run, 'git' | 'github'>,
  base: string,
  head: string
): Promise<Relation | undefined> {
  return (await git.relation(base, head)) ?? (await github.relation(base, head))
}

function revisionOf(image: ImageRecord | undefined): string | undefined {
  return image?.labels[REVISION_LABEL] || undefined
}

/** Moving tags that this run had set, and then set back to the image of a newer commit. */
export interface GivenBack {
  /** The newer commit. */
  commit: string
  references: string[]
}

/** Thrown if the newer commits of the branch cannot be determined. */
class NobodyKnows extends Error {}

/**
 * Looks, after promotion, for newer commits whose images are in the registry, and sets production's moving tag to the newest. A
 * run pushes its commit tag before it promotes. So of two concurrent runs, the one that promotes last sees the other's commit
 * here, and the newest has the tag in the end, however much time passed between a run's check and its promotion.
 *
 * @param moved the moving tags that this run set
 * @returns undefined if there is no newer commit, `unknown` if that cannot be determined
 */
export async function giveBack(run: PromoteRun, moved: readonly string[]): Promise<GivenBack | 'unknown' | undefined> {
  const { builds, refs } = run.plan
  const given = await giveTagsBack(run, [refs.movingProduction])
  if (given === undefined || given === 'unknown') return given
  const { commit } = given
  const references = [refs.movingProduction]
  for (const { moving, candidate } of builds) {
    if (moving === undefined || candidate === undefined || !moved.includes(moving)) continue
    // the other run's image has no commit tag, but may be the last one under the candidate tag
    const { image } = await run.registry.current(candidate)
    if (revisionOf(image) !== commit) continue
    const { failure } = await run.registry.tag(candidate, [moving])
    if (!failure) references.push(moving)
  }
  return { commit, references }
}

/** Does for tags of the production image, all set by this run, what `giveBack` does for the moving tag. */
export async function giveTagsBack(
  run: PromoteRun,
  references: readonly string[]
): Promise<GivenBack | 'unknown' | undefined> {
  const own = run.plan.commit.sha
  try {
    const commit = await giveToNewest(run, own, references)
    return commit === own ? undefined : { commit, references: [...references] }
  } catch (error) {
    if (error instanceof NobodyKnows) return 'unknown'
    throw error
  }
}

/** Sets tags to the newest published commit after `commit`, and returns that commit. */
async function giveToNewest(run: PromoteRun, commit: string, references: readonly string[]): Promise<string> {
  const { inputs } = run.plan
  for (const newer of await findNewer(run, commit)) {
    const reference = commitTag(run, newer)
    const { image, failure } = await run.registry.current(reference)
    if (failure?.kind === 'absent') continue
    const why = failure?.message ?? whyNotOurs(run, image, newer)
    // by digest: another run may set the tag after the inspection
    const source = image?.digest === undefined ? reference : `${inputs.image}@${image.digest}`
    const notSet = why ?? (await run.registry.tag(source, references)).failure?.message
    // meanwhile, an even newer one may have appeared
    if (notSet === undefined) return giveToNewest(run, newer, references)
    run.log.warning(
      `${reference} is newer than ${commit.slice(0, 7)}, but ${references.join(', ')} could not be set to it: ${notSet}`
    )
    break
  }
  return commit
}

/** Returns why the image under the tag of a newer commit is not what a run like this one made of that commit. */
function whyNotOurs({ plan }: Pick<Run, 'plan'>, image: ImageRecord | undefined, commit: string): string | undefined {
  const revision = revisionOf(image) ?? ''
  // an image that a run has only tagged names the commit for which it was built
  const isOther = revision !== commit && (!isCommitId(revision) || revision.startsWith(commit.slice(0, 7)))
  if (isOther) return `it is an image of commit ${revision || 'unknown'}, not of ${commit}`
  if (image?.labels[VARIANT_LABEL] === plan.variant) return undefined
  return `it is another variant of the image (label ${VARIANT_LABEL}); give each variant a repository of its own`
}

/** Returns how an image differs from that of this run, so that their jobs need repositories of their own; undefined if it does not. */
function whyOtherVariant({ plan }: Pick<Run, 'plan'>, image: ImageRecord | undefined): string | undefined {
  const { [VARIANT_LABEL]: variant = '', [BUILD_ARGS_LABEL]: buildArgs = '' } = image?.labels ?? {}
  if (variant !== '' && variant !== plan.variant)
    return 'with other tags, another target, platform, context or Dockerfile'
  return buildArgs === '' || buildArgs === plan.buildArgs ? undefined : 'with other build arguments'
}

/**
 * Warns if the tag of this commit names an image of another variant: the last run to push wins, and the tag then names an image
 * that its readers do not expect.
 */
export async function warnOfOtherVariant(run: Pick<Run, 'plan' | 'registry' | 'log'>): Promise<void> {
  const { production } = run.plan.refs
  const why = whyOtherVariant(run, (await look(run.registry, production)).image)
  if (why === undefined) return
  run.log.warning(
    `Another image of this commit is published as ${production}, ${why}, and this run replaces it; give each variant a repository of its own (input image)`
  )
}

/**
 * Warns if a concurrent run has given the tag of this commit to an image of another variant after this run has.
 *
 * @param digest of this run's image; '' if it was not pushed
 */
export async function warnOfReplacement(run: Pick<Run, 'plan' | 'registry' | 'log'>, digest: string): Promise<void> {
  const { production } = run.plan.refs
  if (digest === '') return
  const { value: now } = (await within(timeOf('look'), run.registry.digest(production))) ?? {}
  if (now === undefined || now === digest) return
  const why = whyOtherVariant(run, (await within(timeOf('look'), run.registry.current(production)))?.image)
  if (why === undefined) return
  run.log.warning(
    `A concurrent run has replaced the image of this run at ${production} by another image of this commit, ${why}; give each variant a repository of its own (input image)`
  )
}

/** Maximum number of newer commits to look up in the registry. */
const MOST_NEWER = 20

/**
 * Returns the commits of the branch after `commit`, the newest first.
 *
 * @throws NobodyKnows
 */
async function findNewer(run: Pick<Run, 'plan' | 'git' | 'github'>, commit: string): Promise<string[]> {
  const tip = await run.github.tip(run.plan.commit.branch)
  if (tip === commit) return []
  const chain = tip === undefined || tip === 'unknown' ? undefined : await run.github.firstParents(tip)
  if (tip === undefined || chain === undefined) throw new NobodyKnows()
  const own = chain.indexOf(commit)
  if (own !== -1) return chain.slice(0, own).slice(0, MOST_NEWER)
  const toTip = await relation(run, commit, tip)
  if (toTip === undefined || toTip === 'unknown') throw new NobodyKnows()
  // a tip in the history of this commit is an outdated answer of GitHub
  if (toTip === 'behind') return []
  // after a merge into another branch, or a force-push, the tip's chain leads past this commit to older ones
  const newer: string[] = []
  for (const one of chain.slice(0, MOST_NEWER)) {
    if (one !== tip && (await relation(run, commit, one)) !== toTip) break
    newer.push(one)
  }
  return newer
}
