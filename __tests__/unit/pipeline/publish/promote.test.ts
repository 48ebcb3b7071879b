import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Docker } from '../../../../src/docker/docker.ts'
import { Git, type Relation } from '../../../../src/git/git.ts'
import type { GitHub } from '../../../../src/git/github.ts'
import { CancelledError } from '../../../../src/lib/errors.ts'
import type { ExecResult } from '../../../../src/lib/exec.ts'
import { warnOfOtherVariant, warnOfReplacement } from '../../../../src/pipeline/publish/promote.ts'
import { publish, tagUnchanged } from '../../../../src/pipeline/publish/publish.ts'
import { REVISION_LABEL } from '../../../../src/plan/labels.ts'
import type { Run } from '../../../../src/plan/run-context.ts'
import { BUILD_ARGS_LABEL, VARIANT_LABEL } from '../../../../src/plan/variant.ts'
import type { FailureKind, RegistryFailure } from '../../../../src/registry/failure.ts'
import { describeFailure } from '../../../../src/report/messages.ts'
import type { Publication } from '../../../../src/result/result.ts'
import { cases } from '../../../support/cases.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../../support/fake-registry.ts'
import { makePlan } from '../../../support/make-plan.ts'
import { makeRun, SilentGitHub } from '../../../support/make-run.ts'
import { RecordingLog } from '../../../support/recording-log.ts'
import { NOTHING } from '../../../support/results.ts'

/** The commits of a branch by their age, the oldest first. */
const commits = Array.from({ length: 5 }, (_, age) => String(age + 1).repeat(40))

/** Lets others go first. */
type Turn = (what: string) => Promise<void>

const digestOf = (commit: string): string => `sha256:${commit.padEnd(64, '0')}`

/** The repository octo/app, whose images are told apart by their commits. */
class Repository extends Contents {
  /** @param tags by tag the commit of the image that is published there */
  constructor(tags: Record<string, string> = {}) {
    super()
    for (const [tag, commit] of Object.entries(tags)) this.set(tag, commit)
  }

  /** @param variant that of a production image, unless the tag is one of the builder image */
  set(tag: string, commit: string, variant = /^(builder|cache)/.test(tag) ? '' : 'variant'): void {
    const labels = { [REVISION_LABEL]: commit, [VARIANT_LABEL]: variant }
    this.put(`octo/app:${tag}`, imageOf(digestOf(commit), { labels }))
  }

  /** The commit of the image that a tag names. */
  commitOf(tag: string): string | undefined {
    return this.get(`octo/app:${tag}`)?.labels[REVISION_LABEL]
  }
}

/** The docker of one run, whose images are all of its commit, at a repository that others use, too. */
class PushingDocker implements Docker {
  readonly #repository: Repository
  readonly #commit: string
  readonly #turn: Turn
  readonly #signal: AbortSignal

  constructor(repository: Repository, commit: string, turn: Turn, signal: AbortSignal) {
    this.#repository = repository
    this.#commit = commit
    this.#turn = turn
    this.#signal = signal
  }

  async call(args: readonly string[]): Promise<ExecResult> {
    const text = args.join(' ')
    await this.#turn(text)
    if (this.#signal.aborted) throw new CancelledError()
    const stdout = this.#answer(args)
    await this.#turn(`answer to ${text}`)
    return { exitCode: 0, stdout, stderr: '' }
  }

  #answer(args: readonly string[]): string {
    if (args[0] === 'image') return JSON.stringify(args.slice(2).map(() => ({ Id: `sha256:${this.#commit}` })))
    const [, tag = ''] = /^push octo\/app:(\S+)$/.exec(args.join(' ')) ?? []
    if (tag === '') throw new Error(`docker ${args.join(' ')} is not expected here`)
    this.#repository.set(tag, this.#commit)
    return `x: digest: ${digestOf(this.#commit)} size: 1\n`
  }
}

/** GitHub, whose branch gets one commit after the other. */
class Branch {
  /** Its age. */
  tip = 0
  /** Whether it does not answer. */
  isDown: boolean = false
  /** Whether it may be asked. */
  hasToken: boolean = true
  /** By commit, the first parent first; a line unless a test says otherwise. */
  readonly parents = new Map(commits.map((commit, age) => [commit, commits.slice(0, age).slice(-1)]))
  readonly #turn: Turn

  constructor(turn: Turn = async () => {}) {
    this.#turn = turn
  }

  get github(): GitHub {
    return new BranchGitHub(this)
  }

  /** The answer to a question, if there is one. */
  async ask<T>(what: string, answer: () => T): Promise<T | undefined> {
    await this.#turn(what)
    return this.isDown ? undefined : answer()
  }

  firstParents(sha: string): string[] {
    const [parent] = this.parents.get(sha) ?? []
    return parent === undefined ? [sha] : [sha, ...this.firstParents(parent)]
  }

