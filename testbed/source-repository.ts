import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Symlink {
  target: string
}

/** Content of the files of a commit, by path. */
export type Files = Record<string, string | Symlink>

/** A real git repository. Runners check out its commits. */
export class SourceRepository {
  readonly #folder: string
  readonly #afterCheckout: (checkout: string) => void
  #checkouts = 0

  /**
   * @param folder the scratch folder of a test bed, which removes it with all checkouts
   * @param afterCheckout changes the folder of every checkout in ways that git cannot, such as the mode of a file
   */
  constructor(folder: string, files: Files, afterCheckout: (checkout: string) => void = () => undefined) {
    this.#afterCheckout = afterCheckout
    this.#folder = mkdtempSync(join(folder, 'source-'))
    this.#git('init', '--quiet', '--initial-branch', 'master', 'origin')
    this.commit(files)
  }

  /** The folder of the repository itself. */
  get origin(): string {
    return join(this.#folder, 'origin')
  }

  /** Commits changed files on the current branch; returns the commit ID. */
  commit(files: Files, message = 'Change the application'): string {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.#folder, 'origin', name)
      mkdirSync(dirname(path), { recursive: true })
      // writeFileSync would follow a symlink
      rmSync(path, { force: true })
      if (typeof content === 'string') writeFileSync(path, content)
      else symlinkSync(content.target, path)
    }
    this.#inOrigin('add', '--all')
    this.#inOrigin('commit', '--quiet', '--allow-empty', '--message', message)
    return this.head()
  }

  head(): string {
    return this.#inOrigin('rev-parse', 'HEAD')
  }

  /** The branch that is checked out; '' without one. */
  currentBranch(): string {
    return this.#inOrigin('branch', '--show-current')
  }

  /** Creates a branch at a commit, and checks it out. */
  branch(name: string, from = 'HEAD'): void {
    this.#inOrigin('checkout', '--quiet', '-b', name, from)
  }

  /** Sets a branch that is not checked out to another commit, as a force-push does. */
  moveBranch(name: string, sha: string): void {
    this.#inOrigin('branch', '--force', name, sha)
  }

  /** Checks out a branch, or a commit without a branch. */
  goTo(branchOrCommit: string): void {
    this.#inOrigin('checkout', '--quiet', branchOrCommit)
  }

  /** Merges a branch or commit into the current branch, always with a merge commit; returns its ID. */
  merge(other: string): string {
    this.#inOrigin('merge', '--quiet', '--no-ff', '--message', `Merge ${other}`, other)
    return this.head()
  }

  /** Commits all changes of a branch as one commit on the current branch; returns its ID. */
  squash(branch: string): string {
    this.#inOrigin('merge', '--quiet', '--squash', branch)
    this.#inOrigin('commit', '--quiet', '--message', `Squash ${branch}`)
    return this.head()
  }

  /** Repeats the commits of the current branch on another one; returns the ID of the last one. */
  rebase(onto: string): string {
    this.#inOrigin('rebase', '--quiet', onto)
    return this.head()
  }

  /** Commits the opposite of a commit; returns the ID. */
  revert(sha: string): string {
    this.#inOrigin('revert', '--no-edit', sha)
    return this.head()
  }

  /** Repeats a commit on the current branch; returns the ID. */
  cherryPick(sha: string): string {
    this.#inOrigin('cherry-pick', '--allow-empty', sha)
    return this.head()
  }

  /** The time of a commit, in the format of the image label. */
  time(sha: string): string {
    const seconds = Number(this.#inOrigin('show', '--no-patch', '--format=%ct', sha))
    return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')
  }

  /** Makes a fresh clone with `sha` checked out, like actions/checkout with `fetch-depth: 0`; returns its folder. */
  checkout(sha: string): string {
    const folder = this.#newCheckout()
    this.#git('clone', '--quiet', '--no-checkout', 'origin', folder)
    return this.#checkOut(folder, sha)
  }

  /** Makes a checkout with a single commit, like actions/checkout by default; returns its folder. */
  shallowCheckout(sha: string): string {
    const folder = this.#newCheckout()
    this.#git('init', '--quiet', folder)
    this.#inOrigin('config', 'uploadpack.allowAnySHA1InWant', 'true')
    this.#git('-C', folder, 'fetch', '--quiet', '--depth', '1', `file://${join(this.#folder, 'origin')}`, sha)
    return this.#checkOut(folder, sha)
  }

  #newCheckout(): string {
    return join(this.#folder, `checkout-${++this.#checkouts}`)
  }

  #checkOut(folder: string, sha: string): string {
    this.#git('-C', folder, 'checkout', '--quiet', '--detach', sha)
    this.#afterCheckout(folder)
    return folder
  }

  #inOrigin(...args: string[]): string {
    return this.#git('-C', 'origin', ...args)
  }

  #git(...args: string[]): string {
    const identity = [
      '-c',
      'user.name=octocat',
      '-c',
      'user.email=octocat@example.com',
      '-c',
      'advice.detachedHead=false'
    ]
    return execFileSync('git', [...identity, ...args], { cwd: this.#folder, encoding: 'utf8' }).trim()
  }
}
