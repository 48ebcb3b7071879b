import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import ts from 'typescript'

/** The folders of src: each uses only itself and those to its right. */
const ORDER =
  'entries > report > pipeline > strategy > cache > result > plan > action > git > registry > docker > dockerfile > lib'.split(
    ' > '
  )

/** Test files without a counterpart in src, and why they have none. */
const WITHOUT_COUNTERPART: Record<string, string> = {
  'contract.test.ts': 'compares action.yml and the README with the sources',
  'workflows.test.ts': 'is about the files in .github',
  'layout.test.ts': 'is about all of src',
  'clean-up.test.ts': 'is about the workflow in examples/clean-up',
  'examples.test.ts': 'is about the workflows in examples',
  'bench/account.test.ts': 'is about the benchmark',
  'bench/history.test.ts': 'is about the benchmark',
  'bench/results.test.ts': 'is about the benchmark',
  'bench/step-keys.test.ts': 'is about the benchmark',
  'docs.test.ts': 'is about the README and the pages in docs',
  'release.test.ts': 'is about the release scripts',
  'pipeline/histories.test.ts': 'plays whole runs, from the event to the outputs',
  'report/recorded-summaries.test.ts': 'is about the files in docs/summaries'
}

const MOST_LINES = 300

/** A source file; its path is below src. */
interface Source {
  path: string
  text: string
}

/** All that a file imports, also types, at run time or for others. */
function importsOf({ text }: Source): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

function folderOf(path: string): string {
  return path.includes('/') ? path.replace(/\/.*/s, '') : ''
}

/** Files in a folder that is not in the order, or in none. */
function unknownFolders(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !ORDER.includes(folderOf(path)))
    .map(({ path }) => `${path} is in none of the folders`)
}

/** Imports from a folder to the left. */
function importsAgainstOrder(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const own = ORDER.indexOf(folderOf(source.path))
    return importsOf(source)
      .filter((name) => name.startsWith('.'))
      .map((name) => posix.join(posix.dirname(source.path), name))
      .filter((path) => ORDER.indexOf(folderOf(path)) < own || path.startsWith('../'))
      .map((path) => `${source.path} imports ${path}`)
  })
}

function tooLong(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    return lines > MOST_LINES ? [`${path} has ${lines} lines`] : []
  })
}

/** Programs are started in one place, which can end them. */
function importsOfExec(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path !== 'lib/exec.ts')
    .filter((source) => importsOf(source).some((name) => /^@actions\/exec(\/|$)/.test(name)))
    .map(({ path }) => `${path} imports @actions/exec`)
}

/** Only an entry knows how the process ends. */
function endsOfTheProcess(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => folderOf(path) !== 'entries')
    .flatMap(({ path, text }) => {
      const [what] = /\bsetFailed\b|\bprocess\s*\.\s*exit(Code)?\b/.exec(text) ?? []
      return what === undefined ? [] : [`${path} has ${what}`]
    })
}

/** @param tests paths below the folder of this file */
function testsWithoutCounterpart(tests: readonly string[], sources: readonly Source[]): string[] {
  const paths = new Set(sources.map(({ path }) => path))
  return tests
    .filter((test) => !Object.hasOwn(WITHOUT_COUNTERPART, test))
    .filter((test) => !test.endsWith('.test.ts') || !paths.has(test.replace(/(\.properties)?\.test\.ts$/, '.ts')))
    .map((test) => `${test} has no counterpart in src`)
}

const ROOT = join(import.meta.dirname, '..', '..')

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return paths.map((path) => path.slice(folder.length + 1)).toSorted()
}

const SOURCES = filesIn(join(ROOT, 'src')).map((path) => ({
  path,
  text: readFileSync(join(ROOT, 'src', path), 'utf8')
}))
const TESTS = filesIn(import.meta.dirname)

type Check = (sources: readonly Source[]) => string[]

