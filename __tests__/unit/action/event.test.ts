import { describe, expect, it } from '@jest/globals'
import { type Commit, EventError, readCommit } from '../../../src/action/event.ts'
import { quote } from '../../../src/lib/text.ts'
import { loadEvent, setAt } from '../../support/events/load.ts'

const TIP = '6113728f27ae82c7b1a177c8d03f9e96e0adf246'
const OTHER = '77e0a4d1b2c3958674a1b0c9d8e7f6a5b4c3d2e1'
const HEAD = 'ec26c3e57ca3a959ca5aad62de7213c562f8c821'
const MERGE = '9c1f0b3d5a7e2468ace013579bdf02468ace1357'
const QUEUED = '2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d'
const RUN = '3484a3fb816e0859fd6e1cea078d76385ff50625'
const SHA256 = 'a'.repeat(63).concat('0')

/** What most events of one repository have in common, without a checkout. */
function context(sha: string, rest: Partial<Commit>): Commit {
  return {
    event: 'push',
    sha,
    shortSha: sha.slice(0, 7),
    eventSha: sha,
    checkout: 'unknown',
    branch: '',
    tag: '',
    isFork: false,
    isDependabot: false,
    isPullRequest: false,
    defaultBranch: 'master',
    repository: 'Codertocat/Hello-World',
    sourceUrl: 'https://github.com/Codertocat/Hello-World',
    ...rest
  }
}

const octo = { repository: 'octo-org/octo-repo', sourceUrl: 'https://github.com/octo-org/octo-repo' }
const pullRequest = { event: 'pull_request', branch: 'changes', isPullRequest: true, pullRequest: 2 }
const target = { event: 'pull_request_target', branch: 'changes', isPullRequest: true }
const queue = 'gh-readonly-queue/main/pr-104-929f8209d40f77f4abc622a499c93a83babdbe64'

const EVENTS: [fixture: string, expected: Commit][] = [
  ['push-branch', context(TIP, { branch: 'master', commitTime: '2019-05-15T15:19:25Z' })],
  ['push-feature', context(TIP, { branch: 'feature/größe-2', commitTime: '2019-05-15T15:19:25Z' })],
  ['push-tag', context(TIP, { tag: 'simple-tag', commitTime: '2019-05-15T15:20:41Z' })],
  ['push-tag-annotated', context(TIP, { tag: 'v1.2.3', commitTime: '2019-05-15T15:20:41Z' })],
  ['pull-request', context(MERGE, pullRequest)],
  ['pull-request-fork', context(MERGE, { ...pullRequest, branch: 'master', isFork: true })],
  ['pull-request-fork-deleted', context(MERGE, { ...pullRequest, isFork: true })],
  [
    'pull-request-dependabot',
    context(MERGE, { ...pullRequest, branch: 'dependabot/npm_and_yarn/p-limit-7.3.4', isDependabot: true })
  ],
  ['pull-request-dependabot-author', context(MERGE, { ...pullRequest, isDependabot: true })],
  ['pull-request-closed', context(OTHER, pullRequest)],
  ['pull-request-target', context(TIP, target)],
  ['pull-request-target-fork', context(TIP, { ...target, isFork: true })],
  ['pull-request-review', context(MERGE, { ...pullRequest, event: 'pull_request_review' })],
  ['pull-request-review-comment', context(MERGE, { ...pullRequest, event: 'pull_request_review_comment' })],
  [
    'merge-group',
    context(QUEUED, {
      ...octo,
      event: 'merge_group',
      branch: queue,
      defaultBranch: 'main',
      commitTime: '2019-05-15T15:20:30Z'
    })
  ],
  [
    'merge-group-other-commit',
    context(QUEUED, { ...octo, event: 'merge_group', branch: queue, defaultBranch: 'main' })
  ],
  ['schedule', context(OTHER, { ...octo, event: 'schedule', branch: 'trunk', defaultBranch: 'trunk' })],
  [
    'workflow-dispatch-branch',
    context(OTHER, { ...octo, event: 'workflow_dispatch', branch: 'main', defaultBranch: 'main' })
  ],
  [
    'workflow-dispatch-tag',
    context(OTHER, { ...octo, event: 'workflow_dispatch', tag: 'v2.0.0', defaultBranch: 'main' })
  ],
  ['repository-dispatch', context(OTHER, { ...octo, event: 'repository_dispatch', branch: 'master' })],
  ['release', context(TIP, { event: 'release', tag: '0.0.1' })],
  [
    'workflow-run',
    context(RUN, { ...octo, event: 'workflow_run', branch: 'master', commitTime: '2020-10-05T16:32:07Z' })
  ],
  [
    'workflow-run-fork',
    context('5779607b49aab1200488439f02372c57b4f75444', {
      event: 'workflow_run',
      branch: 'main',
      isFork: true,
      defaultBranch: 'main',
      commitTime: '2021-12-16T19:37:14Z'
    })
  ],
  [
    'workflow-run-dependabot',
    context(RUN, {
      ...octo,
      event: 'workflow_run',
      branch: 'master',
      isFork: true,
      isDependabot: true,
      commitTime: '2020-10-05T16:32:07Z'
    })
  ],
  ['issue-comment', context(OTHER, { event: 'issue_comment', branch: 'master' })],
  ['create-tag', context(TIP, { event: 'create', tag: 'simple-tag' })],
  [
    'push-enterprise-server',
    context(TIP, {
      tag: 'simple-tag',
      sourceUrl: 'https://octocoders.github.io/Codertocat/Hello-World',
      commitTime: '2019-05-15T15:20:41Z'
    })
  ]
]

