import { describe, expect, it } from '@jest/globals'
import { type Commit, readCommit } from '../../../src/action/event.ts'
import type { PushMode } from '../../../src/action/inputs.ts'
import { decidePublish, maySetTag, type PublishDecision } from '../../../src/plan/publish-policy.ts'
import { loadEvent } from '../../support/events/load.ts'
import { publishingOf } from '../../support/make-plan.ts'

const MASTER = 'master'
const MODES: PushMode[] = ['auto', 'always', 'never']

/** What a run may do: push its commit's tags, move the moving tags too, or nothing. */
type Verdict = 'publish' | 'push' | '-'

function verdict({ push, publish }: PublishDecision): Verdict {
  if (publish) return push ? 'publish' : fail()
  return push ? 'push' : '-'
}

function fail(): never {
  throw new Error('publish without push')
}

function context(event: string, rest: Partial<Commit> = {}): Commit {
  return {
    event,
    sha: 'a'.repeat(40),
    shortSha: 'aaaaaaa',
    eventSha: 'a'.repeat(40),
    checkout: 'own',
    branch: MASTER,
    tag: '',
    isFork: false,
    isDependabot: false,
    isPullRequest: event.startsWith('pull_request'),
    repository: 'octo/app',
    sourceUrl: 'https://github.com/octo/app',
    ...rest
  }
}

const topic = { branch: 'feature/x' }
const none = { branch: '' }
const tag = { branch: '', tag: 'v1' }
const fork = { isFork: true }
const dependabot = { isDependabot: true }
const elsewhere = { eventSha: 'b'.repeat(40), checkout: 'other' } as const

const TABLE: [event: string, rest: Partial<Commit>, auto: Verdict, always: Verdict][] = [
  ['push', {}, 'publish', 'publish'],
  ['push', topic, 'push', 'push'],
  // what is built is not what the branch holds
  ['push', elsewhere, 'push', 'push'],
  ['schedule', elsewhere, 'push', 'push'],
  ['workflow_dispatch', elsewhere, 'push', 'push'],
  ['repository_dispatch', elsewhere, 'push', 'push'],
  ['pull_request', elsewhere, 'push', 'push'],
  ['local', elsewhere, '-', 'push'],
  ['push', { checkout: 'unknown' }, 'publish', 'publish'],
  ['push', tag, 'push', 'push'],
  ['push', { tag: 'v1' }, 'push', 'push'],
  ['push', none, 'push', 'push'],
  ['push', { branch: 'Master' }, 'push', 'push'],
  ['push', { branch: 'refs/heads/master' }, 'push', 'push'],
  ['push', { branch: 'masterpiece' }, 'push', 'push'],
  ['push', dependabot, '-', 'publish'],
  ['push', fork, '-', 'push'],
  ['push', { isPullRequest: true }, 'push', 'push'],
  ['schedule', {}, 'publish', 'publish'],
  ['schedule', topic, 'push', 'push'],
  ['workflow_dispatch', {}, 'publish', 'publish'],
  ['workflow_dispatch', topic, 'push', 'push'],
  ['workflow_dispatch', tag, 'push', 'push'],
  ['workflow_dispatch', dependabot, '-', 'publish'],
  ['repository_dispatch', {}, 'publish', 'publish'],
  ['repository_dispatch', topic, 'push', 'push'],
  ['merge_group', {}, 'push', 'push'],
  ['merge_group', { branch: 'gh-readonly-queue/master/pr-1-a' }, 'push', 'push'],
  ['merge_group', dependabot, '-', 'push'],
  ['release', tag, 'push', 'push'],
  ['release', {}, 'push', 'push'],
  ['pull_request', topic, 'push', 'push'],
  ['pull_request', {}, 'push', 'push'],
  ['pull_request', fork, '-', 'push'],
  ['pull_request', { ...topic, ...fork }, '-', 'push'],
  ['pull_request', dependabot, '-', 'push'],
  ['pull_request_target', {}, '-', 'push'],
  ['pull_request_target', fork, '-', 'push'],
  ['pull_request_review', topic, '-', 'push'],
  ['pull_request_review_comment', {}, '-', 'push'],
  ['workflow_run', {}, '-', 'push'],
  ['workflow_run', fork, '-', 'push'],
  ['issue_comment', {}, '-', 'push'],
  ['create', {}, '-', 'push'],
  ['deployment', {}, '-', 'push'],
  ['constructor', {}, '-', 'push'],
  ['', {}, '-', 'push'],
  ['Push', {}, '-', 'push'],
  ['local', {}, '-', 'publish'],
  ['local', topic, '-', 'push'],
  ['local', none, '-', 'push']
]

describe('the table', () => {
  it.each(TABLE)('%s %j: auto %s, always %s', (event, rest, auto, always) => {
    const built = context(event, rest)
    expect(verdict(decidePublish('auto', publishingOf(MASTER), built))).toBe(auto)
    expect(verdict(decidePublish('always', publishingOf(MASTER), built))).toBe(always)
    expect(verdict(decidePublish('never', publishingOf(MASTER), built))).toBe('-')
  })
})

