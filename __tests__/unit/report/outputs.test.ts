import { describe, expect, it } from '@jest/globals'
import type { Plan } from '../../../src/plan/plan.ts'
import { artifactOf, makeOutputs, type Outputs } from '../../../src/report/outputs.ts'
import { makeReport } from '../../../src/report/report.ts'
import type { Failure, Publication, RunResult } from '../../../src/result/result.ts'
import { buildWith, GOOD, MISS, NOTHING, PLAN, UNCHANGED } from '../../support/results.ts'

const FAILURE: Failure = { kind: 'error', message: 'no' }

function outputsOf(plan: Plan | undefined, result: RunResult, path: string): Outputs {
  return makeOutputs(makeReport(plan, result, []), path)
}

describe('makeOutputs', () => {
  it('of a run that published', () => {
    expect(outputsOf(PLAN, GOOD, '/report')).toEqual({
      image: 'octo/app:fffffff',
      'short-sha': 'fffffff',
      branch: 'master',
      'builder-image': 'octo/app:builder-fffffff',
      'image-id': 'sha256:1',
      digest: 'sha256:2',
      ref: 'octo/app@sha256:2',
      tags: 'octo/app:fffffff\nocto/app:latest',
      'cache-tags': 'octo/app:cache-0123456789abcdef',
      pushed: 'true',
      published: 'true',
      'publish-reason': 'It is a test.',
      'cache-hit': 'partial',
      'cached-steps': '2',
      'total-steps': '3',
      'pull-bytes': '',
      'pull-bytes-full': '',
      cache: '[{"stage":"builder","cached":1,"total":2},{"stage":"stage-1","cached":1,"total":1}]',
      tests: '[{"command":"npm test","status":"passed","exitCode":0,"seconds":1.25}]',
      engine: '{"version":"28.5.1","store":"overlay2","strategy":"inline"}',
      'platform-result': '',
      report: '/report'
    })
  })

  it('of a run that ended before it began: every one is set', () => {
    const outputs = outputsOf(undefined, { ...NOTHING, failures: [FAILURE] }, '')
    expect(Object.keys(outputs)).toEqual(Object.keys(outputsOf(PLAN, GOOD, '')))
    expect(Object.values(outputs).every((value) => typeof value === 'string')).toBe(true)
    expect(outputs).toMatchObject({ pushed: 'false', published: 'false', cache: '[]', tests: '[]', engine: '{}' })
  })

  it('tell the first executed step of a stage and why', () => {
    const builder = { ...buildWith('b', ['builder', true], ['builder', false]), misses: [MISS] }
    expect(JSON.parse(outputsOf(PLAN, { ...GOOD, builder }, '').cache)[0]).toEqual({
      stage: 'builder',
      cached: 1,
      total: 2,
      miss: { instruction: 'RUN a', line: 2, kind: 'unknown', reason: 'It is not known.', unexpected: true }
    })
  })

  it('of a run for which nothing had to be built', () => {
    expect(outputsOf(PLAN, UNCHANGED, '')).toMatchObject({
      image: 'octo/app:fffffff',
      'builder-image': '',
      'image-id': '',
      digest: 'sha256:3',
      pushed: 'true',
      'cache-hit': 'full',
      'total-steps': '0',
      tests: '[{"command":"npm test","status":"unchanged","exitCode":null,"seconds":0,"passedFor":"abc"}]'
    })
    const { publication: _, ...notPushed } = UNCHANGED
    expect(outputsOf(PLAN, notPushed, '')).toMatchObject({ image: 'octo/app@sha256:3', digest: '', pushed: 'false' })
  })

  it('names no image that was not built', () => {
    const failed = { ...buildWith('x'), imageId: '', failure: 'no' }
    const outputs = outputsOf(PLAN, { ...NOTHING, builder: failed, production: failed, failures: [FAILURE] }, '')
    expect(outputs).toMatchObject({ image: '', 'builder-image': '', 'image-id': '' })
  })

  const pushFailed: Publication = {
    pushed: ['octo/app:fffffff'],
    published: false,
    digest: 'sha256:2',
    digests: { 'octo/app:fffffff': 'sha256:2', 'octo/app:latest': 'sha256:2' },
    held: [],
    seconds: 1,
    failures: [FAILURE]
  }

  it.each<[string, Plan | undefined, RunResult, string]>([
    [
      'a push failed',
      PLAN,
      { ...GOOD, publication: pushFailed, failures: [FAILURE] },
      'Only octo/app:fffffff was pushed, because publishing failed.'
    ],
    ['a test failed', PLAN, { ...NOTHING, failures: [FAILURE] }, 'Nothing was pushed: the run failed.'],
    ['nothing is known', undefined, NOTHING, 'Nothing was pushed: the run failed.'],
    ['all is well', PLAN, NOTHING, 'It is a test.'],
    [
      'a moving tag was held',
      PLAN,
      { ...GOOD, publication: { ...pushFailed, failures: [], held: [{ reference: 'x', reason: 'x was left' }] } },
      'It is a test. x was left.'
    ]
  ])('tell why, if %s', (_, plan, result, expected) => {
    expect(outputsOf(plan, result, '')['publish-reason']).toBe(expected)
  })
})

describe('The line for actions/attest', () => {
  const report = makeReport(PLAN, GOOD, [])

  it('has the full name of the published image', () => {
    expect(artifactOf(report)).toBe('oci://docker.io/octo/app@sha256:2')
    const references = { ...report.references, production: 'localhost:5000/octo/app:sha-fffffff' }
    expect(artifactOf({ ...report, references } as typeof report)).toBe('oci://localhost:5000/octo/app@sha256:2')
  })

  it('is empty if nothing was pushed, or the run failed: then the image may be another one', () => {
    expect(artifactOf(makeReport(PLAN, NOTHING, []))).toBe('')
    expect(artifactOf(makeReport(undefined, { ...NOTHING, failures: [FAILURE] }, []))).toBe('')
    expect(artifactOf(makeReport(PLAN, { ...GOOD, failures: [FAILURE] }, []))).toBe('')
  })
})