describe('every event', () => {
  it.each(EVENTS)('%s', (fixture, expected) => {
    const { env, payload } = loadEvent(fixture)
    expect(readCommit(env, payload)).toStrictEqual(expected)
  })

  it.each(EVENTS)('%s: the checkout tells the commit, and the event the rest', (fixture, expected) => {
    const { env, payload } = loadEvent(fixture)
    const { pullRequest: _, commitTime: __, ...rest } = expected
    expect(readCommit(env, payload, { sha: SHA256, branch: 'elsewhere' })).toStrictEqual({
      ...rest,
      ...{ sha: SHA256, shortSha: 'aaaaaaa', checkout: 'other' }
    })
  })

  it.each(EVENTS)(
    '%s: at its own commit, the checkout changes nothing but what git knows better',
    (fixture, expected) => {
      const { env, payload } = loadEvent(fixture)
      const time = '2026-01-01T00:00:00Z'
      expect(readCommit(env, payload, { sha: expected.sha, branch: 'elsewhere', time })).toStrictEqual({
        ...{ ...expected, checkout: 'own', commitTime: time }
      })
    }
  )
})

describe('the checkout of a pull request', () => {
  it.each<[fixture: string, head: string, checkout: Commit['checkout'], pullRequest: number | undefined]>([
    ['pull-request', MERGE, 'own', 2],
    ['pull-request', HEAD, 'own', 2],
    ['pull-request', HEAD.toUpperCase(), 'own', 2],
    ['pull-request', TIP, 'other', undefined],
    ['pull-request-review', MERGE, 'own', 2],
    // by default it is the base branch, which has nothing of the pull request
    ['pull-request-target', TIP, 'own', undefined],
    ['pull-request-target', HEAD, 'own', 2],
    ['pull-request-target', MERGE, 'other', undefined],
    ['push-branch', HEAD, 'other', undefined]
  ])('%s at %s: %s, number %p', (fixture, head, checkout, number) => {
    const { env, payload } = loadEvent(fixture)
    const { pullRequest, ...commit } = readCommit(env, payload, { sha: head, branch: '' })
    expect(commit).toMatchObject({ sha: head.toLowerCase(), checkout })
    expect(pullRequest).toBe(number)
  })

  it.each([0, -1, 1.5, '2', null, '../2'])('has no number %j', (number) => {
    const { env, payload } = loadEvent('pull-request')
    setAt(payload as Record<string, unknown>, ['pull_request', 'number'], number)
    expect(readCommit(env, payload)).not.toHaveProperty('pullRequest')
  })
})

