import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import ts from 'typescript'
import { filesIn } from '../../../bench/files.ts'
import { History, type Run } from '../../../bench/history.ts'
import { stepKeys } from '../../../bench/step-keys.ts'
import { type Commit, makeStraightTrace, makeTeamTrace } from '../../../bench/trace.ts'

const folder = mkdtempSync(join(tmpdir(), 'history-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The trace without the modules that no commit changes: git needs less time for it. */
function small(trace: Commit[]): Commit[] {
  const filesOf = ({ change }: Commit): Record<string, string> => ('files' in change ? change.files : {})
  const changed = new Set(trace.slice(1).flatMap((commit) => Object.keys(filesOf(commit))))
  return trace.map((commit) => {
    if (commit.kind !== 'cold') return commit
    const files = Object.entries(filesOf(commit))
    const kept = files.filter(([path]) => !path.startsWith('src/modules/') || changed.has(path))
    return { ...commit, change: { files: Object.fromEntries(kept) } }
  })
}

interface Played extends Run {
  kind: string
  /** How many of its steps no run before has. */
  steps: number
}

/** Plays a trace without building it. */
function play(trace: Commit[]): Played[] {
  const [first] = trace
  if (!first) throw new Error('no commits')
  const history = new History(folder, first)
  const checkouts = new Map<string, string>()
  const built = new Set<string>()
  return trace.map((commit) => {
    const run = history.next(commit)
    const checkout = checkouts.get(run.sha) ?? history.checkout(run.sha)
    checkouts.set(run.sha, checkout)
    const keys = new Set(stepKeys(filesIn(checkout)).values())
    const steps = [...keys].filter((key) => !built.has(key)).length
    for (const key of keys) built.add(key)
    if (run.isMaster) {
      expect(readFileSync(join(checkout, 'src/version.ts'), 'utf8')).toContain(`'${commit.version}'`)
    }
    return { ...run, kind: commit.kind, steps }
  })
}

describe('the team trace', () => {
  it('has the runs of a team, and needs exactly the steps that change', () => {
    const runs = play(small(makeTeamTrace()))
    expect(runs.map(({ kind, event, ref, steps }) => [kind, event.name, ref, steps])).toEqual([
      ['cold', 'push', 'master', 8],
      ['source', 'push', 'master', 4],
      ['dependencies', 'pull_request', 'parse-arguments', 7],
      ['source', 'pull_request', 'parse-arguments', 4],
      ['source', 'pull_request', 'clean-up', 4],
      ['source', 'pull_request', 'parse-arguments', 4],
      ['source', 'pull_request', 'clean-up', 4],
      ['source', 'pull_request', 'parse-arguments', 4],
      ['re-run', 'pull_request', 'parse-arguments', 0],
      ['merge', 'push', 'master', 0],
      ['documentation', 'push', 'master', 0],
      ['squash', 'push', 'master', 4],
      ['source', 'push', 'master', 4],
      ['revert', 'push', 'master', 0],
      ['source', 'pull_request', 'faster', 4],
      ['source', 'pull_request', 'faster', 4],
      ['merge', 'push', 'master', 0],
      ['source', 'push', 'master', 4],
      ['release', 'push', 'v1.1.0', 0],
      ['nightly', 'schedule', 'master', 0]
    ])
    const [, master, dependencies, , cleaner] = runs
    // GitHub starts the run of a pull request with the merge commit that it makes
    for (const [run, number] of [
      [dependencies, 1],
      [cleaner, 2]
    ] as const) {
      expect(run?.event).toMatchObject({ ref: `refs/pull/${number}/merge`, sha: run?.sha })
      expect(run?.event.payload).toMatchObject({ pull_request: { number } })
      expect(run?.sha).not.toBe(master?.sha)
    }
    expect(runs.flatMap(({ kind, tags }) => tags.map((tag) => [kind, tag]))).toEqual([['release', 'v1.1.0']])
  })
})

describe('the source changes of the team trace', () => {
  it('change what the compiler writes, so production changes, too', () => {
    const compile = (text = ''): string => ts.transpileModule(text, {}).outputText
    const [cold, ...others] = makeTeamTrace().map(({ change }) => ('files' in change ? change.files : {}))
    const changed = others.flatMap((files) => Object.entries(files)).filter(([path]) => path.startsWith('src/modules/'))
    expect(changed).toHaveLength(10)
    for (const [path, text] of changed) expect(compile(text)).not.toBe(compile(cold?.[path]))
  })
})

describe('the straight trace', () => {
  it('has twelve commits of master', () => {
    const runs = play(small(makeStraightTrace()))
    expect(runs.map(({ steps }) => steps)).toEqual([8, 4, 4, 4, 0, 4, 7, 4, 4, 1, 4, 0])
    expect(runs.every(({ event, isMaster }) => event.name === 'push' && isMaster)).toBe(true)
  })
})
