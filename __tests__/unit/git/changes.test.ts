import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { type Changes, changesFinder, dirtyFiles, findChanges } from '../../../src/git/changes.ts'
import { Git } from '../../../src/git/git.ts'
import { commit, env, goTo, repository, run, top, write } from '../../support/git-repository.ts'
import { SilentGitHub } from '../../support/make-run.ts'

const ABSENT = 'f'.repeat(40)
const NOTHING: Changes = { changed: undefined, untracked: undefined, dockerfileChanged: undefined }

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
  file?: string
  comparisons?: Record<string, string[]>
}

function find({
  revision,
  sha = ABSENT,
  context = '.',
  file = 'Dockerfile',
  comparisons = {}
}: Question): Promise<Changes> {
  const paths = { context: join(repository, context), file: join(repository, file) }
  return findChanges(new Git(paths.context, env), new ComparingGitHub(comparisons), revision, { sha }, paths)
}

describe('by git', () => {
  it('tells what differs below the context, and what git does not track', async () => {
    write('.gitignore', 'dist\n')
    const revision = commit('Dockerfile', 'app/src/a', 'app/b', 'application/c')
    for (const name of ['app/src/a', 'application/c']) write(name, '2')
    commit()
    write('app/b', '3')
    for (const name of ['app/dist/x', 'app/new', 'other']) write(name)
    expect(await find({ revision, context: 'app' })).toEqual({
      changed: ['b', 'src/a'],
      untracked: ['dist/', 'new'],
      dockerfileChanged: false
    })
    expect(await find({ revision })).toEqual({
      changed: ['app/b', 'app/src/a', 'application/c'],
      untracked: ['app/dist/', 'app/new', 'other', '.git/'],
      dockerfileChanged: false
    })
    expect(asked).toEqual([])
  })

  it('gives any name as it is', async () => {
    const revision = commit('Dockerfile')
    const names = ['-x', '!x', 'new\nline', ' both ', 'ä-🐳', '__proto__']
    commit(...names.map((name) => `app/${name}`))
    for (const name of names) write(`app/2${name}`)
    const { changed, untracked } = await find({ revision, context: 'app' })
    expect(new Set(changed)).toEqual(new Set(names))
    expect(new Set(untracked)).toEqual(new Set(names.map((name) => `2${name}`)))
  })

  it('lists the context if git tracks nothing of it', async () => {
    const revision = commit('Dockerfile')
    for (const name of ['build/out/a', 'build/out/b/c']) write(name)
    const { changed, untracked } = await find({ revision, context: 'build/out' })
    expect({ changed, untracked: untracked?.toSorted() }).toEqual({ changed: [], untracked: ['a', 'b/'] })
  })

  it('names the file .git of a further work tree', async () => {
    const revision = commit('Dockerfile')
    run('worktree', 'add', '--quiet', '--detach', '../tree')
    const { untracked } = await find({ revision, context: '../tree', file: '../tree/Dockerfile' })
    expect(untracked).toEqual(['.git'])
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
    expect(await find({ revision: first, sha: head, context: 'app', comparisons })).toEqual({
      changed: ['c', 'a'],
      untracked: [],
      dockerfileChanged: true
    })
    expect(asked).toEqual([`${first}...${head}`])
  })

  it("goes by the checkout if it is another commit than the build's, as a pull request's", async () => {
    const { changed } = await find({ revision: first, comparisons: { [head]: ['app/c'] } })
    expect(changed).toEqual(['app/c'])
    expect(asked).toEqual([`${first}...${head}`])
  })

  it("goes by the build's commit if the workflow made a further one", async () => {
    commit('app/version')
    const { changed } = await find({ revision: first, sha: head, comparisons: { [head]: ['app/c'] } })
    expect(changed).toEqual(['app/c', 'app/version'])
  })

  it('leaves it open if GitHub does not answer', async () => {
    expect(await find({ revision: first, sha: head })).toEqual({
      changed: undefined,
      untracked: ['.git/'],
      dockerfileChanged: undefined
    })
  })
})

