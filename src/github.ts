import { getOctokit } from '@actions/github'

/** Milliseconds to wait for an answer; a run can do without. */
const PATIENCE = 10_000

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

  async #ask<T>(question: (octokit: ReturnType<typeof getOctokit>) => Promise<T>): Promise<T | undefined> {
    if (this.#token === undefined || this.#repo === '') return undefined
    try {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE)])
      return await question(getOctokit(this.#token, { request: { signal } }))
    } catch {
      return undefined
    }
  }
}
