import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Symlink {
  target: string
}

/** Files of a commit: path → content. */
export type Files = Record<string, string | Symlink>

/** A real git repository whose commits runners check out. */
export class SourceRepository {
  readonly #folder: string
  readonly #afterCheckout: (checkout: string) => void
  #checkouts = 0

  /**
   * @param folder the scratch folder of a bed, which removes it with all checkouts
   * @param afterCheckout does to the folder of every checkout what git does not, such as a file's mode
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

  /** Commits changed files on the branch that is checked out; returns the commit's id. */
  commit(files: Files, message = 'Change the application'): string {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.#folder, 'origin', name)
      mkdirSync(dirname(path), { recursive: true })
      // a symlink would be written through
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

  /** Makes a branch off a commit, and goes to it. */
  branch(name: string, from = 'HEAD'): void {
    this.#inOrigin('checkout', '--quiet', '-b', name, from)
  }

  /** Has a branch that is not checked out name another commit, as a force-push does. */
  moveBranch(name: string, sha: string): void {
    this.#inOrigin('branch', '--force', name, sha)
  }

  goTo(branch: string): void {
    this.#inOrigin('checkout', '--quiet', branch)
  }

  /** When a commit was made, as the image's label says it. */
  time(sha: string): string {
    const seconds = Number(this.#inOrigin('show', '--no-patch', '--format=%ct', sha))
    return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')
  }

  /** A fresh clone with `sha` checked out, as actions/checkout leaves it with `fetch-depth: 0`; returns its folder. */
  checkout(sha: string): string {
    const folder = this.#newCheckout()
    this.#git('clone', '--quiet', '--no-checkout', 'origin', folder)
    return this.#checkOut(folder, sha)
  }

  /** As actions/checkout leaves it by itself: with that one commit. */
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
