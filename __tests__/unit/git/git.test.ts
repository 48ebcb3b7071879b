import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, test } from '@jest/globals'
import { readEventCommit } from '../../../src/action/read-commit.ts'
import { Git, isCommitId } from '../../../src/git/git.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { commit, env, repository, run, top, write } from '../../support/git-repository.ts'
import { shortBounds } from '../../support/short-bounds.ts'

/** A program that tells that it ran. */
function spy(): { program: string; ran: () => boolean } {
  const [program, trace] = [join(top, 'program'), join(top, 'trace')]
  writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> ${trace}\nexit 1\n`, { mode: 0o755 })
  return { program, ran: () => existsSync(trace) }
}

const PATH = process.env.PATH ?? ''
const REAL_GIT = execFileSync('which', ['git'], { encoding: 'utf8' }).trim()
const shorten = shortBounds()

const git = (folder = repository): Git => new Git(folder, env)

const HOSTILE = [
  '-x',
  '--output=pwned',
  '!x',
  '#x',
  ' both ',
  'new\nline',
  'tab\t"quoted"\\',
  'ä-日本-🐳',
  ':(top)x',
  '*'
]

test.each([
  ['a'.repeat(40), true],
  ['A1'.repeat(20), true],
  ['0'.repeat(64), true],
  ['a'.repeat(39), false],
  ['a'.repeat(41), false],
  [`${'a'.repeat(40)}\n`, false],
  ['HEAD', false],
  ['--output=pwned', false],
  ['', false]
])('%j is a commit id: %p', (text, expected) => {
  expect(isCommitId(text)).toBe(expected)
})

describe('changedSince', () => {
  it('names what commits, the index and the work tree changed', async () => {
    const first = commit('same', 'committed', 'staged', 'edited', 'removed', 'old/renamed')
    write('committed', '2')
    mkdirSync(join(repository, 'new'))
    renameSync(join(repository, 'old/renamed'), join(repository, 'new/renamed'))
    commit('added')
    write('staged', '2')
    run('add', 'staged')
    write('edited', '2')
    write('untracked')
    rmSync(join(repository, 'removed'))
    const expected = ['added', 'committed', 'edited', 'new/renamed', 'old/renamed', 'removed', 'staged']
    expect((await git().changedSince(first))?.toSorted()).toEqual(expected)
    expect(await git().changedSince(run('rev-parse', 'HEAD'))).toEqual(['edited', 'removed', 'staged'])
  })

  it('is relative to the top in any folder, whatever the configuration', async () => {
    const first = commit('a', 'sub/b')
    for (const name of ['a', 'sub/b']) write(name, '2')
    for (const option of ['diff.relative=true', 'diff.renames=copies', 'color.ui=always', 'core.quotePath=true']) {
      run('config', ...(option.split('=') as [string, string]))
    }
    expect(await git(join(repository, 'sub')).changedSince(first)).toEqual(['a', 'sub/b'])
  })

  it('is empty for the commit that is checked out', async () => {
    const first = commit('a')
    // another time of a file is no change, though git must read the file to know
    utimesSync(join(repository, 'a'), 1, 1)
    expect(await git().changedSince(first)).toEqual([])
    expect(await git().changedSince(first.toUpperCase())).toEqual([])
  })

  it('sees a mode and a file that became a link', async () => {
    const first = commit('script', 'link')
    execFileSync('chmod', ['+x', join(repository, 'script')])
    rmSync(join(repository, 'link'))
    execFileSync('ln', ['-s', 'script', join(repository, 'link')])
    expect(await git().changedSince(first)).toEqual(['link', 'script'])
  })

  it('gives any name as it is', async () => {
    const first = commit('a')
    commit(...HOSTILE)
    expect(new Set(await git().changedSince(first))).toEqual(new Set(HOSTILE))
  })

  it.each(['', 'HEAD', 'master', '--output=pwned', '-O/dev/null', 'HEAD..HEAD', ':/', '\n'])(
    'refuses %j',
    async (text) => {
      commit('a')
      write('a', '2')
      expect(await git().changedSince(text)).toBeUndefined()
      expect(existsSync(join(repository, 'pwned'))).toBe(false)
    }
  )

  it('is undefined for a commit that is not there, and for what is no commit', async () => {
    commit('a')
    expect(await git().changedSince('1'.repeat(40))).toBeUndefined()
    expect(await git().changedSince(run('rev-parse', 'HEAD:a'))).toBeUndefined()
    expect(await git().changedSince(run('rev-parse', 'HEAD^{tree}'))).toBeUndefined()
  })

  it('is undefined for the commits that a shallow clone lacks', async () => {
    const first = commit('a')
    const second = commit('b')
    run('clone', '--quiet', '--depth', '1', `file://${repository}`, join(top, 'clone'))
    expect(await git(join(top, 'clone')).changedSince(first)).toBeUndefined()
    expect(await git(join(top, 'clone')).changedSince(second)).toEqual([])
  })

  it('fetches nothing that a partial clone lacks', async () => {
    const first = commit('a')
    run('config', 'uploadpack.allowFilter', 'true')
    run('config', 'uploadpack.allowAnySHA1InWant', 'true')
    run('clone', '--quiet', '--filter', 'blob:none', `file://${repository}`, join(top, 'clone'))
    const later = commit('b')
    expect(await git(join(top, 'clone')).changedSince(first)).toEqual([])
    expect(await git(join(top, 'clone')).changedSince(later)).toBeUndefined()
  })

  it('names a submodule whose commit or files changed, but not for its untracked files', async () => {
    commit('a')
    run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `file://${repository}`, 'module')
    const first = commit()
    run('config', 'diff.ignoreSubmodules', 'all')
    write('module/untracked')
    expect(await git().changedSince(first)).toEqual([])
    write('module/a', '2')
    expect(await git().changedSince(first)).toEqual(['module'])
  })

  it.each([
    ['diff.external', ''],
    ['core.fsmonitor', ''],
    ['diff.spy.textconv', '* diff=spy'],
    ['diff.spy.command', '* diff=spy'],
    ['core.pager', '']
  ])('does not run the program of %s', async (key, attributes) => {
    const { program, ran } = spy()
    write('.gitattributes', attributes)
    const first = commit('a', 'b')
    write('a', '2')
    utimesSync(join(repository, 'b'), 1, 1)
    run('config', key, program)
    expect(await git().changedSince(first)).toEqual(['a'])
    expect(await git().prefix()).toBe('')
    expect(ran()).toBe(false)
  })

  it.each(['.git/hooks', 'other'])('runs no hook in %s', async (folder) => {
    const { program, ran } = spy()
    const first = commit('a')
    mkdirSync(join(repository, folder), { recursive: true })
    renameSync(program, join(repository, folder, 'post-index-change'))
    if (folder === 'other') run('config', 'core.hooksPath', join(repository, folder))
    utimesSync(join(repository, 'a'), 1, 1)
    expect(await git().changedSince(first)).toEqual([])
    expect(ran()).toBe(false)
  })
})