describe('a run outside any event', () => {
  const local = context(TIP, { event: 'local', checkout: 'own', repository: '', sourceUrl: '' })
  delete local.defaultBranch

  it.each([
    ['a branch', { sha: TIP, branch: 'feature/x' }, 'feature/x'],
    ['a detached HEAD', { sha: TIP, branch: '' }, ''],
    ['a detached HEAD as rev-parse --abbrev-ref says it', { sha: TIP, branch: 'HEAD' }, ''],
    ['upper case', { sha: TIP.toUpperCase(), branch: 'main' }, 'main']
  ])('%s', (_, git, branch) => {
    for (const payload of [undefined, null, {}]) {
      expect(readCommit({}, payload, git)).toStrictEqual({ ...local, branch })
    }
  })

  it('takes the branch from where the commit of the event is from', () => {
    const env = { GITHUB_SHA: OTHER, GITHUB_REF: 'refs/heads/theirs' }
    expect(readCommit(env, {}, { sha: TIP, branch: 'ours' })).toMatchObject({
      ...{ event: 'local', sha: TIP, eventSha: OTHER, checkout: 'other', branch: 'theirs' }
    })
    expect(readCommit({ GITHUB_REF: 'refs/heads/theirs' }, {}, { sha: TIP, branch: 'ours' })).toMatchObject({
      sha: TIP,
      branch: 'ours'
    })
  })
})

describe('no commit to name', () => {
  const push = loadEvent('push-branch')

  it.each([
    ['push-delete-branch', 'The push event deletes "refs/heads/feature/gone", so there is no commit to build.'],
    ['push-delete-tag', 'The push event deletes "refs/tags/simple-tag", so there is no commit to build.']
  ])('%s', (fixture, message) => {
    const { env, payload } = loadEvent(fixture)
    expect(() => readCommit(env, payload, { sha: TIP, branch: 'master' })).toThrow(new EventError(message))
  })

  it.each([
    ['deleted', true],
    ['after', '0'.repeat(40)],
    ['after', '0'.repeat(64)]
  ])('a push whose %s is %p', (key, value) => {
    const { env, payload } = loadEvent('push-branch')
    setAt(payload as Record<string, unknown>, [key], value)
    expect(() => readCommit(env, payload)).toThrow('The push event deletes "refs/heads/master"')
  })

  it.each<[string, Record<string, string | undefined>, unknown, { sha: string; branch: string } | undefined, string]>([
    ['nothing at all', {}, {}, undefined, 'neither a GitHub event nor git'],
    ['no git commit', {}, {}, { sha: '', branch: 'main' }, 'neither a GitHub event nor git'],
    ['a short local id', {}, {}, { sha: TIP.slice(0, 7), branch: 'main' }, 'neither a GitHub event nor git'],
    ['no GITHUB_SHA', { ...push.env, GITHUB_SHA: undefined }, push.payload, { sha: TIP, branch: 'master' }, '""'],
    ['a short GITHUB_SHA', { ...push.env, GITHUB_SHA: 'abc1234' }, {}, undefined, 'GITHUB_SHA is "abc1234"'],
    ['41 digits', { ...push.env, GITHUB_SHA: `${TIP}0` }, {}, undefined, 'no full commit id'],
    ['a line after it', { ...push.env, GITHUB_SHA: `${TIP}\n` }, {}, undefined, '\\n'],
    ['the null commit', { ...push.env, GITHUB_SHA: '0'.repeat(40) }, {}, undefined, 'no full commit id'],
    ['a long null commit', { ...push.env, GITHUB_SHA: '0'.repeat(64) }, {}, undefined, 'no full commit id'],
    ['not hex', { ...push.env, GITHUB_SHA: 'g'.repeat(40) }, {}, undefined, 'no full commit id'],
    ['a pull request without GITHUB_SHA', { GITHUB_EVENT_NAME: 'pull_request' }, {}, undefined, 'GITHUB_SHA is ""'],
    ['a workflow run without head', loadEvent('workflow-run').env, {}, undefined, 'workflow_run.head_sha'],
    ['a merge group without head', loadEvent('merge-group').env, [], undefined, 'merge_group.head_sha'],
    ['a forged event name', { GITHUB_EVENT_NAME: 'pull_request\n::stop' }, {}, undefined, 'GITHUB_SHA is ""']
  ])('%s', (_, env, payload, git, message) => {
    const error = thrownBy(() => readCommit(env, payload, git))
    expect(error).toBeInstanceOf(EventError)
    expect(error.name).toBe('EventError')
    expect(error.message).toContain(message)
    expect(error.message).toMatch(/^[^\n]+\.$/)
  })
})

