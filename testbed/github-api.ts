import { execFileSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const TOKEN = 'token-of-the-stand-in'

/**
 * A stand-in for GitHub's REST API. It answers the action's requests about one repository from a real git repository
 * (docs.github.com, "Compare two commits", "Get a reference", "List commits").
 */
export class GitHubApi {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server, host: string) {
    this.#server = server
    this.url = `http://${host}:${(server.address() as AddressInfo).port}`
  }

  /**
   * @param folder folder of the git repository
   * @param host address at which the agents of a test bed reach this process: that of the test bed's registry
   */
  static async start(folder: string, host: string): Promise<GitHubApi> {
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://api')
      const answer = request.headers.authorization === `token ${TOKEN}` ? answerOf(folder, url) : undefined
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer ?? { message: 'Not Found' }))
    })
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    return new GitHubApi(server, host)
  }

  /** Inputs and variables with which a job uses this stand-in. */
  get job(): { inputs: Record<string, string>; env: Record<string, string> } {
    return { inputs: { 'github-token': TOKEN }, env: { GITHUB_API_URL: this.url } }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function answerOf(folder: string, { pathname, searchParams }: URL): object | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  const [, question = ''] = /^\/repos\/octo\/app\/(.*)$/.exec(decodeURIComponent(pathname)) ?? []
  try {
    const [, base, head] = /^compare\/([0-9a-f]{40})\.\.\.([0-9a-f]{40})$/.exec(question) ?? []
    if (base !== undefined && head !== undefined) {
      const [behind, ahead] = git('rev-list', '--left-right', '--count', `${base}...${head}`).split('\t').map(Number)
      const status = ahead ? (behind ? 'diverged' : 'ahead') : behind ? 'behind' : 'identical'
      return { status, merge_base_commit: { sha: git('merge-base', base, head) } }
    }
    const [, branch] = /^git\/ref\/heads\/(.+)$/.exec(question) ?? []
    if (branch !== undefined) return { object: { sha: git('rev-parse', '--verify', `refs/heads/${branch}`) } }
    if (question !== 'commits') return undefined
    const lines = git('log', '--max-count=100', '--format=%H %P', searchParams.get('sha') ?? 'HEAD').split('\n')
    return lines.map((line) => {
      const [sha, ...parents] = line.split(' ')
      return { sha, parents: parents.map((parent) => ({ sha: parent })) }
    })
  } catch {
    return undefined
  }
}
