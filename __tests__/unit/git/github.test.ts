import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { GitHub } from '../../../src/git/github.ts'
import type { Log } from '../../../src/lib/log.ts'
import { shortBounds } from '../../support/short-bounds.ts'

interface File {
  filename: string
  status?: string
  sha?: string | null
  previous_filename?: string
}

/** What the stand-in answers for `base...head`: a body, or a status; absent: no answer at all. */
type Answers = Record<string, { status: string; files?: File[] | null; mergeBase?: string } | { body: object } | number>

const BASE = 'a'.repeat(40)
const HEAD = 'b'.repeat(40)
const FORTH = `${BASE}...${HEAD}`
const BACK = `${HEAD}...${BASE}`

let server: Server
let answers: Answers
let requests: { url: string; token: string | undefined }[]
let make: (token?: string, signal?: AbortSignal, repository?: string, log?: Pick<Log, 'info'>) => GitHub
const shorten = shortBounds()

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? '')
    requests.push({ url, token: request.headers.authorization })
    const answer = answers[/\/(?:compare|git\/ref|commits)[/?]([^?&]*)/.exec(url)?.[1] ?? '']
    if (answer === undefined) return
    response.setHeader('content-type', 'application/json')
    if (typeof answer === 'number') {
      response.writeHead(answer).end('{"message": "Not Found"}')
      return
    }
    if ('body' in answer) {
      response.end(JSON.stringify(answer.body))
      return
    }
    const { status, files, mergeBase = 'c'.repeat(40) } = answer
    const listed = files?.map((file) => ({ status: 'modified', sha: file.filename, ...file }))
    response.end(
      JSON.stringify({ status, merge_base_commit: { sha: mergeBase }, ...(files !== null && { files: listed ?? [] }) })
    )
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  // @actions/github reads it when it is loaded
  process.env.GITHUB_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { GitHub } = await import('../../../src/git/github.ts')
  make = (token = 'secret', signal = new AbortController().signal, repository = 'octocat/hello', log) =>
    new GitHub(token || undefined, repository, signal, log)
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  answers = {}
  requests = []
})

const files = (...names: string[]): File[] => names.map((filename) => ({ filename }))
const many = (count: number): File[] => files(...Array.from({ length: count }, (_, index) => `file-${index}`))

