import { exec } from './exec.ts'

/** A commit as the checkout has it. */
export interface Commit {
  sha: string
  /** ISO 8601 in UTC, to the second. */
  time: string
}

/** Asks git in a folder. Every answer is undefined where there is no git, no repository or no such commit. */
export class Git {
  readonly #folder: string
  readonly #env: Record<string, string>

  constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder
    this.#env = env
  }

  /** The commit that `revision` names: a full commit id or HEAD. */
  async commit(revision: string): Promise<Commit | undefined> {
    const text = await this.#ask([
      'show',
      '--no-patch',
      '--no-show-signature',
      '--format=%H %ct',
      `${revision}^{commit}`
    ])
    const [, sha, seconds] = /^([0-9a-f]+) (\d+)$/.exec(text ?? '') ?? []
    if (!sha) return undefined
    return { sha, time: `${new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)}Z` }
  }

  /** The branch that is checked out; '' for a detached HEAD. */
  async branch(): Promise<string> {
    return (await this.#ask(['symbolic-ref', '--quiet', '--short', 'HEAD'])) ?? ''
  }

  async #ask(args: string[]): Promise<string | undefined> {
    try {
      // a checkout made by another user, as in a job container, is refused without safe.directory
      const result = await exec('git', ['-c', 'safe.directory=*', '-C', this.#folder, ...args], { env: this.#env })
      return result.exitCode === 0 ? result.stdout.trim() : undefined
    } catch {
      return undefined
    }
  }
}
