import { describe, expect, it } from '@jest/globals'
import type { HandedPlatform } from '../../../src/result/hand-off.ts'
import { judgePlatforms } from '../../../src/result/judge-platforms.ts'

const EXPECTED = {
  ...{ runId: '7', commit: 'c'.repeat(40), image: 'ghcr.io/octo/app', variant: 'v', buildArgs: 'b' },
  platforms: ['linux/amd64', 'linux/arm64'],
  tests: [{ command: 'npm test' }, { kind: 'check' as const, command: 'npm test' }]
}

function result(platform: string, more: Partial<HandedPlatform> = {}): HandedPlatform {
  const { platforms: _, tests, ...own } = EXPECTED
  return {
    ...own,
    ...{
      version: 1,
      attempt: 1,
      platform,
      digest: `sha256:${'1'.repeat(64)}`,
      startedAt: 0,
      builds: [],
      cacheTags: []
    },
    tests: tests.map((test) => ({ ...test, status: 'passed', exitCode: 0, seconds: 1 })),
    timeline: [],
    ...more
  }
}

function problemsOf(...results: HandedPlatform[]): string[] {
  return judgePlatforms(
    EXPECTED,
    results.map((handed, index) => ({ file: `${index}.json`, handed }))
  ).problems
}

const amd64 = result('linux/amd64')
const arm64 = result('linux/arm64')
const failed = { command: 'npm test', status: 'failed', exitCode: 1, seconds: 1 } as const

describe('judgePlatforms', () => {
  it('returns one result for each platform: the newest', () => {
    const again = result('linux/amd64', { attempt: 2, digest: `sha256:${'2'.repeat(64)}` })
    const judged = judgePlatforms(
      EXPECTED,
      [arm64, again, amd64].map((handed) => ({ file: 'f', handed }))
    )
    expect(judged).toEqual({ platforms: [again, arm64], problems: [] })
  })

  it.each([
    ['no result', [amd64], 'There is no result of linux/arm64'],
    ['another run', [amd64, result('linux/arm64', { runId: '8' })], 'is of the workflow run 8'],
    ['another commit', [amd64, result('linux/arm64', { commit: 'd'.repeat(40) })], 'is of commit dddd'],
    [
      'another image',
      [amd64, result('linux/arm64', { image: 'ghcr.io/octo/other' })],
      'of the image ghcr.io/octo/other'
    ],
    ['another platform', [amd64, arm64, result('linux/386')], 'of the platform "linux/386"'],
    ['another variant', [amd64, result('linux/arm64', { variant: 'w' })], 'of another image of this commit'],
    ['other build arguments', [amd64, result('linux/arm64', { buildArgs: 'w' })], 'of another image of this commit'],
    ['two images', [amd64, arm64, result('linux/arm64', { digest: `sha256:${'3'.repeat(64)}` })], 'several results'],
    ['a failed test', [amd64, result('linux/arm64', { tests: [failed] })], 'its status is failed'],
    [
      'a test of another kind',
      [amd64, result('linux/arm64', { tests: arm64.tests.slice(0, 1) })],
      'The check "npm test"'
    ],
    ['no test', [amd64, result('linux/arm64', { tests: [] })], 'there is no result of it']
  ] as const)('refuses %s', (_, results, why) => {
    expect(problemsOf(...results)).toEqual([expect.stringContaining(why)])
  })
})
