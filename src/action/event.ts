import { at, text } from '../lib/json.ts'
import { quote } from '../lib/text.ts'

/** The subject of a run: the commit, its branch, and the origin of the code. */
export interface Commit {
  /** `push`, `pull_request`, …; `local` outside GitHub */
  event: string
  /** The commit to build and tag, that of the checkout: full id, lower-case hex (40 digits, or 64 in a SHA-256 repository). */
  sha: string
  /** The first 7 digits of `sha`. */
  shortSha: string
  /** The commit that the event is about; for a pull request, the merge commit. */
  eventSha: string
  /** Whether `sha` is the event's own commit; `unknown` if git could not tell, so that `sha` is the event's by assumption. */
  checkout: 'own' | 'other' | 'unknown'
  /** Short branch name; '' without a branch (a tag, a detached HEAD) and for a name that git does not allow. */
  branch: string
  /** Short tag name if the event's ref is a tag (its push, its release, a dispatch on it), otherwise ''. */
  tag: string
  /** Whether the code comes, or may come, from another repository than the workflow's. */
  isFork: boolean
  /** Whether the actor or the pull request's author is Dependabot: a run with a read-only token and without secrets. */
  isDependabot: boolean
  /** Whether the event is about a pull request and contains its head: `pull_request`, `pull_request_target`, the reviews. */
  isPullRequest: boolean
  /** Number of the pull request, if `sha` contains its changes: its head, or its merge commit. */
  pullRequest?: number
  /** The repository's default branch, if the event contains it. */
  defaultBranch?: string
  /** `owner/name` of the repository in which the workflow runs; '' if unknown */
  repository: string
  /** `https://github.com/owner/name`, or on a GitHub Enterprise server; '' if unknown */
  sourceUrl: string
  /** Commit time of `sha`, `YYYY-MM-DDTHH:MM:SSZ`, if git knows it, or the payload contains it for exactly that commit. */
  commitTime?: string
}

/** The commit of the checkout, from git. */
export interface LocalGit {
  sha: string
  /** '' or `HEAD` when detached. Only for runs without an event. */
  branch: string
  /** Commit time, `YYYY-MM-DDTHH:MM:SSZ`. */
  time?: string
}

/** No commit can be determined. The message is one sentence for users. */
export class EventError extends Error {
  override name = 'EventError'
}

/**
 * Reads the commit to build from git, and its origin from the variables and the payload that GitHub gives a run
 * (docs.github.com, "Variables reference" and "Events that trigger workflows").
 *
 * A tag that names a commit must hold the files of that commit, so the checkout determines the commit, whatever the event is
 * about. Reads the heads of merge groups and workflow runs from the payload, and the event's other commits from `GITHUB_SHA`:
 * for `workflow_run`, that is the tip of the default branch.
 *
 * @param env     the variables of the process; reads only `GITHUB_*`
 * @param payload the parsed file at `GITHUB_EVENT_PATH`; it may have any shape
 * @param git     the commit of the checkout; undefined without git or a repository
 * @throws EventError if no commit can be determined
 */
export function readCommit(env: Record<string, string | undefined>, payload: unknown, git?: LocalGit): Commit {
  const event = env.GITHUB_EVENT_NAME || 'local'
  const isPullRequest = event.startsWith('pull_request')
  const ref = readRef(env)
  const revision = readRevision(event, env, payload, ref, git)
  const head = commitId(git?.sha)
  const sha = head || revision.sha
  const pullHead = isPullRequest ? commitId(at(payload, 'pull_request', 'head', 'sha')) : ''
  const isOwn = sha === revision.sha || sha === pullHead
  // GITHUB_SHA of pull_request_target is the base branch, without the changes
  const hasChanges = isPullRequest && isOwn && (sha === pullHead || event !== 'pull_request_target')
  const number = hasChanges ? positive(at(payload, 'pull_request', 'number')) : undefined
  const time = (head && git?.time) || commitTime(headCommit(event, payload), sha)
  const defaultBranch =
    refName(at(payload, 'repository', 'default_branch')) ||
    // A schedule runs only on the default branch, and its payload has no repository.
    (event === 'schedule' ? ref.branch : '')
  const repository = repositoryName(env.GITHUB_REPOSITORY) || repositoryName(at(payload, 'repository', 'full_name'))
  return {
    event,
    sha,
    shortSha: sha.slice(0, 7),
    eventSha: revision.sha,
    checkout: head === '' ? 'unknown' : isOwn ? 'own' : 'other',
    branch: revision.branch,
    tag: revision.tag,
    isFork: isForeign(event, payload),
    isDependabot: [
      env.GITHUB_ACTOR,
      at(payload, 'pull_request', 'user', 'login'),
      at(payload, 'workflow_run', 'actor', 'login')
    ].includes('dependabot[bot]'),
    isPullRequest,
    ...(number !== undefined && { pullRequest: number }),
    ...(defaultBranch && { defaultBranch }),
    repository,
    sourceUrl: sourceUrl(env.GITHUB_SERVER_URL, repository),
    ...(time && { commitTime: time })
  }
}

interface Ref {
  branch: string
  tag: string
}

interface Revision extends Ref {
  sha: string
}

