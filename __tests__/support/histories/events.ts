import { mergeGroupEvent, pullRequestEvent, releaseEvent, tagEvent } from '../workflow-events.ts'

export type EventKind =
  | 'push'
  | 'pull_request'
  | 'merge_group'
  | 'schedule'
  | 'workflow_dispatch'
  | 'repository_dispatch'
  | 'tag'
  | 'release'
  | 'pull_request_target'
  | 'workflow_run'
  | 'issue_comment'
  | 'local'

/** Something that causes a run. */
export interface HistoryEvent {
  kind: EventKind
  branch: string
  sha: string
  /** The commit that the workflow checks out. */
  checkout: string
  /** Head and number of a pull request. */
  head?: string
  number?: number
  isFork: boolean
  isDependabot: boolean
}

/** An event as the runner tells it, and what the rules say of its runs. */
export interface DescribedEvent {
  title: string
  env: Record<string, string>
  payload: unknown
  isTrusted: boolean
  isOfPublishingBranch: boolean
  /** Whether the checkout is at the event's own commit. */
  isOwn: boolean
  /** The branch that the event is about, and not a pull request or a tag. */
  branch: string
  /** Tags as docker/metadata-action makes them. */
  tags: string[]
}

const REPOSITORY = { id: 1, full_name: 'octo/app', default_branch: 'master' }

/** Events of people who may write to the repository, about its code. */
const TRUSTED: readonly EventKind[] = [
  ...(['push', 'pull_request', 'merge_group', 'schedule', 'workflow_dispatch', 'repository_dispatch'] as const),
  ...(['tag', 'release'] as const)
]

const OF_BRANCH: readonly EventKind[] = ['push', 'schedule', 'workflow_dispatch', 'repository_dispatch']

export function eventOf(event: HistoryEvent): DescribedEvent {
  const { kind, branch, sha, checkout, head, isFork, isDependabot } = event
  const { name, ref, payload, tags } = told(event)
  const isOwn = checkout === sha || checkout === head
  const isTrusted = TRUSTED.includes(kind) && !isFork && !isDependabot
  const isOfBranch = OF_BRANCH.includes(kind)
  const where = isOwn ? checkout.slice(0, 7) : `${checkout.slice(0, 7)}, not ${sha.slice(0, 7)}`
  return {
    title: `${kind} on ${branch} at ${where}${isFork ? ' (fork)' : ''}${isDependabot ? ' (Dependabot)' : ''}`,
    env:
      kind === 'local'
        ? {}
        : {
            GITHUB_EVENT_NAME: name,
            GITHUB_SHA: sha,
            GITHUB_REF: ref,
            GITHUB_REPOSITORY: 'octo/app',
            GITHUB_ACTOR: isDependabot ? 'dependabot[bot]' : 'octocat'
          },
    payload,
    isTrusted,
    isOfPublishingBranch: isTrusted && isOfBranch && branch === 'master' && checkout === sha,
    isOwn,
    branch: isOfBranch ? branch : '',
    tags
  }
}

function told({ kind, branch, sha, head = '', number = 0, isFork }: HistoryEvent): {
  name: string
  ref: string
  payload: unknown
  tags: string[]
} {
  const ofBranch = { name: kind, ref: `refs/heads/${branch}`, tags: [branch] }
  switch (kind) {
    case 'pull_request': {
      const event = pullRequestEvent(sha, { number, head, branch, fork: isFork })
      // a branch of that name, too, as type=ref,event=branch with the head's name would be
      return { name: kind, ref: event.ref, payload: event.payload, tags: [branch] }
    }
    case 'merge_group':
      return { ...mergeGroupEvent(sha, `gh-readonly-queue/${branch}/pr-1`), tags: [branch] }
    case 'tag':
      return { ...tagEvent(sha, 'v1'), tags: ['v1'] }
    case 'release':
      return { ...releaseEvent(sha, 'v1'), tags: ['v1'] }
    case 'pull_request_target': {
      const repo = isFork ? { id: 2, full_name: 'mallory/app', fork: true } : REPOSITORY
      const pull = { number: 1, head: { sha: head || sha, ref: branch, repo }, user: { login: 'mallory' } }
      return { ...ofBranch, payload: { number: 1, pull_request: pull, repository: REPOSITORY } }
    }
    case 'workflow_run': {
      const run = { head_sha: sha, head_branch: branch, head_repository: isFork ? { id: 2 } : REPOSITORY }
      return { ...ofBranch, payload: { workflow_run: run, repository: REPOSITORY } }
    }
    case 'schedule':
      return { ...ofBranch, payload: { schedule: '0 0 * * *' } }
    default:
      return { ...ofBranch, payload: { ref: ofBranch.ref, after: sha, repository: REPOSITORY } }
  }
}
