import { exec } from '../lib/exec.ts'

/** A commit as the checkout has it. */
export interface GitCommit {
  sha: string
  /** ISO 8601 in UTC, to the second. */
  time: string
}

/** How a commit stands to another in the history; `unknown` where one of them is in no history any more. */
export type Relation = 'identical' | 'ahead' | 'behind' | 'diverged' | 'unknown'

/** Options of every call of git. */
const OPTIONS = [
  '--no-pager',
  // the repository's own configuration would name programs to run; nothing prevents its clean filters (git-lfs)
  '-c',
  'core.fsmonitor=false',
  // git diff writes the times it read into the index, and runs post-index-change, even with --no-optional-locks
  '-c',
  'core.hooksPath=/dev/null',
  // a checkout made by another user, as in a job container, is refused without safe.directory
  '-c',
  'safe.directory=*'
]

/** Whether a text is a full commit id: 40 hex digits, or 64 in a SHA-256 repository. So it is no option and no range. */
export function isCommitId(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/i.test(text)
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
  async commit(revision: string): Promise<GitCommit | undefined> {
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

  /**
   * How `head` stands to `base`, both full commit ids: `ahead` has it in its history. undefined also where the checkout's
   * history is cut off and does not tell.
   */
  async relation(base: string, head: string): Promise<Relation | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    const [lacking, beyond, shallow] = await Promise.all([
      this.#ask(['rev-list', '--max-count=1', base, `^${head}`]),
      this.#ask(['rev-list', '--max-count=1', head, `^${base}`]),
      this.#ask(['rev-parse', '--is-shallow-repository'])
    ])
    if (lacking === undefined || beyond === undefined) return undefined
    if (lacking === '') return beyond === '' ? 'identical' : 'ahead'
    if (beyond === '') return 'behind'
    return shallow === 'false' ? 'diverged' : undefined
  }

  /** The branch that is checked out; '' for a detached HEAD. */
  async branch(): Promise<string> {
    return (await this.#ask(['symbolic-ref', '--quiet', '--short', 'HEAD'])) ?? ''
  }

  /**
   * The files that differ between a commit and the work tree as it is now: paths below the repository's top, each once.
   * A rename is two paths, a submodule one (of its folder). Untracked files are not among them.
   *
   * @param revision a full commit id; undefined for any other text
   */
  async changedSince(revision: string): Promise<string[] | undefined> {
    if (!isCommitId(revision)) return undefined
    const text = await this.#run([
      'diff',
      '--name-only',
      '-z',
      '--no-renames',
      '--no-relative',
      // what a build leaves in a submodule is no change of it
      '--ignore-submodules=untracked',
      // attributes and configuration may name programs to compare with; names alone need none, so this is to be certain
      '--no-ext-diff',
      '--no-textconv',
      `${revision}^{commit}`,
      '--'
    ])
    return text === undefined ? undefined : [...new Set(readNames(text))]
  }

  /**
   * What git does not track in the whole repository, ignored files included: paths below its top. A folder without any
   * tracked file is one path that ends in '/'. Git's own folder is not among them.
   */
  async untracked(): Promise<string[] | undefined> {
    // ":/" is the repository's top, from whatever folder below it (gitglossary(7), pathspec)
    const text = await this.#run(['ls-files', '--others', '--directory', '-z', '--full-name', '--', ':/'])
    return text === undefined ? undefined : readNames(text)
  }

  /** The tracked files below the folder, as paths relative to it. */
  async tracked(): Promise<string[] | undefined> {
    const text = await this.#run(['ls-files', '--cached', '-z'])
    return text === undefined ? undefined : readNames(text)
  }

  /** The folder's path below the repository's top, links resolved: '' or `sub/`. */
  async prefix(): Promise<string | undefined> {
    return (await this.#run(['rev-parse', '--show-prefix']))?.replace(/\n$/, '')
  }

  async #ask(args: string[]): Promise<string | undefined> {
    return (await this.#run(args))?.trim()
  }

  /** What git prints, byte for byte: a file's name may begin or end with spaces. */
  async #run(args: string[]): Promise<string | undefined> {
    try {
      const result = await exec('git', [...OPTIONS, '-C', this.#folder, ...args], {
        // a commit or a file that a partial clone lacks is not fetched; not known to git before 2.39.4, which fetches
        env: { ...this.#env, GIT_NO_LAZY_FETCH: '1' }
      })
      return result.exitCode === 0 ? result.stdout : undefined
    } catch {
      return undefined
    }
  }
}

/** The names in a list of git's option -z, which ends each with a NUL. */
function readNames(text: string): string[] {
  return text.split('\0').slice(0, -1)
}