  /** A commit and all before it. */
  #history(sha: string): string[] {
    return [sha, ...(this.parents.get(sha) ?? []).flatMap((parent) => this.#history(parent))]
  }

  relation(base: string, head: string): Relation {
    if (base === head) return 'identical'
    if (this.#history(head).includes(base)) return 'ahead'
    return this.#history(base).includes(head) ? 'behind' : 'diverged'
  }
}

/** A checkout with the whole history of the branch. */
class LinearGit extends Git {
  constructor() {
    super('/', {})
  }

  override async relation(base: string, head: string): Promise<Relation | undefined> {
    return new Branch().relation(base, head)
  }
}

/** What GitHub's API tells of a branch. */
class BranchGitHub extends SilentGitHub {
  readonly #branch: Branch

  constructor(branch: Branch) {
    super()
    this.#branch = branch
  }

  override get hasToken(): boolean {
    return this.#branch.hasToken
  }

  override relation(base: string, head: string): Promise<Relation | undefined> {
    return this.#branch.ask('compare', () => this.#branch.relation(base, head))
  }

  override tip(): Promise<string | undefined> {
    return this.#branch.ask('tip', () => commits[this.#branch.tip] ?? '')
  }

  override firstParents(sha: string): Promise<string[] | undefined> {
    return this.#branch.ask('list', () => this.#branch.firstParents(sha))
  }
}

interface Published extends Publication {
  /** Its failures. */
  sentences: string[]
  calls: string[]
  /** Notices and warnings. */
  messages: string[]
}

interface Prepared {
  run: Run
  calls: string[]
  log: RecordingLog
}

interface How {
  inputs?: Record<string, string>
  turn?: Turn
  cancellation?: AbortController
  /** Why production's moving tag cannot be read. */
  unreadable?: FailureKind
  /** The branch of the run. */
  name?: string
}

function runWith(
  repository: Repository,
  branch: Branch,
  commit: string,
  { inputs = {}, turn, cancellation = new AbortController(), unreadable, name = 'master' }: How = {}
): Prepared {
  const { signal } = cancellation
  const calls: string[] = []
  const noted: Turn = async (what) => {
    const text = `${commit.slice(0, 1)}: ${what}`
    calls.push(text)
    await turn?.(text)
  }
  const fail = (request: string): ReturnType<typeof failureOf> | undefined =>
    unreadable !== undefined && request === 'get octo/app:latest' ? failureOf(unreadable, 'a status') : undefined
  const log = new RecordingLog()
  const run = makeRun({
    plan: makePlan({ sha: commit, inputs, branch: name }),
    docker: new PushingDocker(repository, commit, noted, signal),
    registry: new FakeRegistry(repository, { turn: noted, fail, signal }),
    ...{ github: branch.github, log, signal }
  })
  return { run, calls, log }
}

const TOLD = ['notice', 'warning', 'error'] as const

async function publishOne(...how: Parameters<typeof runWith>): Promise<Published> {
  const { run, calls, log } = runWith(...how)
  const { publication } = await publish(run, [], [], new Map())
  return { ...publication, sentences: sentencesOf(publication), calls, messages: log.said(...TOLD) }
}

function sentencesOf({ failures }: Publication): string[] {
  return failures.map((failure) => describeFailure(failure, NOTHING))
}

/** Runs of these commits at once, each begun when the branch had it; what has the moving tag in the end. */
async function race(ages: number[], scheduler: fc.Scheduler): Promise<{ latest: string; said: Published[] }> {
  const repository = new Repository()
  const turn: Turn = (what) => scheduler.schedule(Promise.resolve(), what)
  const branch = new Branch(turn)
  const runs = ages.map(async (age) => {
    await turn(`commit ${age}`)
    branch.tip = Math.max(branch.tip, age)
    return publishOne(repository, branch, commits[age] ?? '', { turn })
  })
  const said = await scheduler.waitFor(Promise.all(runs))
  return { latest: repository.commitOf('latest') ?? '', said }
}

const [FIRST = '', SECOND = '', THIRD = '', FOURTH = ''] = commits
/** The request with which production's moving tag moves. */
const MOVES_LATEST = /: put octo\/app:latest$/

/** Each commit under its own tag. */
function byTag(published: readonly string[]): Record<string, string> {
  return Object.fromEntries(published.map((commit) => [commit.slice(0, 7), commit]))
}

describe('A run that is late', () => {
  it('pushes its commit, and moves nothing', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    branch.tip = 1
    await publishOne(repository, branch, SECOND)
    const late = await publishOne(repository, branch, FIRST)
    expect(late).toMatchObject({ pushed: ['octo/app:1111111'], published: false, failures: [] })
    expect(late.calls).not.toContainEqual(expect.stringMatching(MOVES_LATEST))
    expect(late.messages).toEqual([
      expect.stringMatching(/^The moving tags are not updated: .* already names the newer commit 2222222/)
    ])
    expect(late.stays).toBe(late.messages[0])
    expect(repository.commitOf('builder')).toBe(SECOND)
  })

  it('moves them where GitHub does not answer, with a warning', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    branch.tip = 1
    await publishOne(repository, branch, SECOND)
    branch.isDown = true
    const late = await publishOne(repository, branch, FIRST)
    expect(late).toMatchObject({ published: true })
    expect(late.messages).toEqual([expect.stringMatching(/^Cannot determine whether 1111111 is newer than 2222222/)])
  })

  it('moves them back from a commit that a force-push dropped', async () => {
    const [repository, branch] = [new Repository({ latest: SECOND }), new Branch()]
    branch.parents.set(THIRD, [FIRST])
    branch.tip = 2
    const late = await publishOne(repository, branch, FIRST)
    expect(late).toMatchObject({ published: true })
    expect(late.messages).toEqual([
      'octo/app:latest goes back from 2222222 to 1111111, because branch "master" no longer contains 2222222'
    ])
    expect(repository.commitOf('latest')).toBe(FIRST)
  })

  it('of a commit that a force-push dropped moves nothing; that of the new tip does', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    branch.parents.set(THIRD, [FIRST])
    branch.tip = 2
    await publishOne(repository, branch, THIRD)
    expect(await publishOne(repository, branch, SECOND)).toMatchObject({ published: false })
    expect(repository.commitOf('latest')).toBe(THIRD)
    repository.set('latest', SECOND)
    expect(await publishOne(repository, branch, THIRD)).toMatchObject({ published: true })
    expect(repository.commitOf('latest')).toBe(THIRD)
  })
})

