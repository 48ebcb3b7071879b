import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readFromRegistry } from '../../src/cache/image.ts'
import type { Docker } from '../../src/engine/docker.ts'
import { CancelledError } from '../../src/errors.ts'
import type { ExecResult } from '../../src/exec.ts'
import type { Relation } from '../../src/git.ts'
import type { GitHub } from '../../src/github.ts'
import { publish, tagUnchanged } from '../../src/phases/publish.ts'
import { REVISION_LABEL } from '../../src/plan.ts'
import type { Publication, Run } from '../../src/run.ts'
import type { Strategy } from '../../src/strategy/strategy.ts'
import { Timeline } from '../../src/timeline.ts'
import { cases } from './cases.ts'
import { makePlan } from './make-plan.ts'

/** The commits of a branch by their age, the oldest first. */
const commits = Array.from({ length: 5 }, (_, age) => String(age + 1).repeat(40))

/** Lets others go first. */
type Turn = (what: string) => Promise<void>

/** Tag → commit of its image. */
type Tags = Map<string, string>

const tagOf = (reference: string): string => reference.replace(/^octo\/app:/, '')
const digestOf = (commit: string): string => `sha256:${commit.padEnd(64, '0')}`

/** The docker of one run, whose images are all of its commit, at a registry that others use, too. */
class RegistryDocker implements Docker {
  readonly #tags: Tags
  readonly #commit: string
  readonly #turn: Turn
  readonly #signal: AbortSignal

  constructor(tags: Tags, commit: string, turn: Turn, signal: AbortSignal) {
    this.#tags = tags
    this.#commit = commit
    this.#turn = turn
    this.#signal = signal
  }

  async call(args: readonly string[]): Promise<ExecResult> {
    const text = `${this.#commit.slice(0, 1)}: ${args.join(' ')}`
    await this.#turn(text)
    if (this.#signal.aborted) throw new CancelledError()
    const name = args.at(-1) ?? ''
    const answer = this.#answer(args, name)
    await this.#turn(`answer to ${text}`)
    return answer === undefined
      ? { exitCode: 1, stdout: '', stderr: `ERROR: ${name}: not found\n` }
      : { exitCode: 0, stdout: answer, stderr: '' }
  }

  #answer(args: readonly string[], name: string): string | undefined {
    if (args[0] === 'image') return args.map(() => `sha256:${this.#commit}`).join('\n')
    if (args[0] === 'push') {
      this.#tags.set(tagOf(name), this.#commit)
      return `x: digest: ${digestOf(this.#commit)} size: 1\n`
    }
    if (args.includes('create')) {
      const commit = this.#tags.get(tagOf(name))
      if (commit !== undefined) this.#tags.set(tagOf(args[args.indexOf('--tag') + 1] ?? ''), commit)
      return commit === undefined ? undefined : ''
    }
    const [, digest] = /@(sha256:.*)$/.exec(name) ?? []
    if (digest !== undefined) {
      return JSON.stringify({ rootfs: {}, config: { Labels: { [REVISION_LABEL]: digest.slice(7, 47) } } })
    }
    const commit = this.#tags.get(tagOf(name))
    return commit === undefined ? undefined : JSON.stringify({ config: { digest: digestOf(commit) } })
  }
}

/** GitHub, whose branch gets one commit after the other. */
class Branch {
  /** Its age. */
  tip = 0
  /** Whether it does not answer. */
  isDown: boolean = false
  /** By commit, the first parent first; a line unless a test says otherwise. */
  readonly parents = new Map(commits.map((commit, age) => [commit, commits.slice(0, age).slice(-1)]))
  readonly #turn: Turn

  constructor(turn: Turn = async () => {}) {
    this.#turn = turn
  }