describe('what GitHub sends', () => {
  it.each<[fixture: string, branch: string, auto: Verdict, always: Verdict]>([
    ['push-branch', 'master', 'publish', 'publish'],
    ['push-branch', 'main', 'push', 'push'],
    ['push-feature', 'master', 'push', 'push'],
    ['push-tag', 'master', 'push', 'push'],
    ['push-tag', 'simple-tag', 'push', 'push'],
    ['pull-request', 'master', 'push', 'push'],
    ['pull-request', 'changes', 'push', 'push'],
    ['pull-request-fork', 'master', '-', 'push'],
    ['pull-request-fork-deleted', 'master', '-', 'push'],
    ['pull-request-dependabot', 'master', '-', 'push'],
    ['pull-request-dependabot-author', 'master', '-', 'push'],
    ['pull-request-target', 'master', '-', 'push'],
    ['pull-request-target-fork', 'master', '-', 'push'],
    ['pull-request-review', 'master', '-', 'push'],
    ['merge-group', 'main', 'push', 'push'],
    ['schedule', 'trunk', 'publish', 'publish'],
    ['workflow-dispatch-branch', 'main', 'publish', 'publish'],
    ['workflow-dispatch-tag', 'main', 'push', 'push'],
    ['repository-dispatch', 'master', 'publish', 'publish'],
    ['release', 'master', 'push', 'push'],
    ['workflow-run', 'master', '-', 'push'],
    ['workflow-run-fork', 'main', '-', 'push'],
    ['issue-comment', 'master', '-', 'push'],
    ['create-tag', 'master', '-', 'push']
  ])('%s, publishing branch %s', (fixture, branch, auto, always) => {
    const { env, payload } = loadEvent(fixture)
    const built = readCommit(env, payload)
    expect(verdict(decidePublish('auto', publishingOf(branch), built))).toBe(auto)
    expect(verdict(decidePublish('always', publishingOf(branch), built))).toBe(always)
    expect(verdict(decidePublish('never', publishingOf(branch), built))).toBe('-')
  })
})

describe('every combination', () => {
  const EVENTS = [...new Set(TABLE.map(([event]) => event)), 'pull_request_review_thread', 'status', 'a\nb']
  const BRANCHES = [
    '',
    MASTER,
    'main',
    'feature/x',
    '-x',
    'a"b',
    'x\n::error::y',
    '##[error]x',
    'größe',
    '.'.repeat(255)
  ]
  const FLAGS = [false, true]
  const combinations: [PushMode, string, Commit][] = []
  let contexts = 0
  for (const event of EVENTS) {
    for (const branch of BRANCHES) {
      for (const tag of ['', 'v1']) {
        for (const isFork of FLAGS) {
          for (const isDependabot of FLAGS) {
            for (const isPullRequest of new Set([event.startsWith('pull_request'), true])) {
              const checkout = contexts++ % 3 === 0 ? 'other' : 'own'
              const built = context(event, { branch, tag, isFork, isDependabot, isPullRequest, checkout })
              for (const mode of MODES) for (const own of BRANCHES) combinations.push([mode, own, built])
            }
          }
        }
      }
    }
  }

  function all(name: string, holds: (decision: PublishDecision, ...of: [PushMode, string, Commit]) => boolean) {
    it(`${name} (${combinations.length} combinations)`, () => {
      const broken = combinations.filter(
        ([mode, branch, built]) => !holds(decidePublish(mode, publishingOf(branch), built), mode, branch, built)
      )
      expect(broken.slice(0, 3)).toStrictEqual([])
    })
  }

  const trusted = 'push pull_request merge_group schedule workflow_dispatch repository_dispatch release'.split(' ')
  const ownBranch = 'push schedule workflow_dispatch repository_dispatch local'.split(' ')

  all('moving tags never move without a push', ({ push, publish }) => push || !publish)
  all('never pushes nothing', ({ push }, mode) => mode !== 'never' || !push)
  all('always pushes', ({ push }, mode) => mode !== 'always' || push)
  all(
    'auto pushes exactly what is trusted',
    ({ push }, mode, _, { event, isFork, isDependabot }) =>
      mode !== 'auto' || push === (trusted.includes(event) && !isFork && !isDependabot)
  )
  all(
    'moving tags move exactly from the publishing branch itself',
    ({ push, publish }, _, own, { event, branch, tag, isFork, isPullRequest, checkout }) => {
      const itself = branch !== '' && branch === own && tag === '' && ownBranch.includes(event) && checkout === 'own'
      return publish === (push && itself && !isFork && !isPullRequest)
    }
  )
  all('a reason is one sentence on one printable line', ({ reason }) => {
    return /^[A-Z][^\p{C}]+[^.]\.$/u.test(reason) && !reason.includes('##[') && !reason.includes('::error::y\n')
  })
  all('a reason names the event', ({ reason }, _, _own, { event }) => {
    return event === '' || event === 'a\nb' || reason.includes(event)
  })
  all('a reason names the branch or the tag, quoted', ({ reason }, _, _own, { branch, tag }) => {
    if (tag) return reason.includes(' on tag "v1" ')
    return branch === '' || reason.includes(` on branch ${JSON.stringify(branch).replace('##[', '##\\u005b')} `)
  })
})

