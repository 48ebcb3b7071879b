import { describe, expect, it } from '@jest/globals'
import { annotateFailures } from '../../../src/report/annotations.ts'
import { describeFailedBuild, describeFailedTest } from '../../../src/report/messages.ts'
import type { Build, RunResult, TestResult } from '../../../src/result/result.ts'

const NOTHING: RunResult = { cacheStages: [], tests: [], cancelled: false, failures: [] }
const TEST: TestResult = { command: 'npm test', status: 'failed', exitCode: 1, seconds: 1, failure: 'exit code 1' }
const BUILD: Build = {
  ...{ kind: 'builder', stage: 'builder', image: 'octo/app:builder-1', cacheSource: 'x', imageId: '', seconds: 1 },
  steps: [
    { stage: 'deps', instruction: 'COPY a a', line: 2, cached: true, seconds: 0 },
    { stage: 'deps', instruction: 'RUN make', line: 3, cached: false, seconds: 1, error: 'exit code: 2' }
  ],
  ...{ bases: [], unreadableCaches: [], failure: 'RUN make: exit code: 2' }
}

describe('annotateFailures', () => {
  it('puts a failed step where it is in the Dockerfile', () => {
    const result = { ...NOTHING, builder: BUILD, failures: [describeFailedBuild(BUILD)] }
    const message = 'Building octo/app:builder-1 failed: RUN make: exit code: 2'
    expect(annotateFailures(result, './app/Dockerfile')).toEqual([
      { message, place: { title: 'Stage deps', file: 'app/Dockerfile', startLine: 3 } }
    ])
    // GitHub knows files of the repository only
    for (const file of ['/elsewhere/Dockerfile', '../Dockerfile', undefined]) {
      expect(annotateFailures(result, file)).toEqual([{ message, place: { title: 'Stage deps' } }])
    }
  })

  it('tells the last lines of a test, and its failing cases', () => {
    const test = { ...TEST, lastLines: 'one\ntwo', failedCases: [{ name: 'a', message: 'b' }] }
    const place = { title: 'Test npm test' }
    expect(annotateFailures({ ...NOTHING, tests: [test], failures: [describeFailedTest(test)] }, undefined)).toEqual([
      { message: 'The test "npm test" did not pass: exit code 1\none\ntwo', place },
      { message: 'a: b', place }
    ])
    // also where the test ended well in spite of them
    const { failure: _, ...passed } = test
    expect(annotateFailures({ ...NOTHING, tests: [passed] }, undefined)).toEqual([{ message: 'a: b', place }])
  })

  it('has all others as they are, in their order', () => {
    const failures = ['first', describeFailedTest(TEST), 'last']
    const annotations = annotateFailures({ ...NOTHING, tests: [TEST], failures }, undefined)
    expect(annotations.map(({ message }) => message)).toEqual(failures)
    expect(annotations[0]?.place).toEqual({})
  })
})
