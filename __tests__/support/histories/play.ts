import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { Contents, imageOf } from '../fake-registry.ts'
import { Commits, type Tree } from './commits.ts'
import { BASE, EngineState, type Image, Truth } from './engine.ts'
import { type EventKind, eventOf, type HistoryEvent } from './events.ts'
import { ContentsOfRun } from './registry.ts'
import {
  brokenAtEnd,
  brokenBy,
  brokenInTheEnd,
  type Ended,
  IMAGE,
  type RunFacts,
  testsOf,
  type World,
  type Write
} from './rules.ts'
import { type Faults, play as playRun, type Setting } from './run.ts'
import { Random, Scheduler } from './scheduler.ts'

/** What was seen in a history. */
export interface Played {
  /** The rules that it broke, each with what broke it. */
  broken: string[]
  /** What happened, for people. */
  trace: string[]
  counts: Record<string, number>
}

/** The most runs at the same time; runs on one engine would take each other's names. */
const MOST_AT_ONCE = 3

/** Plays the random history of a seed: commits, and the runs that they cause. */
export async function playHistory(seed: number): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), 'history-'))
  try {
    return await new History(seed, folder).play()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

class History implements World {
  readonly commits = new Commits()
  readonly truth = new Truth()
  readonly published = new Set<string>()
  readonly writes: Write[] = []
  forcedAt = 0
  readonly tags = new Map<string, Image>()
  readonly #folder: string
  readonly #random: Random
  readonly #scheduler: Scheduler
  readonly #contents = new Contents()
  readonly #setting: Setting
  readonly #faults: Faults
  readonly #ended: Ended[] = []
  readonly #broken: string[] = []
  readonly #trace: string[] = []
  readonly #counts: Record<string, number> = {}
  readonly #kept = new EngineState()
  /** Events whose runs have not begun, and all. */
  #waiting: HistoryEvent[] = []
  readonly #events: HistoryEvent[] = []
  #active = 0
  #begun = 0
  #version = 0

  constructor(seed: number, folder: string) {
    this.#folder = folder
    this.#random = new Random(seed)
    const random = this.#random
    this.#scheduler = new Scheduler(random)
    this.#setting = {
      skipsUnchanged: random.chance(0.6),
      cacheTags: random.weighted({ all: 7, 'publish-branch': 2, none: 1 }),
      hasBranchTags: random.chance(0.5),
      hasToken: random.chance(0.85),
      depth: random.weighted({ full: 6, shallow: 4 }),
      isEngineKept: random.chance(0.1),
      interrupts: random.chance(0.5) ? 0.3 : 0
    }
    this.#faults = {
      requests: random.chance(0.4) ? 0.006 : 0,
      github: random.chance(0.2) ? 0.25 : 0,
      outageUntil: 0
    }
    this.#contents.put(BASE, baseImage(0))
  }

  async play(): Promise<Played> {
    const random = this.#random
    this.#trace.push(JSON.stringify({ ...this.#setting, ...this.#faults }))
    this.#publish('master', this.commits.commit('master', FIRST))
    this.#happen('push', 'master')
    let left = 6 + random.below(9)
    let runs = left + 3
    for (;;) {
      await this.#scheduler.idle()
      const isQuiet = this.#active === 0
      if (
        this.#waiting.length > 0 &&
        runs > 0 &&
        this.#active < (this.#setting.isEngineKept ? 1 : MOST_AT_ONCE) &&
        (isQuiet || random.chance(0.05))
      ) {
        runs--
        this.#begin()
      } else if (left > 0 && (isQuiet || random.chance(0.015))) {
        left--
        this.#change()
      } else if (this.#scheduler.pending > 0) this.#scheduler.next()
      else if (isQuiet && (this.#waiting.length === 0 || runs <= 0) && left === 0) break
      else if (!isQuiet) throw new Error(`a run waits for something that is not a turn:\n${this.#trace.join('\n')}`)
    }
    for (const tag of ['latest', ...(this.#setting.hasBranchTags ? ['master'] : [])]) {
      for (const rule of brokenInTheEnd(this, this.#ended, tag)) this.#break(rule, 'in the end')
    }
    return { broken: this.#broken, trace: this.#trace, counts: this.#counts }
  }

  #break(rule: string, what: string): void {
    this.#broken.push(`${rule} (${what})`)
    this.#note(`BROKEN: ${rule} (${what})`)
  }

  #note(text: string): void {
    this.#trace.push(`${this.#scheduler.step}: ${text}`)
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1
  }

  /** Moves a branch. */
  #publish(branch: string, sha: string): void {
    this.commits.branches.set(branch, sha)
    if (branch === 'master') for (const one of this.commits.history(sha)) this.published.add(one)
  }

  #tip(branch: string): string {
    const tip = this.commits.branches.get(branch)
    if (tip === undefined) throw new Error(`there is no branch ${branch}`)
    return tip
  }

  /** Makes an event at the tip of a branch, or at another commit. */
  #happen(kind: EventKind, branch: string, more: Partial<HistoryEvent> = {}): void {
    const event: HistoryEvent = {
      kind,
      branch,
      sha: this.#tip(branch),
      checkout: this.#tip(branch),
      isFork: false,
      isDependabot: false,
      ...more
    }
    this.#events.push(event)
    this.#waiting.push(event)
    this.#note(eventOf(event).title)
  }

  /** Something happens to the repository, the registry or the base image. */
  #change(): void {
    const random = this.#random
    const what = random.weighted({
      ...{ commit: 26, feature: 20, merge: 10, 'pull request': 12, 'force-push': 9, 're-run': 16 },
      ...{ dispatch: 5, foreign: 6, distrusted: 8, tag: 4, 'merge group': 3, base: 3, outage: 3 }
    })
    this.#count(what)
    const features = [...this.commits.branches.keys()].filter((name) => name !== 'master')
    const feature = (): string => (features.length === 0 ? this.#grow('feature-1') : random.of(features))
    switch (what) {
      case 'commit':
        this.#publish('master', this.commits.commit('master', this.#mutate(this.#treeOf('master'))))
        this.#happen('push', 'master', { isDependabot: random.chance(0.08) })
        break
      case 'feature':
        this.#happen('push', this.#grow(random.of(['feature-1', 'feature-2'])), {
          isDependabot: random.chance(0.08)
        })
        break
      case 'merge':
        this.#merge(feature())
        this.#happen('push', 'master')
        break
      case 'pull request':
        this.#pullRequest(feature())
        break
      case 'force-push': {
        this.forcedAt = this.#scheduler.step
        const chain = this.commits.firstParents(this.#tip('master'))
        this.#publish('master', chain[Math.min(chain.length - 1, 1 + random.below(3))] ?? '')
        if (random.chance(0.6)) {
          this.#publish('master', this.commits.commit('master', this.#mutate(this.#treeOf('master'))))
        }
        this.#happen('push', 'master')
        break
      }
      case 're-run': {
        const event = random.of(this.#events)
        this.#waiting.push(event)
        this.#note(`once more: ${eventOf(event).title}`)
        break
      }
      case 'dispatch':
        this.#happen(random.of(['schedule', 'workflow_dispatch', 'repository_dispatch']), 'master')
        break
      case 'foreign':
        this.#happen(random.of(['push', 'schedule', 'workflow_dispatch', 'repository_dispatch']), 'master', {
          checkout: random.of(this.commits.all).sha
        })
        break
      case 'distrusted':
        this.#happen(random.of(['pull_request_target', 'workflow_run', 'issue_comment', 'local']), 'master', {
          checkout: random.of([this.#tip('master'), this.#tip(feature())]),
          isFork: random.chance(0.5)
        })
        break
      case 'tag':
        this.#happen(random.of(['tag', 'release']), 'master', atCommit(random.of(this.commits.all).sha))
        break
      case 'merge group': {
        const sha = this.commits.add(this.#treeOf(feature()), [this.#tip('master')])
        this.#happen('merge_group', 'master', atCommit(sha))
        break
      }
      case 'base':
        this.#contents.put(BASE, baseImage(++this.#version))
        break
      case 'outage':
        if (this.#faults.requests > 0) this.#faults.outageUntil = this.#scheduler.step + 40
    }
  }

  /** Adds a commit to a branch, which may be new. */
  #grow(branch: string): string {
    if (!this.commits.branches.has(branch) || this.#random.chance(0.2)) {
      this.commits.branches.set(branch, this.#tip('master'))
    }
    this.commits.commit(branch, this.#mutate(this.#treeOf(branch)))
    return branch
  }

  #merge(feature: string): void {
    const tip = this.#tip(feature)
    const tree = this.#treeOf(feature)
    const how = this.#random.of(['merge', 'squash', 'fast-forward'])
    if (how === 'fast-forward' && this.commits.relation(this.#tip('master'), tip) === 'ahead') {
      this.#publish('master', tip)
    } else this.#publish('master', this.commits.commit('master', tree, ...(how === 'squash' ? [] : [tip])))
  }

  #pullRequest(feature: string): void {
    const isFork = this.#random.chance(0.4)
    const head = isFork
      ? this.commits.add(this.#mutate(this.#treeOf('master')), [this.#tip('master')])
      : this.#tip(feature)
    const merged = this.commits.add(this.commits.get(head).tree, [this.#tip('master'), head])
    this.#happen('pull_request', isFork ? 'master' : feature, {
      ...{ sha: merged, head, isFork, number: 1 + this.#random.below(3) },
      checkout: this.#random.chance(0.7) ? merged : head
    })
  }

  #treeOf(branch: string): Tree {
    return this.commits.get(this.#tip(branch)).tree
  }

  /** Changes something: a file, the Dockerfile, the tests; or goes back to the files of another commit. */
  #mutate(tree: Tree): Tree {
    const random = this.#random
    const version = ++this.#version
    switch (random.weighted({ src: 8, lock: 2, docs: 3, assets: 2, tests: 2, Dockerfile: 1, revert: 3 })) {
      case 'src': {
        const kind = random.weighted({ good: 16, 'breaks unit': 3, 'breaks lint': 1, 'breaks build': 2 })
        return { ...tree, src: `src ${version} ${kind}` }
      }
      case 'lock':
        return { ...tree, lock: `lock ${version}` }
      case 'docs':
        return { ...tree, docs: `docs ${version}` }
      case 'assets':
        return { ...tree, assets: `assets ${version}` }
      case 'tests':
        return { ...tree, tests: random.of(['unit', 'unit\nlint', 'unit\nflaky', 'flaky', '']) }
      case 'Dockerfile':
        return { ...tree, Dockerfile: random.of(DOCKERFILES) }
      case 'revert':
        return random.of(this.commits.all).tree
    }
  }

  /** Begins the run of one of the waiting events: late, if others have overtaken it. */
  #begin(): void {
    const random = this.#random
    const event = random.chance(0.6) ? (this.#waiting[0] as HistoryEvent) : random.of(this.#waiting)
    this.#waiting = this.#waiting.filter((other) => other !== event)
    const id = ++this.#begun
    this.#active++
    this.#scheduler.setSpeed(id, random.of([0.2, 1, 1, 3]))
    const described = eventOf(event)
    const { tree } = this.commits.get(event.checkout)
    const isDirty = random.chance(0.05)
    const files = isDirty ? { ...tree, src: `${tree.src} edited` } : tree
    const messages: string[] = []
    const run: RunFacts = {
      ...{ id, files, isDirty, title: described.title, head: event.checkout },
      isTrusted: described.isTrusted,
      isOfPublishingBranch: described.isOfPublishingBranch,
      branch: described.isOwn ? described.branch : '',
      pullRequest: described.isOwn ? event.number : undefined,
      tests: testsOf(tree),
      cacheTags: this.#setting.cacheTags,
      beganAt: this.#scheduler.step,
      messages: () => messages,
      before: new Map(this.tags)
    }
    this.#count('runs')
    this.#note(`run ${id} begins${isDirty ? ' in a dirty tree' : ''}: ${run.title}`)
    void playRun({
      ...{
        run,
        event: described,
        messages,
        commits: this.commits,
        scheduler: this.#scheduler,
        random,
        truth: this.truth
      },
      ...{ setting: this.#setting, faults: this.#faults, folder: join(this.#folder, `run-${id}`) },
      engine: this.#setting.isEngineKept ? this.#kept : new EngineState(),
      contents: new ContentsOfRun(this.#contents, (reference, record) => this.#write(run, reference, record)),
      note: (text: string) => this.#note(`run ${id}: ${text}`),
      answered: (reference: string) => this.#answer(run, reference)
    }).then((ended) => this.#end(ended))
  }

  #write(run: RunFacts, reference: string, record: ImageRecord): void {
    const tag = reference.replace(/^.*:/, '')
    const image = this.truth.image(record.digest)
    if (image === undefined || !reference.startsWith(`${IMAGE}:`)) throw new Error(`${reference} is not expected`)
    const write = { run, tag, image, previous: this.tags.get(tag), isAnswered: false }
    this.#note(`run ${run.id} sets ${tag} to ${record.digest?.slice(7, 15)} (commit ${revision(record)})`)
    this.tags.set(tag, image)
    this.writes.push(write)
    for (const rule of brokenBy(write, this)) this.#break(rule, `run ${run.id} sets ${tag}`)
  }

  /** The run knows that it set a tag. */
  #answer(run: RunFacts, reference: string): void {
    const index = this.writes.findLastIndex((write) => write.run === run && `${IMAGE}:${write.tag}` === reference)
    const write = this.writes[index]
    if (write !== undefined) this.writes[index] = { ...write, isAnswered: true }
  }

  #end(ended: Ended): void {
    const { run, end, reason, failures, isPublished, tags } = ended
    this.#active--
    this.#ended.push(ended)
    this.#count(end)
    if (isPublished) this.#count('published')
    const pushed = tags.map((tag) => tag.slice(IMAGE.length + 1)).join(' ')
    this.#note(`run ${run.id} ends ${end}: ${reason} ${failures.join(' ')} [${pushed}]`)
    for (const message of run.messages()) this.#note(`  it said: ${message}`)
    for (const rule of brokenAtEnd(ended, this)) this.#break(rule, `run ${run.id}`)
  }
}

function revision({ labels }: ImageRecord): string {
  const { 'org.opencontainers.image.revision': commit = 'unknown' } = labels
  return commit.slice(0, 7)
}

function atCommit(sha: string): Pick<HistoryEvent, 'sha' | 'checkout'> {
  return { sha, checkout: sha }
}

function baseImage(version: number): ImageRecord {
  const digit = (version % 16).toString(16)
  const history = [{ createdBy: 'base', empty: false }]
  return imageOf(`sha256:${digit.repeat(64)}`, { layers: [`sha256:base${version}`], history })
}

const BUILDER = `FROM ${BASE} AS builder\nCOPY lock lock\nRUN install\nCOPY src src\nRUN make\n`

const DOCKERFILES = [
  `${BUILDER}FROM ${BASE}\nCOPY lock lock\nRUN install --production\nCOPY --from=builder /out /out\n`,
  `${BUILDER}FROM ${BASE}\nCOPY --from=builder /out /out\nRUN finish\n`,
  `FROM ${BASE} AS assets\nCOPY assets assets\nRUN pack\n${BUILDER}FROM ${BASE}\nCOPY --from=builder /out /out\nCOPY --from=assets /a /a\n`
]

const FIRST: Tree = {
  Dockerfile: DOCKERFILES[0] ?? '',
  ...{ src: 'src', lock: 'lock', docs: 'docs', assets: 'assets', tests: 'unit\nlint' }
}
