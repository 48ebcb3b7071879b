import { relative } from 'node:path'
import { BoundError } from '../lib/bounds.ts'
import { CancelledError } from '../lib/errors.ts'
import { exec } from '../lib/exec.ts'
import type { Log } from '../lib/log.ts'

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

interface GitOptions {
  /** The run's. */
  signal?: AbortSignal
  /** Says which answers are missing because git did not give them in time. */
  log?: Pick<Log, 'info'>
  /** A folder of the repository whose commits are meant, if git's folder is in a submodule of it. */
  history?: string
}

/**
 * Runs git in a folder. Every method returns undefined if git, the repository or the commit does not exist.
 *
 * @throws CancelledError; BoundError from `open`, `commit`, `branch` and `prefix` if git does not answer: they determine what the
 * images are, and a run must not guess it
 */
export class Git {
  readonly #folder: string
  readonly #env: Record<string, string>
  readonly #history: string

  readonly #options: GitOptions

  constructor(folder: string, env: Record<string, string>, options: GitOptions = {}) {
    this.#folder = folder
    this.#env = env
    this.#options = options
    this.#history = options.history ?? folder
  }

  /** Returns git for a folder; in a submodule, commits and the branch are those of the outermost superproject. */
  static async open(folder: string, env: Record<string, string>, options: GitOptions = {}): Promise<Git> {
    let history = folder
    for (;;) {
      const above = await new Git(history, env, options).superproject()
      if (!above) return new Git(folder, env, { ...options, history })
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
    const top = (await this.#tryToRun(['rev-parse', '--show-toplevel']))?.replace(/\n$/, '')
    if (top === undefined || !isCommitId(sha)) return undefined
    const path = relative(this.#history, top)
    const named = (await this.#tryToRun(['rev-parse', '--verify', `${sha}:${path}`], this.#history))?.trim()
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
    const questions = [
      ['rev-list', '--max-count=1', base, `^${head}`],
      ['rev-list', '--max-count=1', head, `^${base}`],
      ['rev-parse', '--is-shallow-repository']
    ]
    const answers = await Promise.all(questions.map((question) => this.#tryToRun(question, this.#history)))
    const [lacking, beyond, shallow] = answers.map((answer) => answer?.trim())
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
    const text = await this.#tryToRun([
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
    const text = await this.#tryToRun(['ls-files', '--cached', '-z'])
    return text === undefined ? undefined : readNames(text)
  }

  /** Returns the path of the folder below the top of the repository, with resolved links: '' or `sub/`. */
  async prefix(): Promise<string | undefined> {
    return (await this.#run(['rev-parse', '--show-prefix']))?.replace(/\n$/, '')
  }

  async #ask(args: string[], folder = this.#folder): Promise<string | undefined> {
    return (await this.#run(args, folder))?.trim()
  }

  /** Runs git for an answer without which the run goes on. */
  async #tryToRun(args: string[], folder = this.#folder): Promise<string | undefined> {
    try {
      return await this.#run(args, folder)
    } catch (error) {
      if (!(error instanceof BoundError)) throw error
      this.#options.log?.info(`${error.message}; the run goes on without this answer`)
      return undefined
    }
  }

  /** Returns git's output byte for byte: a file name may begin or end with spaces. */
  async #run(args: string[], folder = this.#folder): Promise<string | undefined> {
    const { signal } = this.#options
    try {
      const result = await exec('git', [...OPTIONS, '-C', folder, ...args], {
        bound: 'git',
        ...(signal && { signal }),
        // prevents fetching a commit or file that a partial clone lacks; git before 2.39.4 ignores this and fetches it
        env: { ...this.#env, GIT_NO_LAZY_FETCH: '1' }
      })
      return result.exitCode === 0 ? result.stdout : undefined
    } catch (error) {
      if (error instanceof BoundError) throw new BoundError(`git ${args[0]}`, 'git')
      if (error instanceof CancelledError) throw error
      return undefined
    }
  }
}

/** Parses the output of git's option -z, which ends each name with a NUL. */
function readNames(text: string): string[] {
  return text.split('\0').slice(0, -1)
}
