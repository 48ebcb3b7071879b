import type { Event } from '../../testbed/runner.ts'

const REPOSITORY = { id: 1, full_name: 'octo/app', default_branch: 'master' }
const FORK = { id: 2, full_name: 'mallory/app', fork: true }

/**
 * The event of a pull request.
 *
 * @param sha   the merge commit, which the default checkout of such a run has
 * @param head  the last commit of the pull request's branch
 * @param fork  whether the branch is in another repository
 */
export function pullRequestEvent(
  sha: string,
  { number, head, branch, fork = false }: { number: number; head: string; branch: string; fork?: boolean }
): Event {
  return {
    name: 'pull_request',
    sha,
    ref: `refs/pull/${number}/merge`,
    payload: {
      action: 'synchronize',
      number,
      pull_request: {
        number,
        head: { sha: head, ref: branch, repo: fork ? FORK : REPOSITORY },
        user: { login: fork ? 'mallory' : 'octocat' }
      },
      repository: REPOSITORY
    }
  }
}

/** The event of a merge queue, which tests the commit that master will have. */
export function mergeGroupEvent(sha: string, branch: string): Event {
  const ref = `refs/heads/${branch}`
  return {
    name: 'merge_group',
    sha,
    ref,
    payload: { merge_group: { head_sha: sha, head_ref: ref, base_ref: 'refs/heads/master' }, repository: REPOSITORY }
  }
}

/** The event of a push of a tag. */
export function tagEvent(sha: string, tag: string): Event {
  const ref = `refs/tags/${tag}`
  return { name: 'push', sha, ref, payload: { ref, after: sha, repository: REPOSITORY } }
}

/** The event of a published release. */
export function releaseEvent(sha: string, tag: string): Event {
  return {
    name: 'release',
    sha,
    ref: `refs/tags/${tag}`,
    payload: { action: 'published', release: { tag_name: tag }, repository: REPOSITORY }
  }
}
