import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { changesFinder, dirtyFiles, findChanges } from '../../../src/git/changes.ts'
import { Git } from '../../../src/git/git.ts'
import { commit, env, goTo, repository, run, top, write } from '../../support/git-repository.ts'
import { SilentGitHub } from '../../support/make-run.ts'

const ABSENT = 'f'.repeat(40)

let asked: string[]

beforeEach(() => {
  asked = []
})

/** GitHub as far as it is asked here: head → the files that changed since any base. */
class ComparingGitHub extends SilentGitHub {
  readonly #comparisons: Record<string, string[]>

  constructor(comparisons: Record<string, string[]>) {
    super()
    this.#comparisons = comparisons
  }

  override async changedFiles(base: string, head: string): Promise<string[] | undefined> {
    asked.push(`${base}...${head}`)
    return this.#comparisons[head]
  }
}

interface Question {
  revision: string
  sha?: string
  context?: string
  comparisons?: Record<string, string[]>
}

function find({ revision, sha = ABSENT, context = '.', comparisons = {} }: Question): Promise<string[] | undefined> {
  const git = new Git(join(repository, context), env)
  return findChanges(git, new ComparingGitHub(comparisons), revision, { sha })
}

describe('by git', () => {
  it('tells which tracked files differ below the context', async () => {
    write('.gitignore', 'dist\n')
    const revision = commit('Dockerfile', 'app/src/a', 'app/b', 'application/c')
    for (const name of ['app/src/a', 'application/c']) write(name, '2')
    commit()
    write('app/b', '3')
    for (const name of ['app/dist/x', 'app/new', 'other']) write(name)
    expect(await find({ revision, context: 'app' })).toEqual(['b', 'src/a'])
    expect(await find({ revision })).toEqual(['app/b', 'app/src/a', 'application/c'])
    expect(asked).toEqual([])
  })

  it('gives any name as it is', async () => {
    const revision = commit('Dockerfile')
    const names = ['-x', '!x', 'new\nline', ' both ', 'ä-🐳', '__proto__']
    commit(...names.map((name) => `app/${name}`))
    expect(new Set(await find({ revision, context: 'app' }))).toEqual(new Set(names))
  })
})

describe('by GitHub', () => {
  let first: string
  let head: string

  beforeEach(() => {
    first = commit('Dockerfile', 'app/a', 'app/b')
    head = commit('app/c')
    run('clone', '--quiet', '--depth', '1', `file://${repository}`, join(top, 'clone'))
    goTo(join(top, 'clone'))
  })

  it('adds what was changed since the checkout', async () => {
    write('app/a', '2')
    const comparisons = { [head]: ['app/c', 'Dockerfile', 'other'] }
    expect(await find({ revision: first, sha: head, context: 'app', comparisons })).toEqual(['c', 'a'])
    expect(asked).toEqual([`${first}...${head}`])
  })

  it("goes by the checkout if it is another commit than the build's, as a pull request's", async () => {
    const changed = await find({ revision: first, comparisons: { [head]: ['app/c'] } })
    expect(changed).toEqual(['app/c'])
    expect(asked).toEqual([`${first}...${head}`])
  })

  it("goes by the build's commit if the workflow made a further one", async () => {
    commit('app/version')
    const changed = await find({ revision: first, sha: head, comparisons: { [head]: ['app/c'] } })
    expect(changed).toEqual(['app/c', 'app/version'])
  })

  it('leaves it open if GitHub does not answer', async () => {
    expect(await find({ revision: first, sha: head })).toBeUndefined()
  })
})

it('finds its way through links to the workspace', async () => {
  const revision = commit('Dockerfile', 'app/a')
  write('app/a', '2')
  symlinkSync(repository, join(top, 'workspace'))
  symlinkSync(join(repository, 'app'), join(top, 'app'))
  for (const context of ['../workspace/app', '../app', 'app']) {
    expect(await find({ revision, context })).toEqual(['a'])
  }
})

it('takes any text for a revision', async () => {
  commit('Dockerfile')
  for (const revision of ['', 'HEAD', '--output=pwned', '\n']) expect(await find({ revision })).toBeUndefined()
})

it('knows nothing without a repository', async () => {
  expect(await find({ revision: ABSENT, context: '..', comparisons: { [ABSENT]: ['a'] } })).toBeUndefined()
  expect(asked).toEqual([])
})

describe('changesFinder', () => {
  it('looks for the changes since a commit once', async () => {
    const sha = commit('a')
    const since = changesFinder(new Git(repository, env), new ComparingGitHub({ [sha]: ['a'] }), { sha })
    const first = await since(ABSENT)
    expect(first).toEqual(['a'])
    const times = asked.length
    expect(await since(ABSENT)).toBe(first)
    expect(asked).toHaveLength(times)
  })
})

describe('dirtyFiles', () => {
  const dirtyIn = (context: string, sha: string): Promise<string[] | undefined> =>
    dirtyFiles(new Git(join(repository, context), env), sha)

  it('are the tracked files below the context that differ, staged or not', async () => {
    const sha = commit('app/a', 'app/b', 'app/c', 'app/d', 'other')
    expect(await dirtyIn('app', sha)).toEqual([])
    for (const name of ['app/a', 'app/b', 'other']) write(name, '2')
    run('add', 'app/b')
    rmSync(join(repository, 'app/c'))
    write('app/untracked')
    expect(await dirtyIn('app', sha)).toEqual(['a', 'b', 'c'])
    expect(await dirtyIn('.', sha)).toEqual(['app/a', 'app/b', 'app/c', 'other'])
  })

  it('of a submodule are its folder, if its commit or a tracked file differs', async () => {
    const submodule = join(top, 'submodule')
    const outer = repository
    mkdirSync(submodule)
    goTo(submodule)
    run('init', '--quiet')
    commit('x')
    goTo(outer)
    run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', submodule, 'lib')
    const sha = commit('a')
    write('lib/untracked')
    expect(await dirtyIn('.', sha)).toEqual([])
    write('lib/x', '2')
    expect(await dirtyIn('.', sha)).toEqual(['lib'])
  })

  it('are unknown without git', async () => {
    expect(await dirtyFiles(new Git(top, env), ABSENT)).toBeUndefined()
    commit('a')
    expect(await dirtyIn('.', ABSENT)).toBeUndefined()
  })
})
