import { relative } from 'node:path'
import { exec } from '../lib/exec.ts'

/** A commit in the checkout. */
export interface GitCommit {
  sha: string
  /** Commit time: ISO 8601 in UTC, to the second. */
  time: string
}

/** The relation of a commit to another in the history; `unknown` if one of them is no longer part of any history. */
export type Relation = 'identical' | 'ahead' | 'behind' | 'diverged' | 'unknown'

/** Options of every call of git. */
const OPTIONS = [
  '--no-pager',
  // the repository's own configuration could name a program to run; no option prevents its clean filters (git-lfs)
  '-c',
  'core.fsmonitor=false',
  // git diff updates file times in the index, and runs post-index-change, even with --no-optional-locks
  '-c',
  'core.hooksPath=/dev/null',
  // without safe.directory, git rejects a checkout of another user, as in a job container
  '-c',
  'safe.directory=*'
]

/** Returns whether a text is a full commit id, and so neither an option nor a range: 40 hex digits, or 64 in a SHA-256 repository. */
export function isCommitId(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/i.test(text)
}

/** Runs git in a folder. Every method returns undefined if git, the repository or the commit does not exist. */
export class Git {
  readonly #folder: string
  readonly #env: Record<string, string>
  readonly #history: string

  /** @param history a folder of the repository whose commits are meant, if the folder is in a submodule of it */
  constructor(folder: string, env: Record<string, string>, history = folder) {
    this.#folder = folder
    this.#env = env
    this.#history = history
  }

  /** Returns git for a folder; in a submodule, commits and the branch are those of the outermost superproject. */
  static async open(folder: string, env: Record<string, string>): Promise<Git> {
    let history = folder
    for (;;) {
      const above = await new Git(history, env).superproject()
      if (!above) return new Git(folder, env, history)
      history = above
    }
  }

  /** Returns the top of the repository of which the folder's is a submodule; '' if there is none. */
  async superproject(): Promise<string | undefined> {
    const path = (await this.#run(['rev-parse', '--show-superproject-working-tree']))?.replace(/\n$/, '')
    // git before 2.13 prints an option that it does not know
    return path?.startsWith('-') ? '' : path
  }

  /**
   * Returns the commit that this repository has in a commit of `commit()`: the same or, in a submodule, the one that the
   * superproject names. Undefined for a submodule of a submodule.
   */
  async ownCommit(sha: string): Promise<string | undefined> {
    if (this.#history === this.#folder) return sha
    const top = (await this.#run(['rev-parse', '--show-toplevel']))?.replace(/\n$/, '')
    if (top === undefined || !isCommitId(sha)) return undefined
    const named = await this.#ask(['rev-parse', '--verify', `${sha}:${relative(this.#history, top)}`], this.#history)
    return named !== undefined && isCommitId(named) ? named : undefined
  }

  /** Reads the commit that `revision` names: a full commit id or HEAD. */
  async commit(revision: string): Promise<GitCommit | undefined> {
    const text = await this.#ask(
      ['show', '--no-patch', '--no-show-signature', '--format=%H %ct', `${revision}^{commit}`],
      this.#history
    )
    const [, sha, seconds] = /^([0-9a-f]+) (\d+)$/.exec(text ?? '') ?? []
    if (!sha) return undefined
    return { sha, time: `${new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)}Z` }
  }

  /**
   * Returns the relation of `head` to `base`, both full commit ids: `ahead` means that the history of `head` contains
   * `base`. Also returns undefined if the shallow history of the checkout does not determine the relation.
   */
  async relation(base: string, head: string): Promise<Relation | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    const [lacking, beyond, shallow] = await Promise.all([
      this.#ask(['rev-list', '--max-count=1', base, `^${head}`], this.#history),
      this.#ask(['rev-list', '--max-count=1', head, `^${base}`], this.#history),
      this.#ask(['rev-parse', '--is-shallow-repository'], this.#history)
    ])
    if (lacking === undefined || beyond === undefined) return undefined
    if (lacking === '') return beyond === '' ? 'identical' : 'ahead'
    if (beyond === '') return 'behind'
    return shallow === 'false' ? 'diverged' : undefined
  }

  /** Returns the checked-out branch, or '' for a detached HEAD. */
  async branch(): Promise<string> {
    return (await this.#ask(['symbolic-ref', '--quiet', '--short', 'HEAD'], this.#history)) ?? ''
  }

  /**
   * Returns the files that differ between a commit and the current work tree: paths relative to the top of the repository,
   * without duplicates. A rename is two paths, a submodule one (its folder). Excludes untracked files.
   *
   * @param revision a full commit id; the result is undefined for any other text
   */
  async changedSince(revision: string): Promise<string[] | undefined> {
    if (!isCommitId(revision)) return undefined
    const text = await this.#run([
      'diff',
      '--name-only',
      '-z',
      '--no-renames',
      '--no-relative',
      // files that a build leaves in a submodule are not a change
      '--ignore-submodules=untracked',
      // attributes and configuration may name diff programs; --name-only needs none, so these options are a safeguard
      '--no-ext-diff',
      '--no-textconv',
      `${revision}^{commit}`,
      '--'
    ])
    return text === undefined ? undefined : [...new Set(readNames(text))]
  }

  /** Returns the tracked files below the folder, as paths relative to it. */
  async tracked(): Promise<string[] | undefined> {
    const text = await this.#run(['ls-files', '--cached', '-z'])
    return text === undefined ? undefined : readNames(text)
  }

  /** Returns the path of the folder below the top of the repository, with resolved links: '' or `sub/`. */
  async prefix(): Promise<string | undefined> {
    return (await this.#run(['rev-parse', '--show-prefix']))?.replace(/\n$/, '')
  }

  async #ask(args: string[], folder = this.#folder): Promise<string | undefined> {
    return (await this.#run(args, folder))?.trim()
  }

  /** Returns git's output byte for byte: a file name may begin or end with spaces. */
  async #run(args: string[], folder: string = this.#folder): Promise<string | undefined> {
    try {
      const result = await exec('git', [...OPTIONS, '-C', folder, ...args], {
        // prevents fetching a commit or file that a partial clone lacks; git before 2.39.4 ignores this and fetches it
        env: { ...this.#env, GIT_NO_LAZY_FETCH: '1' }
      })
      return result.exitCode === 0 ? result.stdout : undefined
    } catch {
      return undefined
    }
  }
}

/** Parses the output of git's option -z, which ends each name with a NUL. */
function readNames(text: string): string[] {
  return text.split('\0').slice(0, -1)
}
