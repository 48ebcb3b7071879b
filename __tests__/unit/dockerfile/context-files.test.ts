import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { followLinks, readDockerignore, takenFrom } from '../../../src/dockerfile/context-files.ts'

/** Paths, sources, and those of the paths that are taken. */
type Row = [string[], string[], string[]]

const HOSTILE = [
  '-x',
  '--from=x',
  '!x',
  '#x',
  ' both ',
  'new\nline',
  'ä-日本-🐳',
  '(group)',
  'c++',
  'a|b',
  '{x}',
  '$1',
  '^'
]

describe('sources', () => {
  it.each<Row>([
    // a file, a folder, all
    [['a', 'b', 'a/b', 'ab'], ['a'], ['a', 'a/b']],
    [['a', 'src/a', 'src/b/c', 'srcs/a'], ['src'], ['src/a', 'src/b/c']],
    [['src/a'], ['src/'], ['src/a']],
    [['a', 'b/c'], ['.'], ['a', 'b/c']],
    [['a', 'b/c'], ['/'], ['a', 'b/c']],
    [['a', 'b/c'], ['./'], ['a', 'b/c']],
    [['a', 'b/c'], [], []],
    [
      ['a', 'b', 'c'],
      ['c', 'a'],
      ['a', 'c']
    ],
    [['package.json', 'A'], ['Package.json', 'a'], []],
    // what counts nothing
    [['a/b', 'c'], ['/a/b'], ['a/b']],
    [['a/b', 'c'], ['./a//b/'], ['a/b']],
    [['a/b', 'c'], ['x/../c'], ['c']],
    [['a', 'b'], ['../../a'], ['a']],
    // wildcards of path.Match, which '**' is none of
    [
      ['package.json', 'package-lock.json', 'x/package.json', 'packages'],
      ['package*.json'],
      ['package.json', 'package-lock.json']
    ],
    [['a.js', 'x/a.js', 'x/y/a.js'], ['*.js'], ['a.js']],
    [['a.js', 'x/a.js', 'x/y/a.js'], ['*/*.js'], ['x/a.js']],
    [['a.js', 'x/a.js', 'x/y/a.js'], ['**/*.js'], ['x/a.js']],
    [['a', 'x/a', 'x/y/a'], ['*'], ['a', 'x/a', 'x/y/a']],
    [['.env', 'x'], ['*'], ['.env', 'x']],
    [['a', 'ab', '🐳', ''], ['?'], ['a', '🐳']],
    [['a1', 'b1', 'c1', 'a-', 'd'], ['[ab-]?'], ['a1', 'b1', 'a-']],
    [['a1', 'b1', 'z1'], ['[^b-y]1'], ['a1', 'z1']],
    [['home/a/x', 'home/b', 'hot', 'x/home'], ['ho*'], ['home/a/x', 'home/b', 'hot']],
    // a '.' and its like are no wildcards
    [['axb', 'a.b'], ['a.b*'], ['a.b']],
    [['ab', 'a+b', 'aab'], ['a+b*'], ['a+b']],
    // docs.docker.com, Dockerfile reference, COPY
    [['arr[0].txt', 'arr0.txt'], ['arr[[]0].txt'], ['arr[0].txt']],
    [['a*b', 'axb'], ['a\\*b?', 'a\\*[b]'], ['a*b']],
    [
      ['d1', '1', 'a', 'b', '-'],
      ['[\\d]1', '[a\\-z]'],
      ['d1', 'a', '-']
    ],
    [
      ['a]', 'a^'],
      ['a[\\]]', 'a[x^]'],
      ['a]', 'a^']
    ],
    // a backslash in a path without wildcards is one
    [['a\\b', 'ab'], ['a\\b'], ['a\\b']],
    // malformed
    [['[', 'z', 'b'], ['[z-a]'], []]
  ])('of %j, %j take %j', (paths, sources, expected) => {
    expect(takenFrom(paths, sources, [], '')).toEqual(expected)
  })

  it.each(HOSTILE)('%j is a name like any other', (name) => {
    expect(takenFrom([...HOSTILE, 'x', 'other'], [name], [], '')).toEqual([name])
    expect(takenFrom([`${name}/x`, 'x'], [`${name}/*`], [], '')).toEqual([`${name}/x`])
    expect(takenFrom(HOSTILE, ['*'], [], '')).toEqual(HOSTILE)
  })
})

