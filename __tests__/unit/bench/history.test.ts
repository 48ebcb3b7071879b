import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { filesIn } from '../../../bench/files.ts'
import { History } from '../../../bench/history.ts'
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

/** Plays a trace without building it: what each run is about, and how many of its steps no run before has. */
function play(trace: Commit[]): { kind: string; event: string; ref: string; isMaster: boolean; steps: number }[] {
  const [first] = trace
  if (!first) throw new Error('no commits')
  const history = new History(folder, first)
  const built = new Set<string>()
  return trace.map((commit) => {
    const { sha, event, ref, isMaster } = history.next(commit)
    const checkout = history.checkout(sha)
    const keys = new Set(stepKeys(filesIn(checkout)).values())
    const steps = [...keys].filter((key) => !built.has(key)).length
    for (const key of keys) built.add(key)
    if (isMaster) {
      expect(readFileSync(join(checkout, 'src/version.ts'), 'utf8')).toContain(`'${commit.version}'`)
    }
    return { kind: commit.kind, event: event.name, ref, isMaster, steps }
  })
}

describe('the team trace', () => {
  it('has the runs of a team, and needs exactly the steps that change', () => {
    const row = (run: ReturnType<typeof play>[number]): unknown[] => [run.kind, run.event, run.ref, run.steps]
    expect(play(small(makeTeamTrace())).map(row)).toEqual([
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
  })

  it('gives each pull request the merge commit that GitHub makes', () => {
    const trace = small(makeTeamTrace())
    const history = new History(folder, trace[0] as Commit)
    const runs = trace.map((commit) => history.next(commit))
    const [, master, dependencies, , cleaner] = runs
    for (const [run, number] of [
      [dependencies, 1],
      [cleaner, 2]
    ] as const) {
      expect(run?.event.ref).toBe(`refs/pull/${number}/merge`)
      expect(run?.event.sha).toBe(run?.sha)
      expect(run?.event.payload).toMatchObject({ pull_request: { number } })
      expect(run?.sha).not.toBe(master?.sha)
    }
    expect(existsSync(join(history.checkout(dependencies?.sha ?? ''), 'package.json'))).toBe(true)
    expect(runs.filter(({ tags }) => tags.length > 0).map(({ ref, tags }) => [ref, tags])).toEqual([
      ['v1.1.0', ['v1.1.0']]
    ])
  })
})

describe('the straight trace', () => {
  it('has twelve commits of master', () => {
    const runs = play(small(makeStraightTrace()))
    expect(runs.map(({ steps }) => steps)).toEqual([8, 4, 4, 4, 0, 4, 7, 4, 4, 1, 4, 0])
    expect(runs.every(({ event, isMaster }) => event === 'push' && isMaster)).toBe(true)
  })
})
