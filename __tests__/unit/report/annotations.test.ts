import { describe, expect, it } from '@jest/globals'
import { annotateFailures, annotateMisses, annotateWarnings } from '../../../src/report/annotations.ts'
import type { Build, Failure, RunResult, TestResult } from '../../../src/result/result.ts'
import { buildWith, MISS, makeBuild, NOTHING } from '../../support/results.ts'

const TEST: TestResult = { command: 'npm test', status: 'failed', exitCode: 1, seconds: 1, failure: 'exit code 1' }
const BUILD: Build = makeBuild({
  image: 'octo/app:builder-1',
  imageId: '',
  steps: [
    { stage: 'deps', instruction: 'COPY a a', line: 2, cached: true, seconds: 0 },
    { stage: 'deps', instruction: 'RUN make', line: 3, cached: false, seconds: 1, error: 'exit code: 2' }
  ],
  failure: 'RUN make: exit code: 2'
})

describe('annotateFailures', () => {
  it('puts a failed step where it is in the Dockerfile', () => {
    const result: RunResult = { ...NOTHING, builder: BUILD, failures: [{ kind: 'build', image: 'octo/app:builder-1' }] }
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
    const failures: Failure[] = [{ kind: 'test', index: 0 }]
    expect(annotateFailures({ ...NOTHING, tests: [test], failures }, undefined)).toEqual([
      { message: 'The test "npm test" did not pass: exit code 1\none\ntwo', place },
      { message: 'a: b', place }
    ])
    // also where the test ended well in spite of them
    const { failure: _, ...passed } = test
    expect(annotateFailures({ ...NOTHING, tests: [passed] }, undefined)).toEqual([{ message: 'a: b', place }])
  })

  it('tells two tests with the same command apart', () => {
    const tests = [TEST, { ...TEST, failure: 'exit code 2', lastLines: 'two' }]
    const failures: Failure[] = [
      { kind: 'test', index: 1 },
      { kind: 'test', index: 0 }
    ]
    expect(annotateFailures({ ...NOTHING, tests, failures }, undefined).map(({ message }) => message)).toEqual([
      'The test "npm test" did not pass: exit code 2\ntwo',
      'The test "npm test" did not pass: exit code 1'
    ])
  })

  it('puts a step that the cache should have had where it is in the Dockerfile', () => {
    const builder = { ...buildWith('b', ['builder', false]), misses: [MISS] }
    const result: RunResult = { ...NOTHING, builder, failures: [{ kind: 'miss', stage: 'builder' }] }
    expect(annotateFailures(result, 'Dockerfile')).toEqual([
      {
        message: expect.stringMatching(/^Unexpected cache miss in stage builder, none of whose inputs has changed/),
        place: { title: 'Stage builder', file: 'Dockerfile', startLine: 2 }
      }
    ])
  })

  it('has all others as they are, in their order', () => {
    const failures: Failure[] = [
      { kind: 'error', message: 'first' },
      { kind: 'test', index: 0 },
      { kind: 'error', message: 'last' }
    ]
    const annotations = annotateFailures({ ...NOTHING, tests: [TEST], failures }, undefined)
    expect(annotations.map(({ message }) => message)).toEqual([
      'first',
      'The test "npm test" did not pass: exit code 1',
      'last'
    ])
    expect(annotations[0]?.place).toEqual({})
  })
})

describe('annotateMisses', () => {
  const result: RunResult = {
    ...NOTHING,
    builder: { ...buildWith('b', ['builder', false]), misses: [{ ...MISS, unexpected: false }] },
    cacheStages: [{ ...buildWith('c', ['builder', false]), misses: [MISS] }]
  }
  const annotation = {
    message:
      'Unexpected cache miss in stage builder, none of whose inputs has changed: line 2: RUN a. It is not known.',
    place: { title: 'Stage builder', file: 'app/Dockerfile', startLine: 2 }
  }

  it.each([
    ['none', true, []],
    ['warn', true, [annotation]],
    // it is among the failures
    ['fail', true, []],
    // another branch may be cut from a commit that was never published
    ['warn', false, []]
  ] as const)('expect-cache %s, publishing: %s', (expected, publishes, annotations) => {
    expect(annotateMisses(result, { file: 'app/Dockerfile', expected, publishes })).toEqual(annotations)
  })
})

describe('annotateWarnings', () => {
  const url = 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/'
  const warning = { rule: 'FromAsCasing', message: 'casing differs', line: 1, url }

  it('puts a warning at its line, with its rule and its page', () => {
    expect(annotateWarnings([warning, { rule: '', message: 'x', url: '' }], './app/Dockerfile')).toEqual({
      annotations: [
        {
          message: `FromAsCasing: casing differs\n${url}`,
          place: { title: 'Docker build check', file: 'app/Dockerfile', startLine: 1 }
        },
        { message: 'x', place: { title: 'Docker build check' } }
      ]
    })
  })

  it.each([
    [10, undefined],
    [11, "Docker's build checks have 1 more warning, which the report lists"],
    [30, "Docker's build checks have 20 more warnings, which the report lists"]
  ])('shows ten of %i, and counts the rest', (count, rest) => {
    const warnings = Array.from({ length: count }, (_, line) => ({ ...warning, line: line + 1 }))
    const made = annotateWarnings(warnings, 'Dockerfile')
    expect(made.annotations).toHaveLength(10)
    expect(made.rest).toBe(rest)
  })
})
