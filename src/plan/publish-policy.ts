import type { Commit } from '../action/event.ts'
import type { PushMode } from '../action/inputs.ts'
import { quote } from '../lib/text.ts'
import type { NamedTags } from '../registry/reserved-tags.ts'
import type { Publishing } from './publishing.ts'
import { isNamed, isOfBranch, isOfPublishing } from './references.ts'

/** Whether a run may push and promote after all its tests passed. */
export interface PublishDecision {
  /** Push the commit tag and the further tags. */
  push: boolean
  /** Promote the images too; never without `push`. */
  publish: boolean
  /** The reason, as one sentence for people. It names the event and the branch, the branch as a JSON string. */
  reason: string
}

/** Events that only people with write access to the repository can trigger, for code of that repository. */
const TRUSTED = new Set([
  'push',
  'pull_request', // of the same repository: `refusePush` refuses forks before it checks this list
  'merge_group',
  'schedule',
  'workflow_dispatch',
  'repository_dispatch',
  'release'
])

/** Events that build the tip of their branch. */
const BRANCH_BUILDS = new Set(['push', 'schedule', 'workflow_dispatch', 'repository_dispatch', 'local'])

/** Events that push nothing on `auto`, with the reason. An event in neither list is unknown. */
const DISTRUSTED: Record<string, string> = {
  pull_request_target: 'it runs with secrets on code that nobody has merged',
  workflow_run: 'it runs with secrets on code that another workflow has fetched',
  issue_comment: 'anyone may write a comment',
  local: 'it is outside GitHub, so nothing says who started it'
}

/**
 * Decides whether a run may push and promote. It refuses whatever it does not know to be allowed: an unknown event or mode
 * pushes nothing by itself, and only an event that builds a publishing branch itself promotes images, whatever the mode
 * (a pull request's branch may have any name, a merge group is not merged yet, a tag may point to any commit, and a workflow may
 * check out any other commit).
 *
 * @param publishing of the run's branch
 * @param part the platform of the image, if the images of several platforms are joined later
 */
export function decidePublish(
  mode: PushMode,
  publishing: Pick<Publishing, 'branch' | 'all' | 'refusal'>,
  context: Commit,
  part?: string
): PublishDecision {
  const run = subject(context)
  const refusal = refusePush(mode, context)
  if (refusal) return { push: false, publish: false, reason: `${run} pushes nothing: ${refusal}.` }
  const hold = refusePublish(publishing, context)
  if (part !== undefined) {
    const reason = `${run} pushes the image of ${part}: the tags of the commit are set when the images of all platforms are joined.`
    return { push: true, publish: hold === '', reason }
  }
  if (hold) {
    return { push: true, publish: false, reason: `${run} pushes the commit's tags but no moving tag: ${hold}.` }
  }
  return {
    push: true,
    publish: true,
    reason: `${run} pushes the commit's tags and the moving tags: it builds the publishing branch.`
  }
}

/** Returns why the run pushes nothing, or '' if it pushes the commit tag. */
function refusePush(mode: PushMode, context: Commit): string {
  if (mode === 'always') return ''
  if (mode !== 'auto') return `push is set to ${word(mode)}`
  if (context.isFork) return 'its code comes from a fork'
  if (context.isDependabot) return 'Dependabot gets neither secrets nor a token that can write'
  if (TRUSTED.has(context.event)) return ''
  return Object.hasOwn(DISTRUSTED, context.event)
    ? `${DISTRUSTED[context.event]}`
    : 'it is not among the events that are trusted to push'
}

/** Returns why the run does not promote, or '' if it does. */
function refusePublish(
  { branch: publishBranch, all, refusal }: Pick<Publishing, 'branch' | 'all' | 'refusal'>,
  context: Commit
): string {
  const { event, branch, tag } = context
  if (context.isFork) return 'its code comes from a fork'
  if (context.isPullRequest) return 'a pull request is not merged yet'
  if (event === 'merge_group') return 'a merge group is not merged yet'
  if (tag) return 'a tag may sit on any commit'
  if (!BRANCH_BUILDS.has(event)) return 'it does not build a branch of its own'
  if (!branch) return 'it builds no branch'
  if (!publishBranch) return 'there is no publishing branch'
  if (refusal !== undefined) return `${quote(branch)} cannot have moving tags of its own, because ${refusal}`
  if (branch !== publishBranch) return `only ${describeBranches(all)}`
  if (context.checkout === 'other') return describeOtherCheckout(context)
  return ''
}

function describeBranches([first = '', ...further]: readonly string[]): string {
  const names = further.map((name) => `, ${quote(name)}`).join('')
  return further.length === 0 ? `branch ${quote(first)} moves those` : `branches ${quote(first)}${names} move those`
}

/**
 * Returns whether a run that pushes may set a tag that is named after its branch or a publishing branch. Such a tag says what
 * the branch holds, so only a run of the branch itself sets it: a pull request builds a merge commit. In another repository,
 * the name of the moving tag means what it means here.
 */
export function maySetTag(
  tag: string,
  commit: Commit,
  decision: PublishDecision,
  publishing: Publishing,
  inputs: NamedTags
): boolean {
  if (isOfBranch(tag, publishing.branch) || isNamed(tag, publishing.latestTag)) return decision.publish
  // another publishing branch sets these
  if (isOfPublishing(tag, publishing) || isNamed(tag, inputs.latestTag)) return false
  return commit.checkout !== 'other' && !commit.isPullRequest
}

/** Says that the checkout, which the run builds, is not the event's commit. */
export function describeOtherCheckout({ shortSha, eventSha }: Pick<Commit, 'shortSha' | 'eventSha'>): string {
  return `the checkout is at ${shortSha}, not at the event's commit ${eventSha.slice(0, 7)}`
}

function subject({ event, branch, tag }: Commit): string {
  const run = event === 'local' ? 'This local run' : `This ${word(event)} event`
  if (tag) return `${run} on tag ${quote(tag)}`
  return branch ? `${run} on branch ${quote(branch)}` : run
}

/** Returns the name of an event or mode, quoted if it has other than word characters. */
function word(name: string): string {
  return /^\w+$/.test(name) ? name : quote(name)
}