describe('A further publishing branch, with a template for commit tags', () => {
  const inputs = { 'publish-branch': 'master\nrelease/*', 'commit-tag': 'sha-{short}' }
  const how = { inputs, name: 'release/1.x' }

  it('has moving tags of its own, which a late run leaves', async () => {
    const [repository, branch] = [new Repository({ latest: FOURTH, builder: FOURTH }), new Branch()]
    branch.tip = 1
    const { pushed } = await publishOne(repository, branch, SECOND, how)
    expect(pushed).toEqual(['octo/app:sha-2222222', 'octo/app:builder-release-1.x', 'octo/app:latest-release-1.x'])
    const late = await publishOne(repository, branch, FIRST, how)
    expect(late).toMatchObject({ pushed: ['octo/app:sha-1111111'], published: false, failures: [] })
    expect(late.messages).toEqual([
      expect.stringMatching(
        /^The moving tags are not updated: octo\/app:latest-release-1.x already names the newer commit/
      )
    ])
    expect([repository.commitOf('latest-release-1.x'), repository.commitOf('latest')]).toEqual([SECOND, FOURTH])
  })

  it('gives them to a newer commit that was published meanwhile', async () => {
    const [repository, branch] = [new Repository({ 'sha-2222222': SECOND }), new Branch()]
    branch.tip = 1
    const run = await publishOne(repository, branch, FIRST, how)
    expect(run).toMatchObject({ published: false, failures: [] })
    expect(repository.commitOf('latest-release-1.x')).toBe(SECOND)
  })

  it('leaves tags of these names that the action did not make', async () => {
    const repository = new Repository()
    for (const tag of ['latest-release-1.x', 'builder-release-1.x'])
      repository.put(`octo/app:${tag}`, imageOf(digestOf(FIRST), { labels: { [REVISION_LABEL]: FIRST } }))
    const branch = new Branch()
    branch.tip = 1
    const run = await publishOne(repository, branch, SECOND, how)
    expect(run).toMatchObject({ published: false, failures: [] })
    expect(run.messages).toEqual([
      'The moving tags are not updated: octo/app:latest-release-1.x names an image that this action did not make; delete that tag, or set the input latest-tag'
    ])
    expect(repository.commitOf('latest-release-1.x')).toBe(FIRST)
    expect(repository.commitOf('builder-release-1.x')).toBe(FIRST)
  })

  it('leaves the one of the builder image alone, if the action did not make it', async () => {
    const repository = new Repository()
    repository.put('octo/app:builder-release-1.x', imageOf(digestOf(FIRST), { labels: { [REVISION_LABEL]: FIRST } }))
    const run = await publishOne(repository, new Branch(), SECOND, how)
    expect(run.held).toEqual([expect.objectContaining({ reference: 'octo/app:builder-release-1.x' })])
    expect(repository.commitOf('builder-release-1.x')).toBe(FIRST)
    expect(repository.commitOf('latest-release-1.x')).toBe(SECOND)
  })
})

