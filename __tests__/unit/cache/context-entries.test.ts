import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { describeContext } from '../../../src/cache/context-entries.ts'
import { keysOf, last } from '../../support/content-keys.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sdl-context-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function write(path: string, text = path, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  chmodSync(join(folder, path), mode)
}

function replace(path: string, make: () => void): void {
  unlinkSync(join(folder, path))
  make()
}

function relink(path: string, target: string): void {
  replace(path, () => symlinkSync(target, join(folder, path)))
}

function move(): void {
  renameSync(folder, `${folder}-moved`)
  folder = `${folder}-moved`
}

/** The key of the last instruction; undefined if there is none. */
async function key(instruction: string, dockerignore = ''): Promise<string | undefined> {
  return last(await keysOf(`FROM busybox\n${instruction}`, { folder, dockerignore })).instructions.at(-1)?.key
}

async function files(instruction: string, dockerignore = ''): Promise<string[] | undefined> {
  const one = last(await keysOf(`FROM busybox\n${instruction}`, { folder, dockerignore })).instructions.at(-1)
  return one?.key === undefined ? undefined : one.files
}

const ALL = 'COPY . .'

describe('taken files', () => {
  beforeEach(() => {
    for (const path of ['a', 'b.txt', 'c.txt', 'src/d', 'src/deep/e.txt', 'src/deep/.f', 'lib/g.js', 'lib/h.md'])
      write(path)
    symlinkSync('src', join(folder, 'link'))
    symlinkSync('../lib/g.js', join(folder, 'src/out'))
    symlinkSync('/lib', join(folder, 'top'))
    symlinkSync('../../../../etc/passwd', join(folder, 'away'))
    symlinkSync('loop', join(folder, 'loop'))
  })

  it.each<[instruction: string, dockerignore: string, files: string[] | undefined]>([
    ['COPY a .', '', ['a']],
    ['COPY ["a", "./"]', '', ['a']],
    ['COPY ./a /b.txt .', '', ['a', 'b.txt']],
    ['COPY "a" \'b.txt\' ./', '', ['a', 'b.txt']],
    ['COPY *.txt ./', '', ['b.txt', 'c.txt']],
    ['COPY [bc].txt ./', '', ['b.txt', 'c.txt']],
    ['COPY src/*/* ./', '', ['src/deep/.f', 'src/deep/e.txt']],
    ['COPY lib/ ./', '', ['lib/g.js', 'lib/h.md']],
    ['COPY none ./', '', undefined],
    ['COPY none* ./', '', []],
    ['COPY src/deep src/d ./', '', ['src/d', 'src/deep/.f', 'src/deep/e.txt']],
    // links: at the source they are followed, below it they are copied; nothing leaves the context
    ['COPY link/d ./', '', ['src/d']],
    ['COPY link ./', '', ['src/d', 'src/deep/.f', 'src/deep/e.txt', 'src/out']],
    ['COPY src/out ./', '', ['lib/g.js']],
    ['COPY top/g.js ./', '', ['lib/g.js']],
    ['COPY lin* ./', '', ['src/d', 'src/deep/.f', 'src/deep/e.txt', 'src/out']],
    ['COPY away ./', '', undefined],
    ['COPY loop ./', '', undefined],
    ['COPY ../../a ./', '', ['a']],
    // .dockerignore and --exclude
    ['COPY lib ./', '**/*.md', ['lib/g.js']],
    ['COPY lib ./', 'lib', undefined],
    ['COPY lib ./', 'lib\n!lib/g.js', ['lib/g.js']],
    ['COPY lib ./', '*\n!lib/*.js', ['lib/g.js']],
    ['COPY . ./', '*\n!src\nsrc/deep', ['src/d', 'src/out']],
    ['COPY link/d ./', 'src', undefined],
    ['COPY --exclude=*.md lib ./', '', ['lib/g.js']],
    ['COPY --exclude=deep src ./', '', ['src/d', 'src/out']],
    ['COPY --exclude=deep sr* ./', '', ['src/d', 'src/out']],
    ['COPY --parents src/deep/e.txt ./', '', ['src/deep/e.txt']],
    ['COPY --parents src/./deep/*.txt ./', '', ['src/deep/e.txt']],
    ['COPY --parents **/*.txt ./', '', ['b.txt', 'c.txt', 'src/deep/e.txt']],
    ['COPY --parents s*/./deep ./', '', undefined],
    // mounts
    ['RUN --mount=target=/x true', 'src\nlink\naway\nloop', ['a', 'b.txt', 'c.txt', 'lib/g.js', 'lib/h.md', 'top']],
    ['RUN --mount=type=bind,source=src/deep,target=/x true', '', ['src/deep/.f', 'src/deep/e.txt']],
    ['RUN --mount=type=cache,source=src/deep,target=/x true', '', []],
    // a variable
    ['ARG A=src/d\nCOPY $A ./', '', ['src/d']],
    [`ENV A=s\nCOPY \${A}rc/d \${X:-lib}/g.js ./`, '', ['lib/g.js', 'src/d']]
  ])('of %j with %j', async (instruction, dockerignore, expected) => {
    expect(await files(instruction, dockerignore)).toEqual(expected)
  })
})