describe('changedFiles', () => {
  it('asks with the token for one page', async () => {
    answers = { [FORTH]: { status: 'identical' } }
    expect(await make().changedFiles(BASE, HEAD)).toEqual([])
    expect(requests).toEqual([{ url: `/repos/octocat/hello/compare/${FORTH}?per_page=1`, token: 'token secret' }])
  })

  it.each<[string, Answers, string[] | undefined]>([
    ['a later commit', { [FORTH]: { status: 'ahead', files: files('a', 'b/c') } }, ['a', 'b/c']],
    [
      'an earlier commit',
      { [FORTH]: { status: 'behind' }, [BACK]: { status: 'ahead', files: files('a', 'b') } },
      ['a', 'b']
    ],
    [
      'a rename, of which both names count, and a copy, of which the new one does',
      {
        [FORTH]: {
          status: 'ahead',
          files: [
            { filename: 'new', status: 'renamed', previous_filename: 'old' },
            { filename: 'copy', status: 'copied', previous_filename: 'original' }
          ]
        }
      },
      ['old', 'new', 'copy']
    ],
    [
      'names of any kind',
      { [FORTH]: { status: 'ahead', files: files('-x', '!x', 'new\nline', 'ä-🐳', '__proto__') } },
      ['-x', '!x', 'new\nline', 'ä-🐳', '__proto__']
    ],
    [
      'branches that went apart',
      {
        [FORTH]: {
          status: 'diverged',
          files: [
            { filename: 'here' },
            { filename: 'equal', sha: '1' },
            { filename: 'unequal', sha: '1' },
            { filename: 'gone on both', status: 'removed', sha: '1' },
            { filename: 'gone here', status: 'removed', sha: '1' },
            { filename: 'moved equally', status: 'renamed', previous_filename: 'place', sha: '1' },
            { filename: 'left', status: 'renamed', previous_filename: 'middle', sha: '1' }
          ]
        },
        [BACK]: {
          status: 'diverged',
          files: [
            { filename: 'there' },
            { filename: 'equal', status: 'added', sha: '1' },
            { filename: 'unequal', sha: '2' },
            { filename: 'gone on both', status: 'removed', sha: '1' },
            { filename: 'gone here', sha: '1' },
            { filename: 'moved equally', status: 'renamed', previous_filename: 'place', sha: '1' },
            { filename: 'right', status: 'renamed', previous_filename: 'middle', sha: '1' }
          ]
        }
      },
      ['here', 'unequal', 'gone here', 'left', 'there', 'right']
    ],
    [
      'branches that were merged into each other',
      { [FORTH]: { status: 'diverged', mergeBase: '1' }, [BACK]: { status: 'diverged', mergeBase: '2' } },
      undefined
    ],
    ['299 files', { [FORTH]: { status: 'ahead', files: many(299) } }, many(299).map(({ filename }) => filename)],
    ['300 files', { [FORTH]: { status: 'ahead', files: many(300) } }, undefined],
    ['300 files back', { [FORTH]: { status: 'behind' }, [BACK]: { status: 'ahead', files: many(300) } }, undefined],
    [
      '300 files on one side',
      { [FORTH]: { status: 'diverged', files: many(300) }, [BACK]: { status: 'diverged', files: [] } },
      undefined
    ],
    ['an answer without files', { [FORTH]: { status: 'ahead', files: null } }, undefined],
    ['a commit that GitHub does not have', { [FORTH]: 404 }, undefined],
    ['a token without the permission', { [FORTH]: 403 }, undefined],
    ['a failure halfway', { [FORTH]: { status: 'diverged' }, [BACK]: 500 }, undefined]
  ])('knows of %s', async (_, given, expected) => {
    answers = given
    expect((await make().changedFiles(BASE, HEAD))?.toSorted()).toEqual(expected?.toSorted())
  })

  it('asks nothing without a token, without a repository, and about anything but commit ids', async () => {
    expect(await make('').changedFiles(BASE, HEAD)).toBeUndefined()
    expect(await make('secret', undefined, '').changedFiles(BASE, HEAD)).toBeUndefined()
    for (const text of ['master', '', `${BASE}...${BASE}`, `octocat:${BASE}`, '../../../user']) {
      expect(await make().changedFiles(text, HEAD)).toBeUndefined()
      expect(await make().changedFiles(BASE, text)).toBeUndefined()
    }
    expect(requests).toEqual([])
  })

  it('gives up when the run is cancelled', async () => {
    expect(await make('secret', AbortSignal.timeout(50)).changedFiles(BASE, HEAD)).toBeUndefined()
    expect(requests).toHaveLength(1)
  })

  it('asks nothing more of a server that does not answer', async () => {
    shorten({ github: 200 })
    const said: string[] = []
    const gitHub = make('secret', undefined, undefined, { info: (text) => said.push(text) })
    for (let count = 0; count < 3; count++) expect(await gitHub.tip('master')).toBeUndefined()
    expect(requests).toHaveLength(1)
    expect(said).toEqual(["GitHub's API: no answer within 0.2 seconds; the run goes on without it"])
  })
})

describe('relation', () => {
  it.each<[string, Answers, string | undefined]>([
    ['ahead', { [FORTH]: { status: 'ahead' } }, 'ahead'],
    ['diverged', { [FORTH]: { status: 'diverged' } }, 'diverged'],
    ['a commit that is not there', { [FORTH]: 404 }, 'unknown'],
    ['no common history', { [FORTH]: 422 }, 'unknown'],
    ['no permission', { [FORTH]: 403 }, undefined],
    ['an error', { [FORTH]: 500 }, undefined]
  ])('%s', async (_, given, expected) => {
    answers = given
    expect(await make().relation(BASE, HEAD)).toBe(expected)
    expect(requests).toHaveLength(1)
  })

  it('asks about commit ids only', async () => {
    expect(await make().relation('../x', HEAD)).toBeUndefined()
    expect(requests).toEqual([])
  })
})

describe('tip', () => {
  it.each<[string, Answers, string | undefined]>([
    ['of a branch', { 'heads/feature/x': { body: { object: { sha: HEAD } } } }, HEAD],
    ['of a branch that is gone', { 'heads/feature/x': 404 }, 'unknown'],
    ['an error', { 'heads/feature/x': 500 }, undefined]
  ])('%s', async (_, given, expected) => {
    answers = given
    expect(await make().tip('feature/x')).toBe(expected)
  })
})

describe('firstParents', () => {
  it('follows the first parents, among the last hundred commits', async () => {
    const merge = { sha: HEAD, parents: [{ sha: BASE }, { sha: 'd'.repeat(40) }] }
    const merged = { sha: 'd'.repeat(40), parents: [{ sha: 'e'.repeat(40) }] }
    answers = { [`sha=${HEAD}`]: { body: [merge, merged, { sha: BASE, parents: [{ sha: 'e'.repeat(40) }] }] } }
    expect(await make().firstParents(HEAD)).toEqual([HEAD, BASE])
    expect(requests[0]?.url).toContain('per_page=100')
  })
})