describe('A run that is late where the published image was built for a commit that the branch has not', () => {
  const SQUASHED = 'a'.repeat(40)

  /** `latest` names the image of a squashed branch, and so do the tags of these commits. */
  async function runAfter(tagged: string[], isKnown: boolean): Promise<[string | undefined, Published]> {
    const branch = new Branch()
    branch.tip = 2
    // as of a commit that no history has any more
    if (isKnown) branch.parents.set(SQUASHED, [FIRST])
    const repository = new Repository({ latest: SQUASHED })
    for (const commit of tagged) repository.set(commit.slice(0, 7), SQUASHED)
    const late = await publishOne(repository, branch, SECOND)
    return [repository.commitOf('latest'), late]
  }

  it.each([[true], [false]])(
    'moves nothing if a newer commit was given the same image; history known: %s',
    async (isKnown) => {
      const [latest, late] = await runAfter([THIRD], isKnown)
      expect(latest).toBe(SQUASHED)
      expect(late).toMatchObject({ pushed: ['octo/app:2222222'], published: false, failures: [] })
      expect(late.messages).toEqual([
        'The moving tags are not updated: octo/app:latest already names the image of the newer commit 3333333; this run of 2222222 is late'
      ])
      // the digest is enough
      expect(late.calls.filter((call) => call.includes('3333333'))).toEqual([
        '2: head octo/app:3333333',
        '2: answer to head octo/app:3333333'
      ])
    }
  )

  it('moves the tags if only an older commit was', async () => {
    const [latest, run] = await runAfter([FIRST], true)
    expect(latest).toBe(SECOND)
    expect(run).toMatchObject({ published: true, messages: [] })
  })
})

describe('A run whose commit follows the published one', () => {
  /** What a run says and asks GitHub where the first commit's image is published under these tags. */
  async function runAfter(
    tagged: string[],
    tip: number,
    { commit = SECOND, hasToken = true } = {}
  ): Promise<[latest: string | undefined, messages: string[], asked: string[]]> {
    const asked: string[] = []
    const branch = new Branch(async (what) => {
      asked.push(what)
    })
    branch.tip = tip
    branch.hasToken = hasToken
    branch.isDown = !hasToken
    const repository = new Repository({ latest: FIRST, builder: FIRST })
    for (const one of tagged) repository.set(one.slice(0, 7), FIRST)
    const { run, log } = runWith(repository, branch, commit)
    await publish({ ...run, git: new LinearGit() }, [], [], new Map())
    return [repository.commitOf('latest'), log.said(...TOLD), asked]
  }

  it.each([
    ['follows it', SECOND],
    ['is the same', FIRST]
  ])('moves nothing if a newer commit was given that image: its own %s', async (_, commit) => {
    const [latest, messages] = await runAfter([FIRST, THIRD], 2, { commit })
    expect(latest).toBe(FIRST)
    expect(messages).toEqual([
      `The moving tags are not updated: octo/app:latest already names the image of the newer commit 3333333; this run of ${commit.slice(0, 7)} is late`
    ])
  })

  it('moves the tags if the newer commit has no image yet', async () => {
    expect((await runAfter([FIRST], 2)).slice(0, 2)).toEqual([SECOND, []])
  })

  it('asks GitHub only for the tip if that is its own commit', async () => {
    // before the move and after it
    expect(await runAfter([FIRST], 1)).toEqual([SECOND, [], ['tip', 'tip']])
  })

  it('moves the tags without a token', async () => {
    expect((await runAfter([FIRST, THIRD], 2, { hasToken: false })).slice(0, 2)).toEqual([SECOND, []])
  })
})

describe('A run whose commit has an image of another variant', () => {
  it.each<[string, commit: string, variant: string | undefined, warns: boolean]>([
    ['of the same commit', FIRST, 'debian', true],
    ['of an earlier commit, which a run has only tagged', SECOND, 'debian', true],
    ['which is this one', FIRST, 'variant', false],
    ['which is this one of an earlier commit', SECOND, 'variant', false]
  ])('warns before it pushes its own: %s', async (_, commit, variant, warns) => {
    const repository = new Repository()
    repository.set('1111111', commit, variant)
    const { messages, pushed } = await publishOne(repository, new Branch(), FIRST)
    expect(pushed).toContain('octo/app:1111111')
    expect(messages).toEqual(
      warns
        ? [expect.stringMatching(/^Another image of this commit is published as octo\/app:1111111, with other/)]
        : []
    )
  })
})