describe('commit ids', () => {
  it.each([
    [TIP, TIP, '6113728'],
    [TIP.toUpperCase(), TIP, '6113728'],
    [SHA256, SHA256, 'aaaaaaa']
  ])('%s', (given, sha, shortSha) => {
    const { env, payload } = loadEvent('push-branch')
    expect(readCommit({ ...env, GITHUB_SHA: given }, payload)).toMatchObject({ sha, shortSha })
    const pull = loadEvent('pull-request')
    setAt(pull.payload as Record<string, unknown>, ['pull_request', 'head', 'sha'], given)
    expect(readCommit(pull.env, pull.payload, { sha: given, branch: '' })).toMatchObject({
      sha,
      shortSha,
      checkout: 'own'
    })
  })
})

describe('refs', () => {
  const { env, payload } = loadEvent('push-branch')

  it.each<[ref: string | undefined, name: string | undefined, type: string | undefined, branch: string, tag: string]>([
    ['refs/heads/master', 'other', 'tag', 'master', ''],
    ['refs/heads/refs/heads/x', undefined, undefined, 'refs/heads/x', ''],
    ['refs/tags/v1', 'other', 'branch', '', 'v1'],
    ['refs/pull/7/merge', '7/merge', 'branch', '', ''],
    ['refs/notes/commits', 'commits', 'branch', '', ''],
    ['refs/heads/', 'x', 'branch', '', ''],
    ['master', 'master', 'branch', 'master', ''],
    ['v1', 'v1', 'tag', '', 'v1'],
    ['master', undefined, 'branch', 'master', ''],
    ['master', 'master', undefined, '', ''],
    ['', 'master', 'branch', 'master', ''],
    [undefined, 'v1', 'tag', '', 'v1'],
    [undefined, undefined, 'branch', '', ''],
    [undefined, undefined, undefined, '', '']
  ])('GITHUB_REF %s, GITHUB_REF_NAME %s, GITHUB_REF_TYPE %s', (ref, name, type, branch, tag) => {
    const variables = { ...env, GITHUB_REF: ref, GITHUB_REF_NAME: name, GITHUB_REF_TYPE: type }
    expect(readCommit(variables, payload)).toMatchObject({ branch, tag })
  })

  it('a release has its tag and no branch, whatever GITHUB_REF says', () => {
    const release = loadEvent('release')
    const variables = { ...release.env, GITHUB_REF: 'refs/heads/master' }
    expect(readCommit(variables, release.payload)).toMatchObject({ branch: '', tag: '0.0.1' })
  })

  const KEPT = [
    '-x',
    '--help',
    '@x',
    'a@b',
    'größe',
    '日本語',
    'a/b/c/d',
    '#1',
    'x'.repeat(255),
    'HEAD',
    'a.lock.b',
    '$(id)'
  ]
  const DROPPED = [
    'mas\nter',
    'master\n',
    'master\r',
    'mas\tter',
    'mas\0ter',
    'mas\u007fter',
    'mas\u009bter',
    'mas\u2028ter',
    '\ud800',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'x##[error]y',
    'a\\b',
    'a@{1}',
    '@',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.',
    'a.lock',
    'a.lock/b'
  ]

  const names = [...KEPT.map((name) => [name, name]), ...DROPPED.map((name) => [name, ''])] as [string, string][]
  it.each(names)('%j as a name becomes %j', (name, expected) => {
    expect(readCommit({ ...env, GITHUB_REF: `refs/heads/${name}` }, payload).branch).toBe(expected)
    expect(readCommit({ ...env, GITHUB_REF: `refs/tags/${name}` }, payload).tag).toBe(expected)
    const pull = loadEvent('pull-request')
    setAt(pull.payload as Record<string, unknown>, ['pull_request', 'head', 'ref'], name)
    expect(readCommit(pull.env, pull.payload).branch).toBe(expected)
    const pushed = loadEvent('push-branch')
    setAt(pushed.payload as Record<string, unknown>, ['repository', 'default_branch'], name)
    expect(readCommit(pushed.env, pushed.payload).defaultBranch).toBe(expected || undefined)
  })
})

