import type { Relation } from '../../git/git.ts'
import type { RegistryFailure } from '../../registry/failure.ts'
import type { Failure } from '../../result/result.ts'

/** What is known when a run may move the moving tags. Commits are full ids. */
export interface MoveFacts {
  commit: string
  branch: string
  /** The moving tag of the production image. */
  reference: string
  /** The commit of the image that is published: undefined if the image names none, null if nothing is published. */
  published?: string | undefined | null
  /** Why the published image could not be read. */
  failure?: RegistryFailure
  /** How this commit stands to the published one; undefined if nobody could be asked. */
  toPublished?: Relation | undefined
  /** How the branch's tip stands to this commit; likewise. It is of interest unless this commit follows the published one. */
  tipToCommit?: Relation | undefined
}

/** Whether the moving tags move. */
export interface MoveDecision {
  move: boolean
  /** One sentence on why they stay. */
  notice?: string
  /** What could not be read, so that they stay: the run fails. */
  failure?: Failure
  /** One sentence on what was not known, if they move in spite of it. */
  warning?: string
}

/**
 * Decides whether moving the tags would bring them forward. Runs of a branch end in any order, and one that is late must not
 * take back what a newer one has published. After a force-push the branch's tip says what is newer. Where the published image
 * cannot be read, nobody knows what the move would take back: the tags stay. Only an image that names no commit, and an order of
 * commits that nobody can tell, do not hold up a release.
 */
export function decideMove(facts: MoveFacts): MoveDecision {
  const { commit, branch, reference, published, failure, toPublished, tipToCommit } = facts
  const [own, other] = [commit.slice(0, 7), (published ?? '').slice(0, 7)]
  if (failure) {
    return { move: false, failure: { kind: 'guard', reference, failure } }
  }
  if (published === null) return { move: true }
  if (published === undefined) {
    return {
      move: true,
      warning: `The published image ${reference} names no commit, so it moves to ${own} although that might be an older one`
    }
  }
  const stay = (why: string): MoveDecision => ({
    move: false,
    notice: `The moving tags stay where they are: ${why}`
  })
  const unknown: MoveDecision = {
    move: true,
    warning: `Nobody could be asked whether ${own} is newer than ${other}, of which ${reference} is, so it moves; give github-token the permission contents: read, or check out with fetch-depth: 0`
  }
  switch (toPublished) {
    case 'identical':
    case 'ahead':
      return { move: true }
    case 'behind':
      if (tipToCommit === 'identical') {
        const warning = `${reference} goes back from ${other} to ${own}, because branch ${JSON.stringify(branch)} does`
        return { move: true, warning }
      }
      return stay(`${reference} is of the newer commit ${other} already, and this run of ${own} is late`)
    case undefined:
      return unknown
  }
  if (tipToCommit === 'ahead' || tipToCommit === 'identical') return { move: true }
  if (tipToCommit === undefined || tipToCommit === 'unknown') return unknown
  return stay(`branch ${JSON.stringify(branch)} does not have commit ${own} any more, and ${reference} is of ${other}`)
}
