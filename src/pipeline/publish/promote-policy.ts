import type { Relation } from '../../git/git.ts'
import type { RegistryFailure } from '../../registry/failure.ts'
import type { Failure } from '../../result/result.ts'

/** The facts by which a run decides whether to promote. Commits are full IDs. */
export interface MoveFacts {
  commit: string
  branch: string
  /** The moving tag of the production image, or another tag that is named after the branch. */
  reference: string
  /** Whether the decision is about the moving tags, all of which follow that of production. */
  isMoving: boolean
  /** The commit of the published image; undefined if the image names none, null if nothing is published. */
  published?: string | undefined | null
  /** Why the published image could not be read. */
  failure?: RegistryFailure
  /** Relation of this commit to the published one; undefined if neither git nor GitHub could tell. */
  toPublished?: Relation | undefined
  /** Relation of the branch's tip to this commit, likewise; only needed if the tip is not this commit. */
  tipToCommit?: Relation | undefined
  /** Relation of the tip to the published commit; only needed for a late run whose commit is in the branch. */
  tipToPublished?: Relation | undefined
  /** A newer commit of the branch whose own tag names the published image: it was built for another commit with the same content. */
  retaggedFor?: string | undefined
}

/** The decision whether to promote. */
export interface MoveDecision {
  move: boolean
  /** Why the moving tags stay, as one sentence. */
  notice?: string
  /** The read error because of which they stay; it fails the run. */
  failure?: Failure
  /** What was unknown although they move, as one sentence. */
  warning?: string
}

/**
 * Decides whether promotion would bring the moving tags forward. Runs of a branch end in any order, and a late one must not
 * revert a newer promotion. After a force-push, the branch's tip determines which commit is newer. If the published image cannot
 * be read, it is unknown what a promotion would revert: the tags stay. Only an image that names no commit, and an unknown order
 * of commits, do not block a release.
 */
export function decideMove(facts: MoveFacts): MoveDecision {
  const {
    commit,
    branch,
    reference,
    isMoving,
    published,
    failure,
    toPublished,
    tipToCommit,
    tipToPublished,
    retaggedFor
  } = facts
  const [own, other] = [commit.slice(0, 7), (published ?? '').slice(0, 7)]
  if (failure) {
    return { move: false, failure: { kind: 'guard', reference, failure } }
  }
  if (published === null) return { move: true }
  if (published === undefined) {
    return {
      move: true,
      warning: `The published image ${reference} names no commit; updating it to ${own}, although that may be an older commit`
    }
  }
  const stay = (why: string): MoveDecision => ({
    move: false,
    notice: `${isMoving ? 'The moving tags are' : `${reference} is`} not updated: ${why}`
  })
  const unknown: MoveDecision = {
    move: true,
    warning: `Cannot determine whether ${own} is newer than ${other}, the commit published as ${reference}; updating ${reference} anyway. Give github-token the permission contents: read, or check out with fetch-depth: 0`
  }
  switch (toPublished) {
    case 'behind':
      if (tipToCommit === 'identical') {
        const warning = `${reference} goes back from ${other} to ${own}, because branch ${JSON.stringify(branch)} does`
        return { move: true, warning }
      }
      // a tip behind the published commit could be an outdated answer of GitHub
      if (tipToCommit === 'ahead' && tipToPublished === 'diverged') {
        const warning = `${reference} goes back from ${other} to ${own}, because branch ${JSON.stringify(branch)} no longer contains ${other}`
        return { move: true, warning }
      }
      return stay(`${reference} already names the newer commit ${other}; this run of ${own} is late`)
    case undefined:
      return unknown
  }
  if (retaggedFor !== undefined) {
    const newer = retaggedFor.slice(0, 7)
    return stay(`${reference} already names the image of the newer commit ${newer}; this run of ${own} is late`)
  }
  const dropped = stay(
    `branch ${JSON.stringify(branch)} no longer contains commit ${own}, and ${reference} names ${other}`
  )
  if (toPublished === 'identical' || toPublished === 'ahead') {
    if (tipToCommit === 'diverged') return dropped
    // the branch was reset, or GitHub's answer is outdated
    const warning = `Cannot determine whether branch ${JSON.stringify(branch)} still contains ${own}, because GitHub names an older commit as its tip; updating ${reference} anyway`
    return { move: true, ...(tipToCommit === 'behind' && { warning }) }
  }
  if (tipToCommit === 'ahead' || tipToCommit === 'identical') return { move: true }
  if (tipToCommit === undefined || tipToCommit === 'unknown') return unknown
  return dropped
}