describe('prefix', () => {
  it.each(['', 'sub/', ' odd \n/ü/', '-x/'])('is %j in that folder', async (folder) => {
    mkdirSync(join(repository, folder), { recursive: true })
    expect(await git(join(repository, folder)).prefix()).toBe(folder)
  })

  it('goes by the real folder behind a link', async () => {
    mkdirSync(join(repository, 'sub'))
    execFileSync('ln', ['-s', join(repository, 'sub'), join(top, 'link')])
    expect(await git(join(top, 'link')).prefix()).toBe('sub/')
  })
})

it.each([
  ['no repository', (): Git => git(top)],
  ['no such folder', (): Git => git(join(top, 'missing'))],
  ['no git', (): Git => new Git(repository, { PATH: top })]
])('knows nothing with %s', async (_, make) => {
  const saved = process.env.PATH
  const asked = make()
  const first = commit('a')
  // @actions/exec looks the program up on the PATH of this process
  if (_ === 'no git') process.env.PATH = top
  try {
    expect(await asked.changedSince(first)).toBeUndefined()
    expect(await asked.prefix()).toBeUndefined()
    expect(await asked.commit('HEAD')).toBeUndefined()
    expect(await asked.branch()).toBe('')
  } finally {
    process.env.PATH = saved
  }
})

it('knows the commit and the branch', async () => {
  run('checkout', '--quiet', '-b', 'topic')
  const sha = commit('a')
  const time = new Date(Number(run('show', '--no-patch', '--format=%ct')) * 1_000).toISOString().replace('.000Z', 'Z')
  expect(await git().commit('HEAD')).toEqual({ sha, time })
  expect(await git().branch()).toBe('topic')
})

describe('relation', () => {
  it('tells the order of two commits', async () => {
    const first = commit('a')
    const second = commit('b')
    run('checkout', '--quiet', '-b', 'other', first)
    const other = commit('c')
    expect(await git().relation(first, first)).toBe('identical')
    expect(await git().relation(first, second)).toBe('ahead')
    expect(await git().relation(second, first)).toBe('behind')
    expect(await git().relation(second, other)).toBe('diverged')
  })

  it('says nothing of what the checkout does not have, or where its history is cut off', async () => {
    const first = commit('a')
    const second = commit('b')
    run('checkout', '--quiet', '-b', 'other', first)
    const other = commit('c')
    expect(await git().relation('f'.repeat(40), second)).toBeUndefined()
    expect(await git().relation('HEAD', '--all')).toBeUndefined()
    run('config', 'uploadpack.allowAnySHA1InWant', 'true')
    const shallow = join(top, 'shallow')
    run('init', '--quiet', shallow)
    for (const sha of [first, second, other]) {
      run('-C', shallow, 'fetch', '--quiet', '--depth', '1', `file://${repository}`, sha)
    }
    expect(await git(shallow).relation(second, other)).toBeUndefined()
    expect(await git(shallow).relation(first, first)).toBe('identical')
    expect(await git(join(top, 'nowhere')).relation(first, second)).toBeUndefined()
  })
})

