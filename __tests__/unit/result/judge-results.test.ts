import { describe, expect, it } from '@jest/globals'
import type { HandedResult } from '../../../src/result/hand-off.ts'
import { judgeResults } from '../../../src/result/judge-results.ts'

const IMAGES = '1'.repeat(64)
const COMMIT = 'c'.repeat(40)
const EXPECTED = {
  ...{ runId: '7', commit: COMMIT, images: IMAGES },
  tests: [
    { command: 'npm test', fingerprint: 'f0' },
    { command: 'npm run lint', fingerprint: 'f1' }
  ]
}

function handed(index: number, change: Partial<HandedResult> = {}): HandedResult {
  const result = { command: 'npm test', status: 'passed', exitCode: 0, seconds: 1, machine: `m${index}` } as const
  return {
    ...{ version: 1, runId: '7', attempt: 1, commit: COMMIT, images: IMAGES, index, fingerprint: `f${index}` },
    ...{ startedAt: 0, result, timeline: [] },
    ...change
  }
}

const FAILED = { command: 'x', status: 'failed', exitCode: 1, seconds: 1, failure: 'exit code 1' } as const

/** Status and failure of each test, and the sentences about files. */
function judged(...results: HandedResult[]): { tests: string[]; problems: string[] } {
  const { tests, problems } = judgeResults(
    EXPECTED,
    results.map((one, index) => ({ file: `${index}.json`, handed: one }))
  )
  return { tests: tests.map(({ status, failure = '' }) => `${status} ${failure}`.trim()), problems }
}

describe('judgeResults', () => {
  it('takes one result for each test, in whichever order they are', () => {
    expect(judged(handed(1), handed(0))).toEqual({ tests: ['passed', 'passed'], problems: [] })
  })

  it('gives each result the command of this run, and keeps its machine', () => {
    const { tests } = judgeResults(
      EXPECTED,
      [handed(0), handed(1)].map((one) => ({ file: 'f', handed: one }))
    )
    expect(tests.map(({ command, machine }) => [command, machine])).toEqual([
      ['npm test', 'm0'],
      ['npm run lint', 'm1']
    ])
  })

  it.each<[string, HandedResult[], string]>([
    ['that is missing', [], 'error there is no result of it'],
    ['that failed', [handed(0, { result: FAILED })], 'failed exit code 1'],
    ['that is said to have failed, without a reason', [handed(0, { result: { ...FAILED, failure: '' } })], 'failed'],
    ['of another image', [handed(0, { images: '' })], 'error it ran in another image'],
    ['of another command', [handed(0, { fingerprint: 'f1' })], 'error another command ran'],
    ['that failed in the newer attempt', [handed(0), handed(0, { attempt: 2, result: FAILED })], 'failed exit code 1'],
    ['that is there twice, and failed once', [handed(0), handed(0, { result: FAILED })], 'failed exit code 1'],
    [
      'of another image in the newer attempt',
      [handed(0), handed(0, { attempt: 2, images: '' })],
      'error it ran in another image'
    ]
  ])('counts a test %s as not passed', (_, ofFirst, expected) => {
    const { tests, problems } = judged(...ofFirst, handed(1))
    expect(tests).toEqual([expect.stringContaining(expected), 'passed'])
    expect(problems).toEqual([])
  })

  it('takes no word of a failure for a pass, or the other way round', () => {
    const { failure: _, ...silent } = FAILED
    expect(judged(handed(0, { result: silent }), handed(1)).tests).toEqual(['failed its status is failed', 'passed'])
    const boasting = { ...FAILED, status: 'passed' } as const
    expect(judged(handed(0, { result: boasting }), handed(1)).tests).toEqual(['passed', 'passed'])
  })

  it('takes nothing of a result but what a test can tell', () => {
    const passed = handed(0).result
    const more = { ...passed, kind: 'check', imageId: 'x', passedFor: 'y', command: 'z' } as const
    const { tests } = judgeResults(EXPECTED, [{ file: 'f', handed: handed(0, { result: more }) }])
    expect(tests[0]).toEqual({ ...passed, command: 'npm test' })
  })

  it('tells which results count', () => {
    const all = [handed(0), handed(0, { attempt: 2 }), handed(1), handed(1, { runId: '8', attempt: 3 })]
    const { judged } = judgeResults(
      EXPECTED,
      all.map((one) => ({ file: 'f', handed: one }))
    )
    expect(judged).toEqual([all[1], all[2]])
  })

  it('takes the newest attempt of a test', () => {
    expect(judged(handed(0, { result: FAILED }), handed(0, { attempt: 2 }), handed(1)).tests).toEqual([
      'passed',
      'passed'
    ])
  })

  it.each<[string, Partial<HandedResult>, string]>([
    ['another workflow run', { runId: '8' }, 'of the workflow run 8, and this run is 7'],
    ['no workflow run', { runId: '' }, 'of the workflow run without an ID'],
    ['another commit', { commit: 'd'.repeat(40) }, `of commit ${'d'.repeat(40)}`],
    ['a test that is not there', { index: 2 }, 'of test 2, and this run has 2 tests']
  ])('names the file of a result of %s, whose word counts for nothing', (_, change, expected) => {
    const { tests, problems } = judged(handed(0, change), handed(1))
    expect(problems).toEqual([expect.stringMatching(/^The test result "0.json" is of /)])
    expect(problems[0]).toContain(expected)
    expect(tests).toEqual([expect.stringContaining('there is no result of it'), 'passed'])
  })
})
