import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, jest } from '@jest/globals'
import { parse } from 'yaml'
import { lintAll } from '../support/workflows.ts'

const root = join(import.meta.dirname, '../..')
const script = readFileSync(join(root, 'examples/clean-up/clean-up.mjs'), 'utf8')
const workflow = readFileSync(join(root, 'examples/clean-up/workflow.yml'), 'utf8')
// each test starts a process
jest.setTimeout(60_000)
const scratch = mkdtempSync(join(tmpdir(), 'clean-up-'))
afterAll(() => rmSync(scratch, { recursive: true }))

interface Version {
  id: number
  tags: string[]
  /** Days since it was created, and since its tags changed. */
  created: number
  updated: number
}

function key(prefix: 'cache' | 'tested', digit: string): string {
  return `${prefix}-${digit.repeat(16)}`
}

function old(id: number, ...tags: string[]): Version {
  return { id, tags, created: 60, updated: 60 }
}

/** Kept: one reason each. */
const KEPT = [
  old(1, key('tested', '1'), key('cache', '1'), 'builder-next', 'builder'),
  old(2, '2222222', key('cache', '2'), key('tested', '2'), 'latest'),
  old(3, '3333333', 'v1.2.3'),
  old(4, '4444444', 'pr-7'),
  old(5, key('cache', '5'), 'deps'),
  old(6, '6666666', 'latest-cache'),
  old(7),
  { ...old(8, '8888888', key('cache', '8')), created: 29, updated: 29 },
  // a run has just given an old image the tag of a new commit
  { ...old(9, '9999999', key('tested', '9')), updated: 1 },
  old(10, '12345678'),
  old(11, 'cache-0123'),
  old(12, `${key('cache', '0')}0`),
  old(13, 'pr-8-debug'),
  old(14, 'builder-stage-deps'),
  old(15, 'builder-12345678'),
  old(16, 'builder-1234567-debug'),
  old(17, 'builder-stage-1234567'),
  old(18, 'builder-linux-386', 'builder-linux-386-next'),
  // parts of an index that is kept
  old(19, '2222222-linux-386', key('cache', '3'), key('tested', '3')),
  old(20, '2222222-linux-arm-v7', 'ccccccc-linux-arm-v7'),
  old(31, 'x-linux-386')
]
/** Deleted. */
const UNNEEDED = [
  old(21, key('cache', 'a')),
  old(22, 'abcdef0', key('cache', 'b'), key('tested', 'b')),
  old(23, 'bcdef01', 'pr-8'),
  { ...old(24, key('tested', 'c')), created: 31, updated: 31 },
  old(25, 'builder-def0123', key('cache', 'd')),
  old(26, 'builder-def0123-stage-deps'),
  old(27, 'builder-linux-386-def0123'),
  // before its index in the list, and of an index that does not exist
  old(28, 'ccccccc-linux-arm64', key('cache', 'e')),
  old(29, 'ccccccc', 'ddddddd'),
  old(30, 'eeeeeee-linux-arm64')
]
const IDS = UNNEEDED.map(({ id }) => id)

interface Reply {
  status: number
  body?: unknown
  /** Header `link`. */
  link?: string
}

/** A stand-in for GitHub's API, which has two items on a page. */
class Packages {
  readonly deleted: number[] = []
  readonly requests: string[] = []
  /** What happens before an answer. */
  before: (request: string) => void = () => {}
  /** The answer to DELETE; 204 unless given. */
  refusal: Reply | undefined
  readonly #versions: Version[]
  readonly #owner: 'Organization' | 'User'

  constructor(owner: 'Organization' | 'User' = 'Organization') {
    this.#owner = owner
    this.#versions = [...KEPT, ...UNNEEDED]
      .toSorted((a, b) => (a.id % 5) - (b.id % 5))
      .map((one) => structuredClone(one))
  }

  version(id: number): Version {
    return this.#versions.find((one) => one.id === id) as Version
  }