/** Each check, and sources of which it finds something, as single lines `path: text`. */
const CHECKS: [string, Check, [source: string, fault: string][]][] = [
  [
    'is in a folder that has its place in the order',
    unknownFolders,
    [
      ['utils/a.ts: export {}', 'utils/a.ts is in none of the folders'],
      ['a.ts: export {}', 'a.ts is in none of the folders']
    ]
  ],
  [
    'imports only from its own folder and those to its right',
    importsAgainstOrder,
    [
      ["lib/a.ts: import { b } from '../docker/b.ts'", 'lib/a.ts imports docker/b.ts'],
      ["plan/a.ts: import type { B } from '../result/b.ts'", 'plan/a.ts imports result/b.ts'],
      ["plan/a.ts: import { type B, c } from '../result/b.ts'", 'plan/a.ts imports result/b.ts'],
      ["docker/progress/a.ts: export * from '../../git/b.ts'", 'docker/progress/a.ts imports git/b.ts'],
      ["git/a.ts: import '../plan/b.ts'", 'git/a.ts imports plan/b.ts'],
      ["git/a.ts: await import('../plan/b.ts')", 'git/a.ts imports plan/b.ts'],
      ["git/a.ts: type B = import('../plan/b.ts').B", 'git/a.ts imports plan/b.ts'],
      ["lib/a.ts: import b from '../../testbed/b.ts'", 'lib/a.ts imports ../testbed/b.ts'],
      ["lib/a.ts: import b from '../b.ts'", 'lib/a.ts imports b.ts']
    ]
  ],
  [`has at most ${MOST_LINES} lines`, tooLong, [[`lib/a.ts: ${'\n'.repeat(301)}`, 'lib/a.ts has 301 lines']]],
  [
    'leaves @actions/exec to lib/exec.ts',
    importsOfExec,
    [
      ["lib/a.ts: import { exec } from '@actions/exec'", 'lib/a.ts imports @actions/exec'],
      ["docker/exec.ts: await import('@actions/exec/lib/exec.js')", 'docker/exec.ts imports @actions/exec']
    ]
  ],
  [
    'leaves the exit code to entries',
    endsOfTheProcess,
    [
      ["lib/a.ts: core.setFailed('no')", 'lib/a.ts has setFailed'],
      ['report/a.ts: process.exitCode = 1', 'report/a.ts has process.exitCode'],
      ['pipeline/a.ts: process.exit(1)', 'pipeline/a.ts has process.exit']
    ]
  ]
]

function made(source: string): Source {
  const [path = ''] = source.split(': ')
  return { path, text: source.slice(path.length + 2) }
}

describe('Every file of src', () => {
  it.each(CHECKS)('%s', (_, check) => {
    expect(SOURCES.length).toBeGreaterThan(80)
    expect(check(SOURCES)).toEqual([])
  })

  it.each(CHECKS.flatMap(([name, check, faulty]) => faulty.map((one) => [name, check, ...one] as const)))(
    '%s: not so %3$j',
    (_, check, source, fault) => {
      expect(check([made(source)])).toEqual([fault])
    }
  )

  it.each([
    "report/a.ts: import { b } from '../lib/b.ts'",
    "docker/progress/a.ts: import { b } from '../b.ts'",
    "pipeline/a.ts: import { b } from './publish/b.ts'",
    "lib/a.ts: // import { b } from '../docker/b.ts'",
    "lib/a.ts: import { join } from 'node:path'",
    `lib/a.ts: ${'\n'.repeat(300)}`,
    "lib/exec.ts: import { exec } from '@actions/exec'",
    'entries/a.ts: process.exitCode = 1',
    'lib/a.ts: child.exitCode'
  ])('may be %j', (source) => {
    expect(CHECKS.flatMap(([, check]) => check([made(source)]))).toEqual([])
  })
})

describe('Every unit test', () => {
  it('has a counterpart in src', () => {
    expect(TESTS.length).toBeGreaterThan(50)
    expect(testsWithoutCounterpart(TESTS, SOURCES)).toEqual([])
  })

  it.each(['docker/args.test.ts', 'docker/git.test.ts', 'action/sub/event.test.ts', 'odd.test.ts', 'git/git.ts'])(
    'would not have it as %s',
    (test) => {
      expect(testsWithoutCounterpart([test], SOURCES)).toEqual([`${test} has no counterpart in src`])
    }
  )

  it('of those that have none is there', () => {
    expect(Object.keys(WITHOUT_COUNTERPART).filter((test) => !TESTS.includes(test))).toEqual([])
  })
})
