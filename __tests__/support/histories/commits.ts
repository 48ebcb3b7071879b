import { createHash } from 'node:crypto'
import { Git, type GitCommit, type Relation } from '../../../src/git/git.ts'
import { GitHub } from '../../../src/git/github.ts'

/** The files of a commit, by name: all of them are at the top. */
export type Tree = Readonly<Record<string, string>>

export interface Commit {
  sha: string
  parents: readonly string[]
  tree: Tree
}

/** The commits and branches of a repository on GitHub. */
export class Commits {
  readonly branches = new Map<string, string>()
  readonly #commits = new Map<string, Commit>()

  get(sha: string): Commit {
    const commit = this.#commits.get(sha)
    if (commit === undefined) throw new Error(`there is no commit ${sha}`)
    return commit
  }

  has(sha: string): boolean {
    return this.#commits.has(sha)
  }

  get all(): Commit[] {
    return [...this.#commits.values()]
  }

  /** Adds a commit to no branch. */
  add(tree: Tree, parents: readonly string[]): string {
    const text = JSON.stringify([tree, parents, this.#commits.size])
    const sha = createHash('sha1').update(text).digest('hex')
    this.#commits.set(sha, { sha, parents, tree })
    return sha
  }

  /** Adds a commit to a branch. */
  commit(branch: string, tree: Tree, ...merged: string[]): string {
    const tip = this.branches.get(branch)
    const sha = this.add(tree, [...(tip === undefined ? [] : [tip]), ...merged])
    this.branches.set(branch, sha)
    return sha
  }

  /** A commit and all before it. */
  history(sha: string): Set<string> {
    const found = new Set<string>()
    const left = [sha]
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      if (found.has(one)) continue
      found.add(one)
      left.push(...this.get(one).parents)
    }
    return found
  }

  firstParents(sha: string): string[] {
    const [parent] = this.get(sha).parents
    return parent === undefined ? [sha] : [sha, ...this.firstParents(parent)]
  }

  relation(base: string, head: string): Relation {
    if (!this.has(base) || !this.has(head)) return 'unknown'
    if (base === head) return 'identical'
    if (this.history(head).has(base)) return 'ahead'
    return this.history(base).has(head) ? 'behind' : 'diverged'
  }
}

/** Git in the checkout of a run: as git tells it, without a process for each question. */
export class HistoryGit extends Git {
  readonly #commits: Commits
  readonly #head: string
  readonly #files: Tree
  /** The commits that the checkout has. */
  readonly #known: ReadonlySet<string>

  /** @param isShallow whether the checkout has its own commit alone */
  constructor(commits: Commits, head: string, files: Tree, isShallow: boolean) {
    super('/', {})
    this.#commits = commits
    this.#head = head
    this.#files = files
    const tips = isShallow ? [] : [head, ...commits.branches.values()]
    this.#known = new Set([head, ...tips.flatMap((tip) => [...commits.history(tip)])])
  }

  override async superproject(): Promise<string> {
    return ''
  }

  override async ownCommit(sha: string): Promise<string> {
    return sha
  }

  override async commit(revision: string): Promise<GitCommit | undefined> {
    const sha = revision === 'HEAD' ? this.#head : revision
    return this.#known.has(sha) ? { sha, time: '2026-01-01T00:00:00Z' } : undefined
  }

  override async relation(base: string, head: string): Promise<Relation | undefined> {
    return this.#known.has(base) && this.#known.has(head) ? this.#commits.relation(base, head) : undefined
  }

  override async branch(): Promise<string> {
    return ''
  }

  override async changedSince(revision: string): Promise<string[] | undefined> {
    if (!this.#known.has(revision)) return undefined
    const { tree } = this.#commits.get(revision)
    return Object.keys(tree).filter((name) => tree[name] !== this.#files[name])
  }

  override async tracked(): Promise<string[]> {
    return Object.keys(this.#files)
  }

  override async prefix(): Promise<string> {
    return ''
  }
}

/** What GitHub's API tells a run of a repository. */
export class HistoryGitHub extends GitHub {
  readonly #commits: Commits
  /** Waits for the turn of a request; the result is whether GitHub answers it. */
  readonly #ask: (what: string) => Promise<boolean>
  readonly #hasToken: boolean

  constructor(commits: Commits, hasToken: boolean, ask: (what: string) => Promise<boolean>) {
    super(undefined, '', new AbortController().signal)
    this.#commits = commits
    this.#hasToken = hasToken
    this.#ask = ask
  }

  override get hasToken(): boolean {
    return this.#hasToken
  }

  override defaultBranch(): Promise<string | undefined> {
    return this.#answer('default branch', () => 'master')
  }

  override commitTime(): Promise<string | undefined> {
    return this.#answer('commit time', () => '2026-01-01T00:00:00Z')
  }

  override relation(base: string, head: string): Promise<Relation | undefined> {
    return this.#answer(`compare ${base} ${head}`, () => this.#commits.relation(base, head))
  }

  override tip(branch: string): Promise<string | undefined> {
    return this.#answer(`tip of ${branch}`, () => this.#commits.branches.get(branch) ?? 'unknown')
  }

  override firstParents(sha: string): Promise<string[] | undefined> {
    return this.#answer(`commits of ${sha}`, () => this.#commits.firstParents(sha))
  }

  async #answer<T>(what: string, answer: () => T): Promise<T | undefined> {
    if (!this.#hasToken) return undefined
    return (await this.#ask(`GitHub: ${what}`)) ? answer() : undefined
  }
}
