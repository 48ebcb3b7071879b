import { getOctokit } from '@actions/github'
import { at } from '../lib/json.ts'
import { isCommitId, type Relation } from './git.ts'

type Octokit = ReturnType<typeof getOctokit>

/** Milliseconds to wait for an answer; a run can do without. */
const PATIENCE = 10_000

/** Most files that GitHub lists of one comparison (docs.github.com, REST API, "Compare two commits"). */
const MOST_FILES = 300

/** One direction of a comparison: what `head` changed since the merge base. */
interface Comparison {
  status: Exclude<Relation, 'unknown'>
  mergeBase: string
  /** Path → blob id, null where the path is gone; undefined if the list may be cut. */
  files: Map<string, string | null> | undefined
}

/** Asks GitHub's API. Every answer is undefined where there is no token, or GitHub does not answer. */
export class GitHub {
  readonly #token: string | undefined
  readonly #owner: string
  readonly #repo: string
  readonly #signal: AbortSignal

  /** @param repository owner/name */
  constructor(token: string | undefined, repository: string, signal: AbortSignal) {
    this.#token = token
    this.#signal = signal
    const [owner = '', repo = ''] = repository.split('/')
    this.#owner = owner
    this.#repo = repo
  }

  /** Whether it can be asked at all. */
  get hasToken(): boolean {
    return this.#token !== undefined
  }

  async defaultBranch(): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const { data } = await rest.repos.get({ owner: this.#owner, repo: this.#repo })
      return data.default_branch
    })
  }

  /** When a commit was made, ISO 8601 in UTC, to the second. */
  async commitTime(sha: string): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const { data } = await rest.git.getCommit({ owner: this.#owner, repo: this.#repo, commit_sha: sha })
      return data.committer.date
    })
  }

  /**
   * The files that differ between two commits: paths below the repository's top, each once. A rename is two paths.
   *
   * GitHub compares with the merge base, as `git diff base...head` does; so unless `base` is an ancestor of `head` the
   * other direction is asked too.
   *
   * @param base a full commit id, as `head`; undefined for any other text
   * @returns undefined also if there are more files than GitHub lists
   */
  async changedFiles(base: string, head: string): Promise<string[] | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    return this.#ask(async (octokit) => {
      const forth = await this.#compare(octokit, base, head)
      if (forth.status === 'identical') return []
      if (forth.status === 'ahead') return forth.files && [...forth.files.keys()]
      const back = await this.#compare(octokit, head, base)
      if (forth.status === 'behind') return back.files && [...back.files.keys()]
      // commits that were merged into each other have several merge bases
      if (!forth.files || !back.files || forth.mergeBase !== back.mergeBase) return undefined
      const paths = new Set([...forth.files.keys(), ...back.files.keys()])
      return [...paths].filter((path) => forth.files?.get(path) !== back.files?.get(path))
    })
  }

  /** How `head` stands to `base`, both full commit ids: `ahead` has it in its history. */
  async relation(base: string, head: string): Promise<Relation | undefined> {
    if (!isCommitId(base) || !isCommitId(head)) return undefined
    return this.#ask(async ({ rest }) => {
      const basehead = `${base}...${head}`
      const question = { owner: this.#owner, repo: this.#repo, basehead, per_page: 1 }
      return rest.repos.compareCommitsWithBasehead(question).then(({ data }) => data.status, unknownIfNotFound)
    })
  }

  /** The commit at a branch's tip; `unknown` where there is no such branch, or it may not be read. */
  async tip(branch: string): Promise<string | undefined> {
    return this.#ask(async ({ rest }) => {
      const question = { owner: this.#owner, repo: this.#repo, ref: `heads/${branch}` }
      return rest.git.getRef(question).then(({ data }) => data.object.sha, unknownIfNotFound)
    })
  }

  /** A commit and those before it by their first parents, the newest first, among the last hundred of its history. */
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
      // pages are of commits, which nobody reads here; the first has all files
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
          // of a removed file GitHub tells the blob that it was
          ...files.map(({ filename, status, sha }) => [filename, status === 'removed' ? null : sha] as const)
        ])
    }
  }

  async #ask<T>(question: (octokit: Octokit) => Promise<T>): Promise<T | undefined> {
    if (this.#token === undefined || this.#repo === '') return undefined
    try {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE)])
      return await question(getOctokit(this.#token, { request: { signal } }))
    } catch {
      return undefined
    }
  }
}

/** GitHub answers so where there is no such commit or branch, or where the token may not see it. */
function unknownIfNotFound(error: unknown): 'unknown' {
  if ([404, 422].includes(Number(at(error, 'status')))) return 'unknown'
  throw error
}