describe('The images of two jobs for one commit', () => {
  /** The images of this many runs in order, each with its own variant and build arguments. */
  interface Job {
    variant: string
    buildArgs: string
  }

  const ALPINE = { variant: 'alpine', buildArgs: 'a' }
  const DEBIAN = { variant: 'debian', buildArgs: 'a' }
  const NODE_22 = { variant: 'alpine', buildArgs: 'b' }

  function image(digit: string, { variant, buildArgs }: Job, commit = FIRST) {
    const labels = { [REVISION_LABEL]: commit, [VARIANT_LABEL]: variant, [BUILD_ARGS_LABEL]: buildArgs }
    return imageOf(`sha256:${digit.repeat(64)}`, { labels })
  }

  function jobOf(repository: Repository, job: Job) {
    const { run, log } = runWith(repository, new Branch(), FIRST)
    Object.assign(run.plan, job)
    return { run, log }
  }

  it.each<[string, Job, Job, string]>([
    ['variants', ALPINE, DEBIAN, 'with other tags, another target, platform, context or Dockerfile'],
    ['variants in the other order', DEBIAN, ALPINE, 'with other tags, another target, platform, context or Dockerfile'],
    ['build arguments', ALPINE, NODE_22, 'with other build arguments'],
    ['build arguments in the other order', NODE_22, ALPINE, 'with other build arguments']
  ])('are told apart by their %s, before the second one is pushed', async (_, first, second, how) => {
    const repository = new Repository()
    repository.put('octo/app:1111111', image('a', first))
    const { run, log } = jobOf(repository, second)
    await warnOfOtherVariant(run)
    expect(log.said('warning')).toEqual([
      `Another image of this commit is published as octo/app:1111111, ${how}, and this run replaces it; give each variant a repository of its own (input image)`
    ])
    const same = jobOf(repository, first)
    await warnOfOtherVariant(same.run)
    expect(same.log.said(...TOLD)).toEqual([])
  })

  it.each<[string, Job, boolean]>([
    ['another variant', DEBIAN, true],
    ['other build arguments', NODE_22, true],
    ['the same job', ALPINE, false]
  ])('are told apart after the push if a concurrent run was later: %s', async (_, job, warns) => {
    const repository = new Repository()
    const { run, log } = jobOf(repository, ALPINE)
    const own = image('a', ALPINE)
    // nothing was there before the push
    await warnOfOtherVariant(run)
    repository.put('octo/app:1111111', own)
    await warnOfReplacement(run, own.digest ?? '')
    expect(log.said(...TOLD)).toEqual([])
    repository.put('octo/app:1111111', image('b', job))
    await warnOfReplacement(run, own.digest ?? '')
    const warning =
      /^A concurrent run has replaced the image of this run at octo\/app:1111111 by another image of this commit, with other/
    expect(log.said(...TOLD)).toEqual(warns ? [expect.stringMatching(warning)] : [])
  })

  it('are not compared if this run pushed none, or the registry does not answer', async () => {
    const repository = new Repository()
    repository.put('octo/app:1111111', image('b', DEBIAN))
    const { run, log } = jobOf(repository, ALPINE)
    await warnOfReplacement(run, '')
    const fail = (): RegistryFailure => failureOf('unreachable')
    const registry = new FakeRegistry(repository, { fail })
    await warnOfReplacement({ ...run, registry }, `sha256:${'a'.repeat(64)}`)
    expect(log.said(...TOLD)).toEqual([])
  })
})

describe('A run whose commit the branch has not in its own line', () => {
  /** Production's moving tag, and what was said, after this commit's run; of each of the others an image is published. */
  async function runOf(commit: string, branch: Branch, latest: string, others: string[]): Promise<[string, string[]]> {
    const repository = new Repository({ latest, ...byTag(others) })
    const { messages } = await publishOne(repository, branch, commit)
    return [repository.commitOf('latest') ?? '', messages]
  }

  it('gives nothing to older commits, or to others that were merged', async () => {
    // `git pull` made 4 of a local 3 and of the published 2, in this order
    const branch = new Branch()
    branch.parents.set(THIRD, [FIRST]).set(FOURTH, [THIRD, SECOND])
    branch.tip = 3
    expect(await runOf(SECOND, branch, FIRST, [FIRST, THIRD])).toEqual([SECOND, []])
    expect((await runOf(SECOND, branch, FIRST, [FIRST, THIRD, FOURTH]))[0]).toBe(FOURTH)
  })

  it('that a force-push dropped gives the tag to the new tip, and to nothing before the histories parted', async () => {
    const branch = new Branch()
    branch.parents.set(THIRD, [SECOND]).set(FOURTH, [FIRST])
    branch.tip = 2
    const turned: Turn = async () => {
      // after the question, before the move
      branch.tip = 3
    }
    for (const [others, expected] of [
      [[FIRST], THIRD],
      [[FIRST, FOURTH], FOURTH]
    ] as const) {
      branch.tip = 2
      const repository = new Repository({ latest: SECOND, ...byTag(others) })
      await publishOne(repository, branch, THIRD, {
        turn: async (what) => (MOVES_LATEST.test(what) ? turned(what) : undefined)
      })
      expect(repository.commitOf('latest')).toBe(expected)
    }
  })

  it('keeps the tag where GitHub tells a tip that is older, with a warning', async () => {
    const branch = new Branch()
    const [latest, messages] = await runOf(SECOND, branch, FIRST, [FIRST])
    expect(latest).toBe(SECOND)
    // or the branch was reset to it
    expect(messages).toEqual([
      expect.stringMatching(/^Cannot determine whether branch "master" still contains 2222222/)
    ])
  })

  it('which is the tip again after a force-push, takes the tag back', async () => {
    const branch = new Branch()
    branch.tip = 0
    expect(await runOf(FIRST, branch, SECOND, [SECOND])).toEqual([
      FIRST,
      [expect.stringMatching(/octo\/app:latest goes back from 2222222 to 1111111, because branch "master" does$/)]
    ])
  })
})

