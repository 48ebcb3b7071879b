import { at, text } from '../lib/json.ts'
import { quote } from '../lib/text.ts'

/** What a run builds: the commit, its branch, and whose code it is. */
export interface Commit {
  /** `push`, `pull_request`, …; `local` outside GitHub */
  event: string
  /** The commit that is built and tagged: full id, lower-case hex (40 digits, or 64 in a SHA-256 repository). */
  sha: string
  /** The first 7 digits of `sha`. */
  shortSha: string
  /** Short branch name; '' where there is none (a tag, a detached HEAD) and where git could not hold the name. */
  branch: string
  /** Short tag name where the event's ref is a tag (its push, its release, a dispatch on it), else ''. */
  tag: string
  /** The code comes from another repository than the one the workflow runs in, or may do so. */
  isFork: boolean
  /** The actor or the pull request's author is Dependabot: a read-only token and no secrets. */
  isDependabot: boolean
  /** Any event about a pull request that carries its head: `pull_request`, `pull_request_target`, the reviews. */
  isPullRequest: boolean
  /** The repository's default branch, where the event tells it. */
  defaultBranch?: string
  /** `owner/name` of the repository the workflow runs in; '' if unknown */
  repository: string
  /** `https://github.com/owner/name` or a GitHub Enterprise server's; '' if unknown */
  sourceUrl: string
  /** When `sha` was committed, `YYYY-MM-DDTHH:MM:SSZ`, where the payload says so of exactly that commit. */
  commitTime?: string
}

/** What git says of the work tree: `branch` is '' or `HEAD` when detached. For runs outside any event. */
export interface LocalGit {
  sha: string
  branch: string
}

/** There is no commit to name. The message is one sentence for people. */
export class EventError extends Error {
  override name = 'EventError'
}

/**
 * Reads what is built from the variables and the payload GitHub gives a run
 * (docs.github.com, "Variables reference" and "Events that trigger workflows").
 *
 * Heads of pull requests, merge groups and workflow runs are read from the payload, everything else from the
 * variables: `GITHUB_SHA` is a pull request's merge commit and, for `workflow_run`, the default branch's tip.
 *
 * @param env     the process's variables; only `GITHUB_*` are read
 * @param payload the parsed file at `GITHUB_EVENT_PATH`; of any shape, nothing in it is relied upon
 * @param git     the work tree's commit, used only if no variable names an event or a commit
 * @throws EventError if there is no commit to name
 */
export function readCommit(env: Record<string, string | undefined>, payload: unknown, git?: LocalGit): Commit {
  const event = env.GITHUB_EVENT_NAME || 'local'
  const isPullRequest = event.startsWith('pull_request')
  const ref = readRef(env)
  const revision = readRevision(event, env, payload, ref, git)
  const time = commitTime(headCommit(event, payload), revision.sha)
  const defaultBranch =
    refName(at(payload, 'repository', 'default_branch')) ||
    // A schedule runs on the default branch only, and its payload has no repository.
    (event === 'schedule' ? ref.branch : '')
  const repository = repositoryName(env.GITHUB_REPOSITORY) || repositoryName(at(payload, 'repository', 'full_name'))
  return {
    event,
    sha: revision.sha,
    shortSha: revision.sha.slice(0, 7),
    branch: revision.branch,
    tag: revision.tag,
    isFork: isForeign(event, payload),
    isDependabot: [
      env.GITHUB_ACTOR,
      at(payload, 'pull_request', 'user', 'login'),
      at(payload, 'workflow_run', 'actor', 'login')
    ].includes('dependabot[bot]'),
    isPullRequest,
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
  if (event.startsWith('pull_request')) {
    return payloadRevision(event, 'pull_request.head.sha', at(payload, 'pull_request', 'head', 'sha'), {
      branch: refName(at(payload, 'pull_request', 'head', 'ref')),
      tag: ''
    })
  }
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
    // The variables then name the default branch, which this event is not about.
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
  // A release builds its tag, even where GITHUB_REF does not say so.
  if (event === 'release') return { sha, branch: '', tag: ref.tag || refName(at(payload, 'release', 'tag_name')) }
  return { sha, ...ref }
}

/** A revision the payload names. There is no falling back to GITHUB_SHA: for these events it is another commit. */
function payloadRevision(event: string, field: string, value: unknown, ref: Ref): Revision {
  const sha = commitId(value)
  if (!sha) throw new EventError(`There is no commit to build: the ${quote(event)} event's payload has no ${field}.`)
  return { sha, ...ref }
}

/** The branch or tag of GITHUB_REF, which may be unqualified (actions/checkout, `input-helper.ts`). */
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

/** Whether the code may come from another repository. Where an event has a head, only equal ids prove it does not. */
function isForeign(event: string, payload: unknown): boolean {
  const repository = at(payload, 'repository', 'id')
  if (event.startsWith('pull_request')) return !sameId(at(payload, 'pull_request', 'head', 'repo', 'id'), repository)
  if (event === 'workflow_run') return !sameId(at(payload, 'workflow_run', 'head_repository', 'id'), repository)
  return false
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

/** The commit's time in UTC to the second; '' if it is another commit's or no date. */
function commitTime(commit: unknown, sha: string): string {
  if (commitId(at(commit, 'id')) !== sha) return ''
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text(at(commit, 'timestamp')))
  const [, local = '', zone = ''] = match ?? []
  // Date reads 30 February as 1 March: a real date comes back as it was written.
  if (isoSeconds(`${local}Z`) !== `${local}Z`) return ''
  return isoSeconds(`${local}${zone}`)
}

function isoSeconds(time: string): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return ''
  const [seconds = ''] = /^\d{4}-.{14}/.exec(date.toISOString()) ?? []
  return seconds && `${seconds}Z`
}

/** A full commit id in lower case; '' for anything else, the null id of a deletion included. */
function commitId(value: unknown): string {
  const id = text(value).toLowerCase()
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(id) && !/^0+$/.test(id) ? id : ''
}

function shortName(ref: unknown, prefix: string): string {
  const name = text(ref)
  return name.startsWith(prefix) ? refName(name.slice(prefix.length)) : ''
}

/**
 * A branch's or tag's short name, or '' for one that git itself refuses (git-check-ref-format(1)) or that has
 * control characters beyond ASCII. Such a name is forged, and it is dropped rather than mended: '' equals no
 * publishing branch, while `mas<newline>ter` with its newline taken out would equal `master`.
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
