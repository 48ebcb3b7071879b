import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Files of a commit: path → content. */
export type Files = Record<string, string>

/** A real git repository whose commits runners check out. */
export class SourceRepository {
  readonly #folder: string
  #checkouts = 0

  /** @param folder the scratch folder of a bed, which removes it with all checkouts */
  constructor(folder: string, files: Files) {
    this.#folder = mkdtempSync(join(folder, 'source-'))
    this.#git('init', '--quiet', '--initial-branch', 'master', 'origin')
    this.commit(files)
  }

  /** Commits changed files on the branch that is checked out; returns the commit's id. */
  commit(files: Files, message = 'Change the application'): string {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.#folder, 'origin', name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    this.#inOrigin('add', '--all')
    this.#inOrigin('commit', '--quiet', '--allow-empty', '--message', message)
    return this.head()
  }

  head(): string {
    return this.#inOrigin('rev-parse', 'HEAD')
  }

  branch(name: string): void {
    this.#inOrigin('checkout', '--quiet', '-b', name)
  }

  /** When a commit was made, as the image's label says it. */
  time(sha: string): string {
    const seconds = Number(this.#inOrigin('show', '--no-patch', '--format=%ct', sha))
    return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')
  }

  /** A fresh clone with `sha` checked out, as actions/checkout leaves it; returns its folder. */
  checkout(sha: string): string {
    const name = `checkout-${++this.#checkouts}`
    this.#git('clone', '--quiet', '--no-checkout', 'origin', name)
    const folder = join(this.#folder, name)
    this.#git('-C', folder, 'checkout', '--quiet', '--detach', sha)
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