describe('A run that cannot ask what came after it', () => {
  it('says so', async () => {
    const branch = new Branch()
    branch.isDown = true
    const repository = new Repository()
    const { messages, published } = await publishOne(repository, branch, FIRST)
    expect(published).toBe(true)
    expect(messages).toEqual([expect.stringMatching(/^Cannot determine whether a commit newer than 1111111/)])
  })

  it('does not warn of it without a token: nobody was meant to be asked', async () => {
    const branch = new Branch()
    branch.isDown = true
    branch.hasToken = false
    const { run, log } = runWith(new Repository(), branch, FIRST)
    expect((await publish(run, [], [], new Map())).publication.published).toBe(true)
    expect(log.said(...TOLD)).toEqual([])
    expect(log.said('info')).toContainEqual(expect.stringMatching(/^Cannot determine whether a commit newer/))
  })
})

describe('A run that was overtaken between its question and its move', () => {
  /** The newer one begins and ends just before the older one's first call that fits. */
  async function overtake(before: RegExp): Promise<{ repository: Repository; older: Published }> {
    const [repository, branch] = [new Repository(), new Branch()]
    let overtaken = false
    const turn: Turn = async (what) => {
      if (overtaken || !before.test(what)) return
      overtaken = true
      branch.tip = 1
      await publishOne(repository, branch, SECOND)
    }
    const older = await publishOne(repository, branch, FIRST, { turn })
    return { repository, older }
  }

  it('gives both tags back', async () => {
    const { repository, older } = await overtake(MOVES_LATEST)
    expect(older.calls).toContainEqual(expect.stringMatching(MOVES_LATEST))
    expect([repository.commitOf('latest'), repository.commitOf('builder')]).toEqual([SECOND, SECOND])
    expect(older).toMatchObject({ pushed: ['octo/app:1111111'], published: false, failures: [] })
    expect(older.stays).toBe(
      'The newer commit 2222222 was published at the same time, so octo/app:latest, octo/app:builder name its image'
    )
  })

  it('says which tag it could not give back', async () => {
    // its own builder image is the last that was pushed to be looked at
    const { repository, older } = await overtake(/: push octo\/app:builder-next$/)
    expect([repository.commitOf('latest'), repository.commitOf('builder')]).toEqual([SECOND, FIRST])
    expect(older).toMatchObject({ published: false })
    expect(older.stays).toMatch(
      /octo\/app:latest names its image; octo\/app:builder is of this commit until the next run$/
    )
  })

  it('and is cancelled before it can give them back, still tells what it pushed', async () => {
    const [repository, branch, cancellation] = [new Repository(), new Branch(), new AbortController()]
    branch.tip = 1
    const turn: Turn = async (what) => {
      if (what === '1: get octo/app:2222222') cancellation.abort()
    }
    const older = await publishOne(repository, branch, FIRST, { turn, cancellation })
    expect(cancellation.signal.aborted).toBe(true)
    expect(older.pushed).toEqual(['octo/app:1111111', 'octo/app:builder', 'octo/app:latest'])
    expect(older).toMatchObject({ published: true, failures: [] })
  })

  it('gives the tag to one still newer that was published while it gave the tag back', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    let moves = 0
    const turn: Turn = async (what) => {
      if (!/^1: put octo\/app:latest$/.test(what)) return
      // the second commit just before its own move, the third just before it gives the tag to the second
      const age = ++moves
      if (age > 2) return
      branch.tip = age
      await publishOne(repository, branch, commits[age] ?? '')
    }
    const older = await publishOne(repository, branch, FIRST, { turn })
    expect(moves).toBe(3)
    expect([repository.commitOf('latest'), repository.commitOf('builder')]).toEqual([THIRD, THIRD])
    expect(older.stays).toMatch(/^The newer commit 3333333 was published at the same time/)
  })

  it.each<[string, commit: string, variant: string, why: string]>([
    ['another variant', SECOND, 'debian', 'it is another variant of the image'],
    ['another commit that begins alike', `2222222${'0'.repeat(33)}`, 'variant', `it is an image of commit 2222222000`],
    ['no commit', '', 'variant', 'it is an image of commit unknown']
  ])('leaves the tag where the newer commit has an image of %s', async (_, commit, variant, why) => {
    const [repository, branch] = [new Repository(), new Branch()]
    const turn: Turn = async (what) => {
      if (!MOVES_LATEST.test(what)) return
      branch.tip = 1
      repository.set('2222222', commit, variant)
    }
    const older = await publishOne(repository, branch, FIRST, { turn })
    expect(older).toMatchObject({ published: true, failures: [] })
    expect(repository.commitOf('latest')).toBe(FIRST)
    expect(older.messages).toEqual([
      expect.stringContaining(
        `octo/app:2222222 is newer than 1111111, but octo/app:latest could not be set to it: ${why}`
      )
    ])
  })

  it('gives the tag to what a newer run left as it was', async () => {
    const [repository, branch] = [new Repository({ latest: FIRST, ...byTag([FIRST]) }), new Branch()]
    branch.tip = 2
    // nothing had changed since the first commit: its image has the third one's tag
    repository.set(THIRD.slice(0, 7), FIRST)
    const older = await publishOne(repository, branch, SECOND)
    expect(repository.commitOf('latest')).toBe(FIRST)
    expect(older).toMatchObject({ published: false })
  })
})

