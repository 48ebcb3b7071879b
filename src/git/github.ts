import { getOctokit } from '@actions/github'
import { deadline, describeLateness } from '../lib/bounds.ts'
import { at } from '../lib/json.ts'
import type { Log } from '../lib/log.ts'
import { isCommitId, type Relation } from './git.ts'

type Octokit = ReturnType<typeof getOctokit>

/** Maximum number of files in GitHub's list for one comparison (docs.github.com, REST API, "Compare two commits"). */
const MOST_FILES = 300

/** One direction of a comparison: the changes of `head` since the merge base. */
interface Comparison {
  status: Exclude<Relation, 'unknown'>
  mergeBase: string
  /** Path → blob id, or null if the path no longer exists; undefined if the list may be incomplete. */
  files: Map<string, string | null> | undefined
}

/** Calls GitHub's API. Every method returns undefined without a token, or if GitHub does not answer. */
export class GitHub {
  readonly #token: string | undefined
  readonly #owner: string
  readonly #repo: string
  readonly #signal: AbortSignal

  readonly #log: Pick<Log, 'info'> | undefined
  #isSilent: boolean = false

  /**
   * @param repository owner/name
   * @param log says if GitHub does not answer
   */
  constructor(token: string | undefined, repository: string, signal: AbortSignal, log?: Pick<Log, 'info'>) {
    this.#token = token
    this.#log = log
    this.#signal = signal
    const [owner = '', repo = ''] = repository.split('/')
    this.#owner = owner
    this.#repo = repo
  }

  /** Whether requests are possible at all. */
  get hasToken(): boolean {
    return this.#token !== undefined
  }

  async defaultBranch(): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const { data } = await rest.repos.get({ owner: this.#owner, repo: this.#repo })
      return data.default_branch
    })
  }

  /** Returns the time of a commit: ISO 8601 in UTC, to the second. */
  async commitTime(sha: string): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const { data } = await rest.git.getCommit({ owner: this.#owner, repo: this.#repo, commit_sha: sha })
      return data.committer.date
    })
  }

  /**
   * Returns the files that differ between two commits: paths relative to the top of the repository, without duplicates.
   * A rename is two paths.
   *
   * GitHub compares with the merge base, as `git diff base...head` does. So unless `base` is an ancestor of `head`, this
   * method also requests the other direction.
   *
   * @param base a full commit id, like `head`; the result is undefined for any other text
   * @returns undefined also if the files exceed GitHub's list
   */
  async changedFiles(base: string, head: string): Promise<string[] | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    return this.#ask(async (octokit) => {
      const forth = await this.#compare(octokit, base, head)
      if (forth.status === 'identical') return []
      if (forth.status === 'ahead') return forth.files && [...forth.files.keys()]
      const back = await this.#compare(octokit, head, base)
      if (forth.status === 'behind') return back.files && [...back.files.keys()]
      // after merges in both directions, two commits have several merge bases
      if (!forth.files || !back.files || forth.mergeBase !== back.mergeBase) return undefined
      const paths = new Set([...forth.files.keys(), ...back.files.keys()])
      return [...paths].filter((path) => forth.files?.get(path) !== back.files?.get(path))
    })
  }

  /** Returns the relation of `head` to `base`, both full commit ids: `ahead` means that the history of `head` contains `base`. */
  async relation(base: string, head: string): Promise<Relation | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    return this.#ask(async ({ rest }) => {
      const basehead = `${base}...${head}`
      const question = { owner: this.#owner, repo: this.#repo, basehead, per_page: 1 }
      return rest.repos.compareCommitsWithBasehead(question).then(({ data }) => data.status, unknownIfNotFound)
    })
  }

  /** Returns the commit at the tip of a branch, or `unknown` if the branch does not exist or the token may not read it. */
  async tip(branch: string): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const question = { owner: this.#owner, repo: this.#repo, ref: `heads/${branch}` }
      return rest.git.getRef(question).then(({ data }) => data.object.sha, unknownIfNotFound)
    })
  }

  /** Returns a commit and its ancestors along first parents, newest first, among the last hundred commits of its history. */
  async firstParents(sha: string): Promise<string[] | undefined> {
    return this.#ask(async ({ rest }) => {
      const { data } = await rest.repos.listCommits({ owner: this.#owner, repo: this.#repo, sha, per_page: 100 })
      const parents = new Map(data.map((commit) => [commit.sha, commit.parents[0]?.sha]))
      const chain: string[] = []
      for (let next: string | undefined = sha; next !== undefined && parents.has(next); next = parents.get(next)) {
        chain.push(next)
      }
      return chain
    })
  }

  async #compare({ rest }: Octokit, base: string, head: string): Promise<Comparison> {
    const { data } = await rest.repos.compareCommitsWithBasehead({
      owner: this.#owner,
      repo: this.#repo,
      basehead: `${base}...${head}`,
      // GitHub paginates only the commits, which this method does not use; the first page contains all files
      per_page: 1
    })
    const files = data.files && data.files.length < MOST_FILES ? data.files : undefined
    const gone = (files ?? []).flatMap(({ status, previous_filename }) =>
      status === 'renamed' && previous_filename !== undefined ? [previous_filename] : []
    )
    return {
      status: data.status,
      mergeBase: data.merge_base_commit.sha,
      files:
        files &&
        new Map([
          ...gone.map((path) => [path, null] as const),
          // for a removed file, GitHub returns its former blob
          ...files.map(({ filename, status, sha }) => [filename, status === 'removed' ? null : sha] as const)
        ])
    }
  }

  async #ask<T>(question: (octokit: Octokit) => Promise<T>): Promise<T | undefined> {
    // many questions to a server that does not answer would delay the run by many bounds
    if (this.#token === undefined || this.#repo === '' || this.#isSilent) return undefined
    const signal = deadline('github', this.#signal)
    try {
      return await question(getOctokit(this.#token, { request: { signal } }))
    } catch {
      if (signal.aborted && !this.#signal.aborted) this.#tellSilence()
      return undefined
    }
  }

  #tellSilence(): void {
    if (!this.#isSilent) this.#log?.info(`GitHub's API: ${describeLateness('github')}; the run goes on without it`)
    this.#isSilent = true
  }
}

/** Returns `unknown` for GitHub's answer if a commit or branch does not exist, or if the token may not read it. */
function unknownIfNotFound(error: unknown): 'unknown' {
  if ([404, 422].includes(Number(at(error, 'status')))) return 'unknown'
  throw error
}