describe('The key changes', () => {
  beforeEach(() => {
    write('src/a')
    write('src/b', 'b', 0o755)
    symlinkSync('a', join(folder, 'src/l'))
    mkdirSync(join(folder, 'src/empty'))
  })

  it.each<[string, () => void]>([
    ['a byte', () => write('src/a', 'src/b')],
    ['a mode', () => chmodSync(join(folder, 'src/a'), 0o600)],
    ['setuid', () => chmodSync(join(folder, 'src/b'), 0o4755)],
    ['the mode of a folder', () => chmodSync(join(folder, 'src/empty'), 0o700)],
    ['the mode of the source', () => chmodSync(join(folder, 'src'), 0o700)],
    ['a name', () => renameSync(join(folder, 'src/a'), join(folder, 'src/A'))],
    ['a new file', () => write('src/empty/x')],
    ['an empty folder', () => mkdirSync(join(folder, 'src/empty/x'))],
    ['a file less', () => unlinkSync(join(folder, 'src/a'))],
    ['the target of a link', () => relink('src/l', 'b')],
    ['a file for a link', () => replace('src/l', () => write('src/l', 'src/a'))]
  ])('with %s', async (_, change) => {
    const instructions = [
      'COPY src src',
      'COPY . .',
      'COPY s* .',
      'COPY --exclude=no src .',
      'COPY --parents src .',
      'ADD src .',
      'RUN --mount=source=src,target=/x x'
    ]
    const before = await Promise.all(instructions.map((one) => key(one)))
    change()
    const now = await Promise.all(instructions.map((one) => key(one)))
    expect(before).not.toContain(undefined)
    expect(now.filter((one, index) => one === before[index])).toEqual([])
  })

  it.each<[string, () => void, instruction?: string]>([
    ['a time', () => utimesSync(join(folder, 'src/a'), 1, 1)],
    ['the mode of the context', () => chmodSync(folder, 0o711)],
    ['an owner', () => execFileSync('chown', ['-h', '1:1', join(folder, 'src/a'), join(folder, 'src/l')])],
    ['another file', () => write('lib/a'), 'COPY src src'],
    [
      'a hard link',
      () => {
        write('other', 'src/a')
        replace('src/a', () => linkSync(join(folder, 'other'), join(folder, 'src/a')))
      },
      'COPY src src'
    ],
    ['the place of the context', move]
  ])('not with %s', async (_, change, instruction = ALL) => {
    const before = await key(instruction)
    expect(before).toBeDefined()
    change()
    expect(await key(instruction)).toBe(before)
  })

  it('only with a .dockerignore that matters', async () => {
    const before = await key('COPY src src')
    expect(await key('COPY src src', 'lib\n# x')).toBe(before)
    expect(await key('COPY src src', 'src/empty')).not.toBe(before)
    expect(await key('COPY src src', 'src/a')).not.toBe(before)
  })
})