const UNREADABLE: FailureKind[] = ['refused', 'unreachable', 'untrusted', 'unknown']

describe('A run that cannot read what is published', () => {
  it.each(UNREADABLE)('pushes its commit, moves nothing, and fails: %s', async (unreadable) => {
    const [repository, branch] = [new Repository({ latest: SECOND, builder: SECOND }), new Branch()]
    branch.tip = 2
    const blind = await publishOne(repository, branch, THIRD, { unreadable })
    expect(blind).toMatchObject({ pushed: ['octo/app:3333333'], published: false })
    expect(blind.sentences).toEqual([
      expect.stringMatching(/^Cannot inspect the published image octo\/app:latest, .* are not updated.*\(a status\)/)
    ])
    expect([repository.commitOf('latest'), repository.commitOf('builder')]).toEqual([SECOND, SECOND])
    expect(blind.calls.filter((call) => /: put |: push octo.app:(latest|builder)$/.test(call))).toEqual([])
    expect(blind.stays).toBeUndefined()
  })

  it('moves the tags where nothing is published', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    const first = await publishOne(repository, branch, FIRST, { unreadable: 'absent' })
    expect(first).toMatchObject({ published: true, failures: [], messages: [] })
    expect([repository.commitOf('latest'), repository.commitOf('builder')]).toEqual([FIRST, FIRST])
  })
})

describe('A run of which nothing had to be built', () => {
  const digest = digestOf(FIRST)
  const unchanged = { image: `octo/app@${digest}`, digest, commit: FIRST, builderCommit: FIRST }

  it.each(UNREADABLE)('tags its commit, moves nothing, and fails where it cannot read: %s', async (unreadable) => {
    const [repository, branch] = [new Repository({ latest: SECOND, ...byTag([FIRST]) }), new Branch()]
    branch.tip = 2
    const { run } = runWith(repository, branch, THIRD, { unreadable })
    const publication = await tagUnchanged(run, unchanged, new Map(), new Map())
    expect(publication).toMatchObject({
      pushed: ['octo/app:3333333'],
      digests: { 'octo/app:3333333': digest },
      published: false
    })
    expect(sentencesOf(publication)).toEqual([
      expect.stringMatching(/^Cannot inspect the published image octo\/app:latest/)
    ])
    expect([repository.commitOf('latest'), repository.commitOf('3333333')]).toEqual([SECOND, FIRST])
  })

  it.each([
    ['fails', { failures: [{ kind: 'push', reference: 'octo/app:v2' }] }],
    ['is cancelled', { failures: [] }]
  ])('tells which tags it had set before it %s', async (what, told) => {
    const repository = new Repository(byTag([FIRST]))
    const cancellation = new AbortController()
    const { run } = runWith(repository, new Branch(), THIRD, { cancellation })
    run.plan.refs.further.push('octo/app:v1', 'octo/app:v2', 'octo/app:v3')
    const turn = (request: string): void => {
      if (request === 'put octo/app:v2' && what === 'is cancelled') cancellation.abort()
    }
    const fail = (request: string): RegistryFailure | undefined =>
      request === 'put octo/app:v2' ? failureOf('refused') : undefined
    const registry = new FakeRegistry(repository, { turn, fail, signal: cancellation.signal })
    const publication = await tagUnchanged({ ...run, registry }, unchanged, new Map(), new Map())
    expect(publication).toMatchObject({ pushed: ['octo/app:3333333', 'octo/app:v1'], published: false, ...told })
    expect([repository.commitOf('v1'), repository.commitOf('v2'), repository.commitOf('latest')]).toEqual([
      ...[FIRST, undefined, undefined]
    ])
  })

  it('takes the moving tag back that an older commit has taken since it looked', async () => {
    const branch = new Branch()
    branch.tip = 2
    // the third commit reverts the second one, whose run is still under way when the third one looks
    const repository = new Repository({ latest: SECOND, ...byTag([FIRST]) })
    const { run, log } = runWith(repository, branch, THIRD)
    // of the images of other stages, only one that exists gets its moving tag
    repository.set('cache-1', THIRD)
    const images = new Map([
      ['octo/app:builder', 'octo/app:cache-1'],
      ['octo/app:deps', 'octo/app:cache-2']
    ])
    expect(await tagUnchanged(run, unchanged, images, new Map())).toMatchObject({
      pushed: ['octo/app:3333333', 'octo/app:latest', 'octo/app:builder'],
      published: true,
      failures: []
    })
    expect(repository.commitOf('builder')).toBe(THIRD)
    expect([repository.commitOf('latest'), repository.commitOf('3333333'), log.said(...TOLD)]).toEqual([
      FIRST,
      FIRST,
      []
    ])
    // and of another one that is late leaves it
    const late = runWith(repository, branch, SECOND)
    repository.set('latest', THIRD)
    expect(await tagUnchanged(late.run, unchanged, images, new Map())).toMatchObject({ published: false })
    expect(repository.commitOf('latest')).toBe(THIRD)
  })
})