describe('the Dockerfile', () => {
  it.each<[string, string, string]>([
    ['in the context', 'app', 'app/Dockerfile'],
    ['above it', 'app', 'Dockerfile'],
    ['beside it', 'app', 'docker/Other'],
    ['below it', '.', 'docker/Other']
  ])('%s', async (_, context, file) => {
    const revision = commit(file, 'app/a', 'docker/a')
    expect((await find({ revision, context, file })).dockerfileChanged).toBe(false)
    write(file, '2')
    expect((await find({ revision, context, file })).dockerfileChanged).toBe(true)
  })

  it.each(['../Dockerfile', 'untracked/Dockerfile', 'app/new', '..Dockerfile'])(
    '%j is not in the repository',
    async (file) => {
      const revision = commit('app/a')
      write(file)
      const { changed, dockerfileChanged } = await find({ revision, context: 'app', file })
      expect({ changed, dockerfileChanged }).toEqual({ changed: [], dockerfileChanged: undefined })
    }
  )

  it('is in the repository if only its name begins with dots', async () => {
    const revision = commit('..Dockerfile')
    expect((await find({ revision, file: '..Dockerfile' })).dockerfileChanged).toBe(false)
  })

  it('may be a link', async () => {
    symlinkSync('docker/One', join(repository, 'Dockerfile'))
    const revision = commit('docker/One', 'docker/Two')
    expect((await find({ revision })).dockerfileChanged).toBe(false)
    write('docker/One', '2')
    expect((await find({ revision })).dockerfileChanged).toBe(true)
    run('checkout', '--quiet', '.')
    rmSync(join(repository, 'Dockerfile'))
    symlinkSync('docker/Two', join(repository, 'Dockerfile'))
    expect((await find({ revision })).dockerfileChanged).toBe(true)
  })

  it('may be in a submodule', async () => {
    commit('Dockerfile')
    run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `file://${repository}`, 'module')
    const revision = commit('app/a')
    const question = { revision, context: 'app', file: 'module/Dockerfile' }
    expect((await find(question)).dockerfileChanged).toBe(false)
    write('module/Dockerfile', '2')
    expect((await find(question)).dockerfileChanged).toBe(true)
  })
})

it('finds its way through links to the workspace', async () => {
  const revision = commit('Dockerfile', 'app/a')
  write('app/a', '2')
  write('Dockerfile', '2')
  symlinkSync(repository, join(top, 'workspace'))
  symlinkSync(join(repository, 'app'), join(top, 'app'))
  for (const [context, file] of [
    ['../workspace/app', '../workspace/Dockerfile'],
    ['../app', 'Dockerfile'],
    ['app', '../workspace/Dockerfile']
  ] as const) {
    expect(await find({ revision, context, file })).toEqual({ changed: ['a'], untracked: [], dockerfileChanged: true })
  }
})

it('takes any text for a revision', async () => {
  commit('Dockerfile')
  for (const revision of ['', 'HEAD', '--output=pwned', '\n']) {
    expect(await find({ revision })).toEqual({ changed: undefined, untracked: ['.git/'], dockerfileChanged: undefined })
  }
})

it('knows nothing without a repository', async () => {
  writeFileSync(join(top, 'Dockerfile'), '')
  const comparisons = { [ABSENT]: ['a'] }
  expect(await find({ revision: ABSENT, context: '..', file: '../Dockerfile', comparisons })).toEqual(NOTHING)
  expect(asked).toEqual([])
})

describe('changesFinder', () => {
  it('looks for the changes since a commit once', async () => {
    const sha = commit('a')
    const paths = { context: repository, file: join(repository, 'a') }
    const since = changesFinder(new Git(repository, env), new ComparingGitHub({}), { sha }, paths)
    const first = await since(ABSENT)
    const times = asked.length
    expect(times).toBeGreaterThan(0)
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