describe('In a submodule', () => {
  const inModule = (...path: string[]): string => join(repository, 'module', ...path)

  /** The repository gets another one as its submodule `module`. */
  function addSubmodule(): { above: string; pinned: string } {
    const source = join(top, 'source')
    run('init', '--quiet', source)
    writeFileSync(join(source, 'file'), 'file')
    run('-C', source, 'add', 'file')
    run('-C', source, 'commit', '--quiet', '--message', 'Commit')
    run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', source, 'module')
    return { above: commit('a'), pinned: run('-C', inModule(), 'rev-parse', 'HEAD') }
  }

  it('commits and the branch are those of the superproject, files are its own', async () => {
    run('checkout', '--quiet', '-b', 'above')
    const { above, pinned } = addSubmodule()
    mkdirSync(inModule('sub'))
    const next = commit('b')
    const opened = await Git.open(inModule('sub'), env)
    expect((await opened.commit('HEAD'))?.sha).toBe(next)
    expect(await opened.relation(above, next)).toBe('ahead')
    expect(await opened.branch()).toBe('above')
    expect(await opened.prefix()).toBe('sub/')
    expect(await git(inModule()).tracked()).toEqual(['file'])
    expect(await opened.ownCommit(above)).toBe(pinned)
    writeFileSync(inModule('file'), 'other')
    expect(await opened.changedSince(pinned)).toEqual(['file'])
  })

  it('knows the superproject from each folder of the submodule', async () => {
    addSubmodule()
    mkdirSync(inModule('sub'))
    expect(await git(inModule()).superproject()).toBe(repository)
    expect(await git(inModule('sub')).superproject()).toBe(repository)
    expect(await git().superproject()).toBe('')
    expect(await git(top).superproject()).toBeUndefined()
  })

  it('of which the commit does not know, the own commit is unknown', async () => {
    const before = commit('a')
    addSubmodule()
    expect(await (await Git.open(inModule(), env)).ownCommit(before)).toBeUndefined()
  })

  it('elsewhere nothing changes', async () => {
    const sha = commit('a')
    const opened = await Git.open(repository, env)
    expect([(await opened.commit('HEAD'))?.sha, await opened.ownCommit(sha)]).toEqual([sha, sha])
    expect(await (await Git.open(top, env)).commit('HEAD')).toBeUndefined()
  })

  it('the event commit of a run is that of the superproject', async () => {
    const { above } = addSubmodule()
    const event = { GITHUB_EVENT_NAME: 'push', GITHUB_SHA: above, GITHUB_REF: 'refs/heads/master' }
    expect(await readEventCommit(event, await Git.open(inModule(), env))).toMatchObject({ sha: above, checkout: 'own' })
  })
})

describe('Git that does not answer', () => {
  const slow = (words: string, options: ConstructorParameters<typeof Git>[2]): Git => {
    const folder = join(top, 'slow')
    mkdirSync(folder, { recursive: true })
    const script = `#!/bin/sh\ncase "$*" in *"${words}"*) exec sleep 30;; esac\nexec ${REAL_GIT} "$@"\n`
    writeFileSync(join(folder, 'git'), script, { mode: 0o755 })
    process.env.PATH = `${folder}:${PATH}`
    return new Git(repository, env, options)
  }

  afterEach(() => {
    process.env.PATH = PATH
  })

  it.each<[string, (git: Git) => Promise<unknown>]>([
    ['show', (one) => one.commit('HEAD')],
    ['--show-prefix', (one) => one.prefix()],
    ['symbolic-ref', (one) => one.branch()]
  ])('is an error if the run depends on the answer: %s', async (words, ask) => {
    shorten({ git: 500 })
    await expect(ask(slow(words, {}))).rejects.toThrow(/^git [a-z-]+: no answer within 0\.5 seconds$/)
  })

  it.each<[string, (git: Git) => Promise<unknown>]>([
    ['diff', (one) => one.changedSince('a'.repeat(40))],
    ['ls-files', (one) => one.tracked()],
    ['rev-list', (one) => one.relation('a'.repeat(40), 'b'.repeat(40))]
  ])('is no answer otherwise, and is told: %s', async (words, ask) => {
    shorten({ git: 500 })
    const said: string[] = []
    expect(await ask(slow(words, { log: { info: (text) => said.push(text) } }))).toBeUndefined()
    expect(said[0]).toMatch(/^git [a-z-]+: no answer within 0\.5 seconds; the run goes on without this answer$/)
  })

  it('hears a cancellation', async () => {
    const cancellation = new AbortController()
    setTimeout(() => cancellation.abort(), 200)
    const asked = slow('ls-files', { signal: cancellation.signal }).tracked()
    await expect(asked).rejects.toThrow(CancelledError)
  })
})