describe('A further tag that is named after the branch', () => {
  const inputs = { tags: 'octo/app:master' }
  const SETS_MASTER = /: put octo\/app:master$/

  /** A run of the first commit, which the second one overtakes before it sets the tag. */
  function overtaken(repository: Repository, branch: Branch): Prepared {
    const turn: Turn = async (what) => {
      if (!SETS_MASTER.test(what) || branch.tip > 0) return
      branch.tip = 1
      await publishOne(repository, branch, SECOND, { inputs })
    }
    return runWith(repository, branch, FIRST, { inputs, turn })
  }

  it('is of the newer commit in the end, of two runs at once', async () => {
    const [repository, branch] = [new Repository(), new Branch()]
    const { run, log } = overtaken(repository, branch)
    const { publication } = await publish(run, [], [], new Map())
    expect([repository.commitOf('master'), repository.commitOf('latest')]).toEqual([SECOND, SECOND])
    expect(publication.pushed).not.toContain('octo/app:master')
    expect(log.said(...TOLD)).toContain(
      'The newer commit 2222222 was published at the same time, so octo/app:master names its image'
    )
  })

  it('is so, too, if nothing had to be built', async () => {
    const digest = digestOf(THIRD)
    const [repository, branch] = [new Repository(byTag([THIRD])), new Branch()]
    const { run } = overtaken(repository, branch)
    const unchanged = { image: `octo/app@${digest}`, digest, commit: THIRD, builderCommit: THIRD }
    const { pushed } = await tagUnchanged(run, unchanged, new Map(), new Map())
    expect(repository.commitOf('master')).toBe(SECOND)
    expect(pushed).not.toContain('octo/app:master')
  })
})

describe('A run that is cancelled while it sets tags', () => {
  const inputs = { tags: 'octo/app:master' }

  it.each([/: get octo\/app:master$/, /: put octo\/app:master$/])('reports those that it has set: %s', async (at) => {
    const cancellation = new AbortController()
    const turn: Turn = async (what) => {
      if (at.test(what)) cancellation.abort()
    }
    const published = await publishOne(new Repository(), new Branch(), FIRST, { inputs, turn, cancellation })
    expect(published).toMatchObject({ pushed: ['octo/app:1111111'], published: false })
  })

  it.each([
    [/: put octo\/app:master$/, ['octo/app:1111111'], false],
    [/: put octo\/app:latest$/, ['octo/app:1111111', 'octo/app:master'], false]
  ])('reports those that it has set, if nothing had to be built: %s', async (at, expected, isPublished) => {
    const digest = digestOf(THIRD)
    const cancellation = new AbortController()
    const turn: Turn = async (what) => {
      if (at.test(what)) cancellation.abort()
    }
    const { run } = runWith(new Repository(byTag([THIRD])), new Branch(), FIRST, { inputs, turn, cancellation })
    const unchanged = { image: `octo/app@${digest}`, digest, commit: THIRD, builderCommit: THIRD }
    const publication = await tagUnchanged(run, unchanged, new Map(), new Map())
    expect(publication).toMatchObject({ pushed: expected, published: isPublished, failures: [] })
  })
})

describe('The moving tag of production', () => {
  const ages = fc.uniqueArray(fc.nat(commits.length - 1), { minLength: 2, maxLength: 4 })

  it('is of the newest commit in the end, in whatever order runs do what they do', async () => {
    await fc.assert(
      fc.asyncProperty(ages, fc.scheduler(), async (chosen, scheduler) => {
        const { latest, said } = await race(chosen, scheduler)
        expect(latest).toBe(commits[Math.max(...chosen)])
        // only the newest may say that it published, and it does
        const published = chosen.filter((_, index) => said[index]?.published)
        for (const age of published) {
          expect(said[chosen.indexOf(age)]?.pushed).toContain('octo/app:latest')
        }
        expect(published).toContain(Math.max(...chosen))
      }),
      cases()
    )
  }, 300_000)
})