  get github(): GitHub {
    const ask = async <T>(what: string, answer: () => T): Promise<T | undefined> => {
      await this.#turn(what)
      return this.isDown ? undefined : answer()
    }
    return {
      relation: (base: string, head: string) => ask('compare', () => this.#relation(base, head)),
      tip: () => ask('tip', () => commits[this.tip] ?? ''),
      firstParents: (sha: string) => ask('list', () => this.#firstParents(sha))
    } as unknown as GitHub
  }

  #firstParents(sha: string): string[] {
    const [parent] = this.parents.get(sha) ?? []
    return parent === undefined ? [sha] : [sha, ...this.#firstParents(parent)]
  }

  /** A commit and all before it. */
  #history(sha: string): string[] {
    return [sha, ...(this.parents.get(sha) ?? []).flatMap((parent) => this.#history(parent))]
  }

  #relation(base: string, head: string): Relation {
    if (base === head) return 'identical'
    if (this.#history(head).includes(base)) return 'ahead'
    return this.#history(base).includes(head) ? 'behind' : 'diverged'
  }
}

interface Published extends Publication {
  calls: string[]
  /** Notices and warnings. */
  messages: string[]
}

interface Prepared {
  run: Run
  strategy: Strategy
  calls: string[]
  messages: string[]
}

function runWith(
  tags: Tags,
  branch: Branch,
  commit: string,
  turn: Turn = async () => {},
  { signal } = new AbortController()
): Prepared {
  const calls: string[] = []
  const noted: Turn = async (what) => {
    calls.push(what)
    await turn(what)
  }
  const docker = new RegistryDocker(tags, commit, noted, signal)
  const read: Strategy['readCurrent'] = (reference) => readFromRegistry(docker, reference, undefined, signal)
  const messages: string[] = []
  const say = (text: string): void => void messages.push(text)
  const silent = (): void => {}
  const run = {
    plan: makePlan({ sha: commit, inputs: { 'github-token': 'x' } }),
    docker,
    // a shallow checkout
    git: { relation: async () => undefined },
    github: branch.github,
    log: { info: silent, notice: say, warning: say, error: say, section: () => ({ write: silent, end: silent }) },
    timeline: new Timeline(),
    signal
  } as unknown as Run
  const strategy = { readCurrent: read, readPublished: read } as unknown as Strategy
  return { run, strategy, calls, messages }
}

async function publishOne(...how: Parameters<typeof runWith>): Promise<Published> {
  const { run, strategy, calls, messages } = runWith(...how)
  return { ...(await publish(run, strategy, [], [])).publication, calls, messages }
}

/** Runs of these commits at once, each begun when the branch had it; what has the moving tag in the end. */
async function race(ages: number[], scheduler: fc.Scheduler): Promise<{ latest: string; said: Published[] }> {
  const tags: Tags = new Map()
  const turn: Turn = (what) => scheduler.schedule(Promise.resolve(), what)
  const branch = new Branch(turn)
  const runs = ages.map(async (age) => {
    await turn(`commit ${age}`)
    branch.tip = Math.max(branch.tip, age)
    return publishOne(tags, branch, commits[age] ?? '', turn)
  })
  const said = await scheduler.waitFor(Promise.all(runs))
  return { latest: tags.get('latest') ?? '', said }
}

const [FIRST = '', SECOND = '', THIRD = '', FOURTH = ''] = commits
const PUSHES_LATEST = expect.stringMatching(/: push octo\/app:latest$/)

describe('A run that is late', () => {
  it('pushes its commit, and moves nothing', async () => {
    const [tags, branch]: [Tags, Branch] = [new Map(), new Branch()]
    branch.tip = 1
    await publishOne(tags, branch, SECOND)
    const late = await publishOne(tags, branch, FIRST)
    expect(late).toMatchObject({ pushed: ['octo/app:1111111'], published: false, failures: [] })
    expect(late.calls).not.toContainEqual(PUSHES_LATEST)
    expect(late.messages).toEqual([expect.stringMatching(/^The moving tags stay .* newer commit 2222222 already/)])
    expect(late.stays).toBe(late.messages[0])
    expect(tags.get('builder')).toBe(SECOND)
  })

  it('moves them where GitHub does not answer, with a warning', async () => {
    const [tags, branch]: [Tags, Branch] = [new Map(), new Branch()]
    branch.tip = 1
    await publishOne(tags, branch, SECOND)
    branch.isDown = true
    const late = await publishOne(tags, branch, FIRST)
    expect(late).toMatchObject({ published: true })
    expect(late.messages).toEqual([
      expect.stringMatching(/^Nobody could be asked whether 1111111 is newer than 2222222/)
    ])
  })

  it('of a commit that a force-push dropped moves nothing; that of the new tip does', async () => {
    const [tags, branch]: [Tags, Branch] = [new Map(), new Branch()]
    branch.parents.set(THIRD, [FIRST])
    branch.tip = 2
    await publishOne(tags, branch, THIRD)
    expect(await publishOne(tags, branch, SECOND)).toMatchObject({ published: false })
    expect(tags.get('latest')).toBe(THIRD)
    tags.set('latest', SECOND)
    expect(await publishOne(tags, branch, THIRD)).toMatchObject({ published: true })
    expect(tags.get('latest')).toBe(THIRD)
  })
})

describe('A run whose commit the branch has not in its own line', () => {
  /** Production's moving tag, and what was said, after this commit's run; of each of the others an image is published. */
  async function runOf(commit: string, branch: Branch, latest: string, others: string[]): Promise<[string, string[]]> {
    const tags: Tags = new Map([['latest', latest], ...others.map((one) => [one.slice(0, 7), one] as const)])
    const { messages } = await publishOne(tags, branch, commit)
    return [tags.get('latest') ?? '', messages]
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
      const tags: Tags = new Map([['latest', SECOND], ...others.map((one) => [one.slice(0, 7), one] as const)])
      await publishOne(tags, branch, THIRD, async (what) =>
        /push octo.app:latest$/.test(what) ? turned(what) : undefined
      )
      expect(tags.get('latest')).toBe(expected)
    }
  })

  it('keeps the tag where GitHub tells a tip that is older', async () => {
    const branch = new Branch()
    expect(await runOf(SECOND, branch, FIRST, [FIRST])).toEqual([SECOND, []])
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
    const tags: Tags = new Map()
    const { messages, published } = await publishOne(tags, branch, FIRST)
    expect(published).toBe(true)
    expect(messages).toEqual([expect.stringMatching(/^Nobody could be asked whether a commit newer than 1111111/)])
  })
})

describe('A run that was overtaken between its question and its move', () => {
  /** The newer one begins and ends just before the older one's first call that fits. */
  async function overtake(before: RegExp): Promise<{ tags: Tags; older: Published }> {
    const [tags, branch]: [Tags, Branch] = [new Map(), new Branch()]
    let overtaken = false
    const older = await publishOne(tags, branch, FIRST, async (what) => {
      if (overtaken || !before.test(what)) return
      overtaken = true
      branch.tip = 1
      await publishOne(tags, branch, SECOND)
    })
    return { tags, older }
  }

  it('gives both tags back', async () => {
    const { tags, older } = await overtake(/push octo\/app:latest$/)
    expect(older.calls).toContainEqual(PUSHES_LATEST)
    expect([tags.get('latest'), tags.get('builder')]).toEqual([SECOND, SECOND])
    expect(older).toMatchObject({ pushed: ['octo/app:1111111'], published: false, failures: [] })
    expect(older.stays).toBe(
      'The newer commit 2222222 was published at the same time, so octo/app:latest, octo/app:builder name its image'
    )
  })

  it('says which tag it could not give back', async () => {
    // its own builder image is the last that was pushed to be looked at
    const { tags, older } = await overtake(/: push octo\/app:builder-next$/)
    expect([tags.get('latest'), tags.get('builder')]).toEqual([SECOND, FIRST])
    expect(older).toMatchObject({ published: false })
    expect(older.stays).toMatch(
      /octo\/app:latest names its image; octo\/app:builder is of this commit until the next run$/
    )
  })

  it('and is cancelled before it can give them back, still tells what it pushed', async () => {
    const [tags, branch, cancellation]: [Tags, Branch, AbortController] = [
      new Map(),
      new Branch(),
      new AbortController()
    ]
    branch.tip = 1
    const turn: Turn = async (what) => {
      if (what.includes('imagetools create')) cancellation.abort()
    }
    const older = await publishOne(tags, branch, FIRST, turn, cancellation)
    expect(older.pushed).toEqual(['octo/app:1111111', 'octo/app:builder', 'octo/app:latest'])
    expect(older).toMatchObject({ published: true, failures: [] })
  })

  it('gives the tag to what a newer run left as it was', async () => {
    const [tags, branch]: [Tags, Branch] = [
      new Map([
        ['latest', FIRST],
        [FIRST.slice(0, 7), FIRST]
      ]),
      new Branch()
    ]
    branch.tip = 2
    // nothing had changed since the first commit: its image has the third one's tag
    tags.set(THIRD.slice(0, 7), FIRST)
    const older = await publishOne(tags, branch, SECOND)
    expect(tags.get('latest')).toBe(FIRST)
    expect(older).toMatchObject({ published: false })
  })
})

describe('A run of which nothing had to be built', () => {
  it('takes the moving tag back that an older commit has taken since it looked', async () => {
    const branch = new Branch()
    branch.tip = 2
    // the third commit reverts the second one, whose run is still under way when the third one looks
    const tags: Tags = new Map([
      ['latest', SECOND],
      [FIRST.slice(0, 7), FIRST]
    ])
    const { run, strategy, messages } = runWith(tags, branch, THIRD)
    const manifest = JSON.stringify({ config: { digest: digestOf(FIRST) } })
    const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`
    const unchanged = { image: 'octo/app:1111111', digest, commit: FIRST, builderCommit: FIRST }
    expect(await tagUnchanged(run, strategy, unchanged)).toMatchObject({ published: true, failures: [] })
    expect([tags.get('latest'), tags.get('3333333'), messages]).toEqual([FIRST, FIRST, []])
    // and of another one that is late leaves it
    const late = runWith(tags, branch, SECOND)
    tags.set('latest', THIRD)
    expect(await tagUnchanged(late.run, late.strategy, unchanged)).toMatchObject({ published: false })
    expect(tags.get('latest')).toBe(THIRD)
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