describe('folders of unknown content', () => {
  it.each<[...Row, dockerignore?: string, excludes?: string[]]>([
    [['dist/', 'a/dist/'], ['.'], ['dist/', 'a/dist/']],
    [['dist/', 'a/dist/'], ['dist'], ['dist/']],
    [['dist/', 'a/dist/'], ['a'], ['a/dist/']],
    [['dist/'], ['dist/bin/app'], ['dist/']],
    [['dist/'], ['dist/*.js'], ['dist/']],
    [['dist/'], ['d*/x'], ['dist/']],
    [['dist/'], ['x/dist'], []],
    [['dist/'], ['dist.js', 'dis', '*.js'], []],
    [['node_modules/'], ['.'], [], 'node_modules'],
    [['node_modules/', 'a/node_modules/'], ['.'], ['a/node_modules/'], 'node_modules/'],
    [['node_modules/', 'a/node_modules/'], ['.'], [], '**/node_modules'],
    [['node_modules/'], ['.'], [], 'node_modules/*'],
    [['node_modules/'], ['.'], [], 'node_modules/**'],
    [['dist/', 'x/'], ['.'], ['dist/'], '*\n!dist'],
    [['dist/'], ['.'], ['dist/'], '**/*.log'],
    [['dist/'], ['dist/app.js'], ['dist/'], '*\n!dist/app.js'],
    [['dist/'], ['dist/*.js'], ['dist/'], '*\n!dist/*.js'],
    [['.git/'], ['.'], [], '.git'],
    [['dist/', 'x/'], ['.'], ['x/'], '', ['dist']],
    [['src/dist/'], ['src'], [], '', ['dist']]
  ])(
    'of %j, %j take %j, with %j ignored and %j excluded',
    (paths, sources, expected, dockerignore = '', excludes = []) => {
      expect(takenFrom(paths, sources, excludes, dockerignore)).toEqual(expected)
    }
  )
})

describe('.dockerignore', () => {
  it.each<[string[], string, string[]]>([
    [['a', 'b'], '', ['a', 'b']],
    [['a', 'b', 'x/a'], 'a', ['b', 'x/a']],
    [['a', 'b'], '\uFEFF# text\r\n\r\n  a  \r\n', ['b']],
    [['a', 'b'], '/a\n./b/', []],
    [['A', 'a'], 'a', ['A']],
    [['x.log', 'd/x.log', 'd/e/x.log'], '*.log', ['d/x.log', 'd/e/x.log']],
    [['x.log', 'd/x.log', 'd/e/x.log'], '*/*.log', ['x.log', 'd/e/x.log']],
    [['x.log', 'd/x.log', 'd/e/x.log'], '**/*.log', []],
    [['d/a', 'd/e/b', 'f'], 'd/**', ['f']],
    [['src/a', 'b', 'src/t/c'], '*\n!src\nsrc/t', ['src/a']],
    [['README.md', 'a.md', 'README-secret.md'], '*.md\n!README*.md\nREADME-secret.md', ['README.md']],
    [['#x', '!x', 'x'], '\\#x\n\\!x', ['x']],
    // moby/patternmatcher escapes them, the library does not
    [['c++', 'c', 'ccc'], 'c++', ['c', 'ccc']],
    [['app/(group)/x', 'app/group/x'], 'app/(group)', ['app/group/x']],
    [['a|b', 'a', 'b'], 'a|b', ['a', 'b']],
    [['a{2}', 'aa'], 'a{2}', ['aa']],
    [['a+', 'a'], 'a\\+', ['a']],
    [['a', 'b'], '[\n!\na', ['b']],
    [['a', 'b'], '.', ['a', 'b']]
  ])('of %j, %j leaves %j', (paths, dockerignore, expected) => {
    expect(takenFrom(paths, ['.'], [], dockerignore)).toEqual(expected)
  })

  it.each(HOSTILE)('leaves %j as it leaves any name', (name) => {
    expect(takenFrom([name, `d/${name}`], ['.'], [], 'other\n*.log')).toEqual([name, `d/${name}`])
    expect(takenFrom([name, `d/${name}`], ['.'], [], '*')).toEqual([])
  })
})