function readRevision(
  event: string,
  env: Record<string, string | undefined>,
  payload: unknown,
  ref: Ref,
  git: LocalGit | undefined
): Revision {
  if (event === 'workflow_run') {
    return payloadRevision(event, 'workflow_run.head_sha', at(payload, 'workflow_run', 'head_sha'), {
      branch: refName(at(payload, 'workflow_run', 'head_branch')),
      tag: ''
    })
  }
  if (event === 'merge_group') {
    return payloadRevision(event, 'merge_group.head_sha', at(payload, 'merge_group', 'head_sha'), {
      branch: shortName(at(payload, 'merge_group', 'head_ref'), 'refs/heads/'),
      tag: ''
    })
  }
  if (event === 'push' && isDeletion(payload)) {
    // For such an event, the variables name the default branch, which is not its subject.
    throw new EventError(`The push event deletes ${quote(text(at(payload, 'ref')))}, so there is no commit to build.`)
  }
  if (event === 'local' && !env.GITHUB_SHA) {
    const sha = commitId(git?.sha)
    if (!sha) throw new EventError('There is no commit to build: neither a GitHub event nor git names one.')
    return { sha, branch: git?.branch === 'HEAD' ? '' : refName(git?.branch), tag: '' }
  }
  const sha = commitId(env.GITHUB_SHA)
  if (!sha) {
    throw new EventError(
      `There is no commit to build: GITHUB_SHA is ${quote(env.GITHUB_SHA ?? '')}, which is no full commit id.`
    )
  }
  if (event.startsWith('pull_request')) {
    return { sha, branch: refName(at(payload, 'pull_request', 'head', 'ref')), tag: '' }
  }
  // A release builds its tag, even if GITHUB_REF does not contain it.
  if (event === 'release') return { sha, branch: '', tag: ref.tag || refName(at(payload, 'release', 'tag_name')) }
  return { sha, ...ref }
}

/** Returns a revision that the payload names. Does not fall back to GITHUB_SHA: for these events it is another commit. */
function payloadRevision(event: string, field: string, value: unknown, ref: Ref): Revision {
  const sha = commitId(value)
  if (!sha) throw new EventError(`There is no commit to build: the ${quote(event)} event's payload has no ${field}.`)
  return { sha, ...ref }
}

/** Reads the branch or tag in GITHUB_REF, which may be unqualified (actions/checkout, `input-helper.ts`). */
function readRef(env: Record<string, string | undefined>): Ref {
  const ref = env.GITHUB_REF ?? ''
  if (ref.startsWith('refs/')) return { branch: shortName(ref, 'refs/heads/'), tag: shortName(ref, 'refs/tags/') }
  const name = refName(env.GITHUB_REF_NAME || ref)
  return {
    branch: env.GITHUB_REF_TYPE === 'branch' ? name : '',
    tag: env.GITHUB_REF_TYPE === 'tag' ? name : ''
  }
}

function isDeletion(payload: unknown): boolean {
  return at(payload, 'deleted') === true || /^0+$/.test(text(at(payload, 'after')))
}

/** Returns whether the code may come from another repository. If an event has a head, only equal ids prove the contrary. */
function isForeign(event: string, payload: unknown): boolean {
  const repository = at(payload, 'repository', 'id')
  if (event.startsWith('pull_request')) return !sameId(at(payload, 'pull_request', 'head', 'repo', 'id'), repository)
  if (event === 'workflow_run') return !sameId(at(payload, 'workflow_run', 'head_repository', 'id'), repository)
  return false
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}

function sameId(a: unknown, b: unknown): boolean {
  return Number.isSafeInteger(a) && a === b
}

function headCommit(event: string, payload: unknown): unknown {
  if (event === 'push') return at(payload, 'head_commit')
  if (event === 'merge_group') return at(payload, 'merge_group', 'head_commit')
  if (event === 'workflow_run') return at(payload, 'workflow_run', 'head_commit')
  return undefined
}

/** Returns the commit time in UTC to the second, or '' if it belongs to another commit or is not a date. */
function commitTime(commit: unknown, sha: string): string {
  if (commitId(at(commit, 'id')) !== sha) return ''
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text(at(commit, 'timestamp')))
  const [, local = '', zone = ''] = match ?? []
  // Date parses 30 February as 1 March: only a real date stays the same when formatted again.
  if (isoSeconds(`${local}Z`) !== `${local}Z`) return ''
  return isoSeconds(`${local}${zone}`)
}

function isoSeconds(time: string): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return ''
  const [seconds = ''] = /^\d{4}-.{14}/.exec(date.toISOString()) ?? []
  return seconds && `${seconds}Z`
}

/** Returns a full commit id in lower case, and '' for anything else, including the null id of a deletion. */
function commitId(value: unknown): string {
  const id = text(value).toLowerCase()
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(id) && !/^0+$/.test(id) ? id : ''
}

function shortName(ref: unknown, prefix: string): string {
  const name = text(ref)
  return name.startsWith(prefix) ? refName(name.slice(prefix.length)) : ''
}

/**
 * Returns the short name of a branch or tag, or '' for a name that git rejects (git-check-ref-format(1)) or that contains
 * control characters beyond ASCII. Such a name is forged. The function drops it instead of repairing it: '' never equals
 * the publishing branch, but `mas<newline>ter` without its newline would equal `master`.
 */
function refName(value: unknown): string {
  const name = text(value)
  const refused = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp} ~^:?*[\\]|\.\.|@\{|\/\/|^@$|^\/|\/$|\.$|(?:^|\/)\.|\.lock(?:\/|$)/u.test(
    name
  )
  return refused ? '' : name
}

function repositoryName(value: unknown): string {
  const name = text(value)
  return /^[\w.-]+\/[\w.-]+$/.test(name) ? name : ''
}

function sourceUrl(server: string | undefined, repository: string): string {
  const match = /^(https?:\/\/[A-Za-z0-9.-]+(?::\d+)?(?:\/[\w.-]+)*)\/*$/.exec(server ?? '')
  return match?.[1] && repository ? `${match[1]}/${repository}` : ''
}