  answer(request: IncomingMessage): Reply {
    const { pathname, searchParams, host } = new URL(request.url ?? '', `http://${request.headers.host}`)
    this.before(`${request.method} ${pathname}`)
    this.requests.push(`${request.method} ${pathname}`)
    const list = (items: readonly unknown[]): Reply => {
      const page = Number(searchParams.get('page') ?? 1)
      searchParams.set('page', String(page + 1))
      const link = `<http://${host}${pathname}?${searchParams}>; rel="next", <http://x>; rel="last"`
      const body = items.slice(page * 2 - 2, page * 2)
      return { status: 200, body, ...(page * 2 < items.length && { link }) }
    }
    if (request.headers.authorization !== 'Bearer secret') return { status: 401, body: { message: 'Bad credentials' } }
    const base = `/${this.#owner === 'User' ? 'users' : 'orgs'}/octo/packages/container/team%2Fapp/versions`
    const one = this.#versions.find(({ id }) => pathname === `${base}/${id}`)
    if (pathname === '/users/octo') return { status: 200, body: { type: this.#owner } }
    if (pathname === '/repos/octo/app/pulls' && searchParams.get('state') === 'open') {
      return list([5, 6, 7].map((number) => ({ number })))
    }
    if (pathname === base) return list(this.#versions.map(asGitHubDoes))
    if (one === undefined) return { status: 404, body: { message: 'Not Found' } }
    if (request.method === 'GET') return { status: 200, body: asGitHubDoes(one) }
    if (this.refusal) return this.refusal
    this.deleted.push(one.id)
    return { status: 204 }
  }
}

function asGitHubDoes({ id, tags, created, updated }: Version): unknown {
  const before = (days: number): string => new Date(Date.now() - days * 24 * 60 * 60 * 1000).toISOString()
  return {
    id,
    name: `sha256:${id}`,
    created_at: before(created),
    updated_at: before(updated),
    metadata: { package_type: 'container', container: { tags } }
  }
}

/** Runs a script against the stand-in. */
async function run(
  packages: Packages,
  env: Record<string, string> = { DRY_RUN: 'false' },
  text = script
): Promise<{ code: number; output: string; deleted: number[] }> {
  const file = join(scratch, 'clean-up.mjs')
  writeFileSync(file, text)
  const server = createServer((request, response) => {
    const { status, body, link } = packages.answer(request)
    response.writeHead(status, link === undefined ? {} : { link })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const variables = {
    GITHUB_API_URL: `http://127.0.0.1:${port}`,
    GITHUB_REPOSITORY: 'octo/app',
    GITHUB_TOKEN: 'secret',
    PACKAGE: 'team/app',
    ...env
  }
  const ended = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, [file], { env: variables }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: `${stdout}${stderr}` })
    )
  })
  server.close()
  return { ...ended, deleted: packages.deleted.toSorted((a, b) => a - b) }
}