describe('forks', () => {
  it.each<[unknown, unknown, boolean]>([
    [1, 1, false],
    [1, 2, true],
    ['1', '1', true],
    [1, '1', true],
    [undefined, undefined, true],
    [null, null, true],
    [Number.NaN, Number.NaN, true]
  ])('head %p, repository %p: %p', (head, repository, isFork) => {
    for (const [fixture, path] of [
      ['pull-request', ['pull_request', 'head', 'repo', 'id']],
      ['pull-request-target', ['pull_request', 'head', 'repo', 'id']],
      ['workflow-run', ['workflow_run', 'head_repository', 'id']]
    ] as const) {
      const { env, payload } = loadEvent(fixture)
      setAt(payload as Record<string, unknown>, [...path], head)
      setAt(payload as Record<string, unknown>, ['repository', 'id'], repository)
      expect(readCommit(env, payload).isFork).toBe(isFork)
    }
  })
})

describe('commit times', () => {
  it.each([
    ['2019-05-15T15:19:25Z', '2019-05-15T15:19:25Z'],
    ['2019-05-15T15:19:25.999Z', '2019-05-15T15:19:25Z'],
    ['2019-05-15T00:19:25+09:00', '2019-05-14T15:19:25Z'],
    ['2019-12-31T20:00:00-04:30', '2020-01-01T00:30:00Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
    ['1969-12-31T23:59:59Z', '1969-12-31T23:59:59Z'],
    ['2023-02-29T00:00:00Z', undefined],
    ['2024-02-30T00:00:00+01:00', undefined],
    ['2024-13-01T00:00:00Z', undefined],
    ['2024-01-01T24:30:00Z', undefined],
    ['2024-01-01T00:00:00+99:99', undefined],
    ['9999-12-31T23:59:59-01:00', undefined],
    ['2024-01-01T00:00:00', undefined],
    ['2024-01-01', undefined],
    ['Wed, 15 May 2019 15:19:25 GMT', undefined],
    ['2019-05-15T15:19:25Z\n', undefined],
    ['', undefined],
    [1557933565, undefined],
    [null, undefined]
  ])('%j becomes %j', (timestamp, expected) => {
    const { env, payload } = loadEvent('push-branch')
    setAt(payload as Record<string, unknown>, ['head_commit', 'timestamp'], timestamp)
    const context = readCommit(env, payload)
    expect(context.commitTime).toBe(expected)
    expect(Object.hasOwn(context, 'commitTime')).toBe(expected !== undefined)
  })

  it('another commit has another time', () => {
    const { env, payload } = loadEvent('push-branch')
    expect(readCommit({ ...env, GITHUB_SHA: OTHER }, payload).commitTime).toBeUndefined()
  })
})

describe('where the source is', () => {
  const { env, payload } = loadEvent('push-branch')
  it.each<[server: string | undefined, repository: string | undefined, name: string, url: string]>([
    ['https://github.com', 'o/r', 'o/r', 'https://github.com/o/r'],
    ['https://ghe.example.com/', 'o/r', 'o/r', 'https://ghe.example.com/o/r'],
    ['http://ghe:8080/git', 'o/r.s-t_u', 'o/r.s-t_u', 'http://ghe:8080/git/o/r.s-t_u'],
    [undefined, 'o/r', 'o/r', ''],
    ['javascript:alert(1)', 'o/r', 'o/r', ''],
    ['https://user:password@ghe', 'o/r', 'o/r', ''],
    ['https://ghe\nx', 'o/r', 'o/r', ''],
    ['https://github.com', undefined, 'Codertocat/Hello-World', 'https://github.com/Codertocat/Hello-World'],
    ['https://github.com', 'o/r\n', 'Codertocat/Hello-World', 'https://github.com/Codertocat/Hello-World']
  ])('%j and %j', (server, repository, name, sourceUrl) => {
    const variables = { ...env, GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository }
    expect(readCommit(variables, payload)).toMatchObject({ repository: name, sourceUrl })
    expect(readCommit({ ...variables, GITHUB_REPOSITORY: 'no-slash' }, {})).toMatchObject({
      repository: '',
      sourceUrl: ''
    })
  })
})

describe('a payload of any shape', () => {
  const SHAPES = [
    undefined,
    null,
    true,
    0,
    -1,
    Number.NaN,
    '',
    'x',
    'a\nb',
    [],
    [[]],
    {},
    { id: {} },
    { length: 1 },
    () => 1
  ]
  const PATHS = [
    'repository',
    'repository.id',
    'repository.default_branch',
    'repository.full_name',
    'ref',
    'after',
    'deleted',
    'head_commit',
    'head_commit.id',
    'head_commit.timestamp',
    'pull_request',
    'pull_request.user',
    'pull_request.user.login',
    'pull_request.head',
    'pull_request.head.sha',
    'pull_request.head.ref',
    'pull_request.head.repo',
    'pull_request.head.repo.id',
    'workflow_run',
    'workflow_run.actor',
    'workflow_run.head_sha',
    'workflow_run.head_branch',
    'workflow_run.head_repository',
    'workflow_run.head_repository.id',
    'workflow_run.head_commit',
    'merge_group',
    'merge_group.head_sha',
    'merge_group.head_ref',
    'merge_group.head_commit',
    'release',
    'release.tag_name'
  ].map((path) => path.split('.'))

  it.each(EVENTS)('%s', (fixture) => {
    const { env } = loadEvent(fixture)
    let told = 0
    for (const shape of SHAPES) {
      told += check(env, shape)
      for (const path of PATHS) {
        const { payload } = loadEvent(fixture)
        if (has(payload, path)) {
          setAt(payload as Record<string, unknown>, path, shape)
          told += check(env, payload)
        }
      }
    }
    expect(told).toBeGreaterThan(0)
  })

  it('nothing is read from a prototype', () => {
    const { env, payload } = loadEvent('pull-request')
    const { branch, isFork, pullRequest } = readCommit(env, Object.create(payload as object))
    expect({ branch, isFork, pullRequest }).toEqual({ branch: '', isFork: true, pullRequest: undefined })
    const run = loadEvent('workflow-run')
    expect(() => readCommit(run.env, Object.create(run.payload as object))).toThrow(EventError)
  })

  /** A context of the promised shape, or a EventError. Returns how many contexts there were. */
  function check(env: Record<string, string>, payload: unknown): number {
    let result: Commit
    try {
      result = readCommit(env, payload)
    } catch (error) {
      expect(error).toBeInstanceOf(EventError)
      expect((error as Error).message).toMatch(/^[^\n]+\.$/)
      return 0
    }
    expect(result.sha).toMatch(/^[0-9a-f]{40}$/)
    expect(result.shortSha).toBe(result.sha.slice(0, 7))
    const texts = [result.branch, result.tag, result.repository, result.sourceUrl, result.event]
    texts.push(result.defaultBranch ?? '', result.commitTime ?? '')
    for (const text of texts) expect(text).toMatch(/^[^\n]*$/)
    for (const flag of [result.isFork, result.isDependabot, result.isPullRequest]) expect(typeof flag).toBe('boolean')
    return 1
  }
})

describe('quote', () => {
  it.each([
    ['master', '"master"'],
    ['größe 日本', '"größe 日本"'],
    ['🐳', '"🐳"'],
    ['"\\', '"\\"\\\\"'],
    ['a\n::error::b', '"a\\n::error::b"'],
    ['\u0085\u2028\u00a0', '"\\u0085\\u2028\\u00a0"'],
    ['\u202ecod.exe', '"\\u202ecod.exe"'],
    ['\u{e0001}', '"\\udb40\\udc01"'],
    ['##[error]x', '"##\\u005berror]x"'],
    ['#[x', '"#[x"']
  ])('%j', (text, quoted) => {
    expect(quote(text)).toBe(quoted)
    expect(JSON.parse(quoted)).toBe(text)
  })
})

function has(value: unknown, path: string[]): boolean {
  let current = value
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return false
    current = (current as Record<string, unknown>)[key]
  }
  return true
}

function thrownBy(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