describe('a mode of another type', () => {
  it.each(['', 'Always', 'true', 'AUTO'])('%j pushes nothing', (mode) => {
    expect(verdict(decidePublish(mode as PushMode, publishingOf(MASTER), context('push')))).toBe('-')
  })
})

describe('reasons', () => {
  it.each<[PushMode, Commit, string]>([
    [
      'auto',
      context('push'),
      'This push event on branch "master" pushes the commit\'s tags and the moving tags: it builds the publishing branch.'
    ],
    [
      'auto',
      context('push', topic),
      'This push event on branch "feature/x" pushes the commit\'s tags but no moving tag: only branch "master" moves those.'
    ],
    [
      'auto',
      context('pull_request', fork),
      'This pull_request event on branch "master" pushes nothing: its code comes from a fork.'
    ],
    [
      'auto',
      context('pull_request', { ...topic, ...dependabot }),
      'This pull_request event on branch "feature/x" pushes nothing: Dependabot gets neither secrets nor a token that can write.'
    ],
    [
      'auto',
      context('push', tag),
      'This push event on tag "v1" pushes the commit\'s tags but no moving tag: a tag may sit on any commit.'
    ],
    ['never', context('schedule', none), 'This schedule event pushes nothing: push is set to never.'],
    [
      'auto',
      context('local', topic),
      'This local run on branch "feature/x" pushes nothing: it is outside GitHub, so nothing says who started it.'
    ],
    [
      'auto',
      context('status\n', { branch: 'a"\nb' }),
      'This "status\\n" event on branch "a\\"\\nb" pushes nothing: it is not among the events that are trusted to push.'
    ]
  ])('%s %j', (mode, built, reason) => {
    expect(decidePublish(mode, publishingOf(MASTER), built).reason).toBe(reason)
  })

  it.each<[own: string, built: Commit, why: string]>([
    [MASTER, context('push', fork), 'its code comes from a fork'],
    [MASTER, context('pull_request'), 'a pull request is not merged yet'],
    [MASTER, context('merge_group'), 'a merge group is not merged yet'],
    [MASTER, context('release', tag), 'a tag may sit on any commit'],
    [MASTER, context('workflow_run'), 'it does not build a branch of its own'],
    [MASTER, context('push', none), 'it builds no branch'],
    ['', context('push', none), 'it builds no branch'],
    ['', context('push'), 'there is no publishing branch'],
    [MASTER, context('push', elsewhere), "the checkout is at aaaaaaa, not at the event's commit bbbbbbb"],
    ['a\nb', context('push'), 'only branch "a\\nb" moves those']
  ])('the moving tags stay: publishing branch %j, %j', (own, built, why) => {
    expect(decidePublish('always', publishingOf(own), built).reason).toContain(`no moving tag: ${why}.`)
  })

  it('tells distrusted events apart', () => {
    const events = ['pull_request_target', 'workflow_run', 'issue_comment', 'local', 'status']
    const reasons = events.map((event) =>
      decidePublish('auto', publishingOf(MASTER), context(event)).reason.replace(/.*: /, '')
    )
    expect(new Set(reasons).size).toBe(events.length)
  })
})

describe('A tag that is named after a branch', () => {
  const [moves, stays] = [true, false].map((publish) => ({ push: true, publish, reason: '' })) as [
    PublishDecision,
    PublishDecision
  ]

  it.each<[tag: string, built: Commit, decision: PublishDecision, may: boolean]>([
    ['octo/app:master', context('push'), moves, true],
    ['octo/app:master', context('push', elsewhere), stays, false],
    // the workflow gives it to runs of any branch
    ['octo/app:master', context('push', topic), stays, false],
    ['octo/app:master', context('pull_request'), stays, false],
    // the moving tag of another repository
    ['ghcr.io/octo/other:latest', context('push'), moves, true],
    ['ghcr.io/octo/other:latest', context('push', topic), stays, false],
    ['ghcr.io/octo/other:latest', context('pull_request'), stays, false],
    ['octo/app:feature-x', context('push', topic), stays, true],
    ['octo/app:feature-x', context('push', { ...topic, checkout: 'unknown' }), stays, true],
    ['octo/app:feature-x', context('push', { ...topic, ...elsewhere }), stays, false],
    // the image is of a merge commit, which the branch does not contain
    ['octo/app:feature-x', context('pull_request', topic), stays, false]
  ])('%s, %j, %j: %s', (tag, built, decision, may) => {
    expect(maySetTag(tag, built, decision, publishingOf(MASTER), { builderTag: 'builder', latestTag: 'latest' })).toBe(
      may
    )
  })
})