describe('The clean-up of GitHub Container Registry', () => {
  it.each(['Organization', 'User'] as const)(
    'deletes old versions all of whose tags are temporary, and no other: %s',
    async (owner) => {
      const { code, output, deleted } = await run(new Packages(owner))
      expect(deleted).toEqual(IDS)
      expect(output).toContain('Deleted sha256:23 (bcdef01, pr-8)')
      expect(output).toContain(`${IDS.length} of ${KEPT.length + IDS.length} versions deleted`)
      expect(code).toBe(0)
    }
  )

  it.each([
    ['one temporary tag is enough', 'tags.every(', 'tags.some(', [1, 2, 3, 4, 5, 6, 19, 20]],
    ['untagged versions count', 'tags.length > 0 && ', '', [7]],
    ['the age does not count', 'age > ', '0 <= ', [8, 9]],
    [
      'only the creation counts',
      'Math.max(Date.parse(version.created_at), Date.parse(version.updated_at))',
      'Date.parse(version.created_at)',
      [9]
    ],
    ['open pull requests do not count', '!openPullRequests.has(number)', 'true', [4]],
    ['all tags of builder images are temporary', '[0-9a-f]{7}(-stage-.+)?', '.+', [14, 15, 16, 17, 18]],
    ['parts of an index that is kept count', '|| indexesOf(version).some((tag) => tags.has(tag))', '', [19, 20]],
    ['only the first page is read', 'page = next', 'page = undefined', undefined]
  ])('is tested: other versions are deleted if %s', async (_, rule, other, wrong) => {
    expect(script).toContain(rule)
    const { deleted } = await run(new Packages(), { DRY_RUN: 'false' }, script.replace(rule, other))
    expect(deleted).not.toEqual(IDS)
    if (wrong) expect(deleted.filter((id) => !IDS.includes(id))).toEqual(wrong)
  })

  it('keeps a version that a run has given a further tag since the list was read', async () => {
    const packages = new Packages()
    packages.before = (request) => {
      if (request.endsWith('/versions/22')) packages.version(22).tags.push('latest')
    }
    expect((await run(packages)).deleted).toEqual(IDS.filter((id) => id !== 22))
  })

  it.each<Record<string, string>>([{}, { DRY_RUN: 'true' }, { DRY_RUN: '' }])(
    'deletes nothing with %j, and lists the same',
    async (env) => {
      const packages = new Packages()
      const { code, output, deleted } = await run(packages, env)
      expect(deleted).toEqual([])
      expect(packages.requests.filter((request) => request.startsWith('DELETE'))).toEqual([])
      const listed = [...output.matchAll(/^Would delete sha256:(\d+) /gm)].map(([, id]) => Number(id))
      expect(listed.toSorted((a, b) => a - b)).toEqual(IDS)
      expect(code).toBe(0)
    }
  )

  it('deletes fewer versions with a higher limit', async () => {
    expect((await run(new Packages(), { DRY_RUN: 'false', DAYS: '45' })).deleted).toEqual(IDS.filter((id) => id !== 24))
  })

  it('goes on if GitHub keeps a version, and says why', async () => {
    const packages = new Packages()
    packages.refusal = { status: 400, body: { message: 'You cannot delete the last tagged version of a package.' } }
    const { code, output } = await run(packages)
    // what is kept because its index is
    const parts = 1
    expect(output.match(/^::warning::GitHub keeps .*last tagged version/gm)).toHaveLength(IDS.length - parts)
    expect(code).toBe(0)
  })

  it('stops if it may not delete', async () => {
    const packages = new Packages()
    packages.refusal = { status: 403, body: { message: 'Resource not accessible by integration' } }
    const { code, output } = await run(packages)
    expect(output).toMatch(/^::error::DELETE .* answered 403: Resource not accessible by integration$/m)
    expect(packages.requests.filter((request) => request.startsWith('DELETE'))).toHaveLength(1)
    expect(code).toBe(1)
  })

  it.each([
    ['{sha}', 'a'.repeat(40), 'a'.repeat(41)],
    ['sha-{short}', 'sha-abcdef0', 'sha-abcdef'],
    ['v1.{short}', 'v1.abcdef0', 'v1-abcdef0']
  ])('knows commit tags of the template %s', async (template, own, other) => {
    const packages = new Packages()
    packages.version(21).tags.push(own)
    packages.version(25).tags.push(other)
    const { deleted } = await run(packages, { DRY_RUN: 'false', COMMIT_TAG: template })
    // 7 hex digits are no commit tag then
    expect(deleted).toEqual([21, 24, 26, 27])
  })

  it.each<[Record<string, string>, RegExp]>([
    [{ COMMIT_TAG: 'sha' }, /::error::COMMIT_TAG is "sha"; set it to the input commit-tag/],
    [{ COMMIT_TAG: '' }, /::error::COMMIT_TAG is ""/],
    [{ COMMIT_TAG: '.*|{short}' }, /::error::COMMIT_TAG is/],
    [{ GITHUB_TOKEN: 'other' }, /::error::GET .* answered 401: Bad credentials/],
    [{ PACKAGE: 'other' }, /::error::GET .* answered 404: Not Found/],
    [{ PACKAGE: '' }, /::error::PACKAGE is empty/],
    [{ DAYS: '0' }, /::error::DAYS is "0"/],
    [{ DAYS: 'x' }, /::error::DAYS is "x"/]
  ])('fails with %j, and deletes nothing', async (env, error) => {
    const { code, output, deleted } = await run(new Packages(), { DRY_RUN: 'false', ...env })
    expect(output).toMatch(error)
    expect(code).toBe(1)
    expect(deleted).toEqual([])
  })
})

describe('The workflow of the clean-up', () => {
  /** Removes the comment signs of the schedule. */
  const scheduled = workflow.replace(/^ {2}# (schedule:)\n {2}# {3}/m, '  $1\n    ')

  it('has nothing that actionlint finds, also with its schedule', () => {
    const wrong = scheduled.replace('cron', 'corn')
    expect(lintAll({ workflow, scheduled, wrong })).toEqual({
      workflow: '',
      scheduled: '',
      wrong: expect.stringContaining('corn')
    })
  })

  it('may delete packages and nothing else, and uses an action of one commit', () => {
    const { on, permissions, jobs } = parse(scheduled) as {
      on: object
      permissions: object
      jobs: Record<string, { permissions: object; steps: { uses?: string; env?: Record<string, string> }[] }>
    }
    expect(Object.keys(on)).toEqual(['workflow_dispatch', 'schedule'])
    expect(permissions).toEqual({})
    const [job] = Object.values(jobs)
    expect(job?.permissions).toEqual({ contents: 'read', packages: 'write', 'pull-requests': 'read' })
    expect(job?.steps.flatMap(({ uses }) => uses ?? [])).toEqual([
      expect.stringMatching(/^actions\/checkout@[0-9a-f]{40}$/)
    ])
    const { env = {} } = job?.steps.find((step) => step.env !== undefined) ?? {}
    expect(Object.keys(env)).toEqual(['GITHUB_TOKEN', 'PACKAGE', 'DAYS', 'DRY_RUN'])
    for (const name of Object.keys(env)) expect(script).toContain(name)
  })

  it('is in the documentation', () => {
    const text = readFileSync(join(root, 'docs/registry.md'), 'utf8')
    expect(text).toContain(`\`\`\`yaml\n${workflow}\`\`\``)
    expect(text).toContain('](../examples/clean-up/clean-up.mjs)')
  })
})