describe('--exclude', () => {
  it.each<[...Row, excludes: string[]]>([
    // bk: frontend/dockerfile/exclude_patterns_test.go: below the folder that the source takes
    [['a.txt', 'd/a.txt', 'd/e/a.txt'], ['.'], ['d/a.txt', 'd/e/a.txt'], ['*.txt']],
    [['d/a.txt', 'd/b', 'd/e/a.txt'], ['d'], ['d/b', 'd/e/a.txt'], ['*.txt']],
    [['d1/a.txt', 'd1/b', 'd2/a.txt'], ['d*'], ['d1/b'], ['*.txt']],
    [['d/a.txt', 'd/e/a.txt', 'd/b'], ['d'], ['d/b'], ['**/*.txt']],
    [['d/a.txt', 'd/b'], ['d'], ['d/a.txt'], ['*', '!a.txt']],
    [['d/e/a', 'd/b'], ['d'], ['d/b'], ['e']],
    // a file that the source names itself stays
    [['home.txt'], ['hom*'], ['home.txt'], ['*.txt']],
    // excluded from one source, taken by another
    [['d/a.txt'], ['d', 'd/a.txt'], ['d/a.txt'], ['*.txt']]
  ])('of %j, %j take %j without %j', (paths, sources, expected, excludes) => {
    expect(takenFrom(paths, sources, excludes, '')).toEqual(expected)
  })
})

describe('readDockerignore', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockerignore-'))
    mkdirSync(join(folder, 'context'))
    mkdirSync(join(folder, 'docker'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it.each<[string[], string]>([
    [[], ''],
    [['context/.dockerignore'], 'context/.dockerignore'],
    [['docker/.dockerignore'], ''],
    [['docker/Other.dockerignore'], 'docker/Other.dockerignore'],
    [['context/.dockerignore', 'docker/Other.dockerignore'], 'docker/Other.dockerignore'],
    [['context/.dockerignore', 'docker/Dockerfile.dockerignore'], 'context/.dockerignore']
  ])('with %j reads %j', async (names, expected) => {
    for (const name of names) writeFileSync(join(folder, name), name)
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe(expected)
  })

  it('prefers an empty file to the other', async () => {
    writeFileSync(join(folder, 'context/.dockerignore'), '*')
    writeFileSync(join(folder, 'docker/Other.dockerignore'), '')
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe('')
  })

  it('goes on if it is a folder', async () => {
    mkdirSync(join(folder, 'context/.dockerignore'))
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe('')
  })
})

describe('followLinks', () => {
  let top: string

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'links-'))
    mkdirSync(join(top, 'context/src'), { recursive: true })
    for (const name of ['context/src/main', 'context/file', 'outside']) writeFileSync(join(top, name), '')
    symlinkSync('src/main', join(top, 'context/latest'))
    symlinkSync('src', join(top, 'context/folder'))
    symlinkSync('../outside', join(top, 'context/out'))
    symlinkSync('nowhere', join(top, 'context/broken'))
  })
  afterEach(() => rmSync(top, { recursive: true }))

  it('tells where a source leads that is a link or below one, and within the context', async () => {
    const sources = [
      'latest',
      './latest',
      '/folder/',
      'folder/main',
      'file',
      'src',
      '.',
      '',
      'out',
      '../outside',
      'broken',
      'l*',
      'gone'
    ]
    expect(Object.fromEntries(await followLinks(join(top, 'context'), sources))).toEqual({
      latest: ['src/main'],
      './latest': ['src/main'],
      '/folder/': ['src'],
      'folder/main': ['src/main']
    })
  })
})