describe('What cannot be read makes no key', () => {
  it.each<[string, () => void]>([
    ['a pipe', () => execFileSync('mkfifo', [join(folder, 'src/p')])],
    [
      'a name that is not UTF-8',
      () => writeFileSync(Buffer.concat([Buffer.from(`${folder}/src/`), Buffer.from([0xff])]), '')
    ],
    ['a target that is not UTF-8', () => symlinkSync(Buffer.from([0xff]), join(folder, 'src/l'))]
  ])('%s', async (_, make) => {
    write('src/a')
    make()
    expect(await key('COPY src .')).toBeUndefined()
    expect(await key('COPY . .')).toBeUndefined()
    expect(await key('COPY src/a .')).toBeDefined()
    expect(await key('COPY . .', 'src/*\n!src/a')).toBeDefined()
  })

  it('a context that is not there', async () => {
    const selection = { source: 'a', wildcards: true, excludes: [], parents: false }
    expect((await describeContext(join(folder, 'none'), '', [selection])).take(selection)).toBeUndefined()
    expect((await describeContext(folder, '', [])).take(selection)).toBeUndefined()
  })

  it('a .dockerignore that docker refuses', async () => {
    write('a')
    expect(await key('COPY a .', '[')).toBeUndefined()
  })
})

describe('What once was taken for unchanged', () => {
  it('has another key: an ignored folder of which something is let through', async () => {
    write('target/app.jar', '1')
    for (const [instruction, dockerignore] of [
      ['COPY target/*.jar app.jar', '*\n!target/*.jar'],
      ['COPY . .', 'target\n!target/app.jar'],
      ['COPY target ./t', '**\n!target/app.jar']
    ] as const) {
      write('target/app.jar', '1')
      const before = await key(instruction, dockerignore)
      write('target/app.jar', '2')
      expect(await key(instruction, dockerignore)).not.toBe(before)
    }
  })

  it('has another key: a path above the source', async () => {
    for (const version of ['v1', 'v2']) write(`${version}/src/a`, version)
    symlinkSync('v1', join(folder, 'cur'))
    const before = await key('COPY cur/src .')
    expect(await key('COPY v1/src .')).toBe(before)
    relink('cur', 'v2')
    expect(await key('COPY cur/src .')).not.toBe(before)
  })

  it('has another key: what git does not see', async () => {
    const git = (...args: string[]) => execFileSync('git', ['-C', folder, ...args], { stdio: 'ignore' })
    write('a', '1')
    write('assets/b', '1')
    git('init')
    git('add', '.')
    const first = await key(ALL, '.git')
    // edited, but marked as unchanged
    git('update-index', '--assume-unchanged', 'a')
    write('a', '2')
    const edited = await key(ALL, '.git')
    // left out by a sparse checkout
    git('update-index', '--skip-worktree', 'assets/b')
    rmSync(join(folder, 'assets/b'))
    const sparse = await key(ALL, '.git')
    // a mode that git does not record
    chmodSync(join(folder, 'a'), 0o600)
    const mode = await key(ALL, '.git')
    // generated in a submodule
    mkdirSync(join(folder, 'sub'))
    execFileSync('git', ['-C', join(folder, 'sub'), 'init'], { stdio: 'ignore' })
    write('sub/generated.h', '1')
    const generated = await key(ALL, '**/.git')
    // the content in place of its pointer
    write('assets/b', 'version https://git-lfs.github.com/spec/v1')
    const pointer = await key(ALL, '**/.git')
    const keys = [first, edited, sparse, mode, generated, pointer]
    expect(keys).not.toContain(undefined)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('has another key: another platform of the runner', async () => {
    const text = 'FROM busybox\nRUN a'
    const [one, two] = [await keysOf(text), await keysOf(text, { platform: { os: 'linux', architecture: 'arm64' } })]
    expect(last(one).image).not.toBe(last(two).image)
  })
})

it('takes no time for hostile patterns', async () => {
  write('a'.repeat(200))
  const start = performance.now()
  await key(`COPY ${'*a'.repeat(50)}b .`, `${'*a'.repeat(50)}b\n${'**/a'.repeat(50)}b`)
  expect(performance.now() - start).toBeLessThan(1_000)
})
