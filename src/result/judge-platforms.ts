import { quote } from '../lib/text.ts'
import type { HandedPlatform } from './hand-off.ts'
import type { TestResult } from './result.ts'

/** What the results of the platforms must be about. */
export interface ExpectedPlatforms
  extends Pick<HandedPlatform, 'runId' | 'commit' | 'image' | 'variant' | 'buildArgs'> {
  platforms: readonly string[]
  /** All tests that must have passed on each platform. */
  tests: readonly Pick<TestResult, 'kind' | 'command'>[]
}

/** A result, and the path of its file. */
export interface ReadPlatform {
  file: string
  handed: HandedPlatform
}

/**
 * Returns the result of each expected platform.
 *
 * @returns otherwise one sentence for each problem; nothing may be published then
 */
export function judgePlatforms(
  expected: ExpectedPlatforms,
  results: readonly ReadPlatform[]
): { platforms: HandedPlatform[]; problems: string[] } {
  const problems = results.flatMap(({ file, handed }) => {
    const why = whyForeign(expected, handed)
    return why === undefined ? [] : [`The result ${quote(file)} is ${why}; hand over the results of this run only`]
  })
  if (problems.length > 0) return { platforms: [], problems }
  const judged = expected.platforms.map((platform) => judgeOne(platform, expected, results))
  return {
    platforms: judged.flatMap((one) => (typeof one === 'string' ? [] : one)),
    problems: judged.filter((one) => typeof one === 'string')
  }
}

function whyForeign(expected: ExpectedPlatforms, handed: HandedPlatform): string | undefined {
  if (handed.runId !== expected.runId) {
    return `of the workflow run ${handed.runId || 'without an ID'}, and this run is ${expected.runId || 'without an ID'}`
  }
  if (handed.commit !== expected.commit) return `of commit ${handed.commit}, and this run is of ${expected.commit}`
  if (handed.image !== expected.image) return `of the image ${handed.image}, and this run publishes ${expected.image}`
  if (!expected.platforms.includes(handed.platform)) {
    return `of the platform ${quote(handed.platform)}, which the input platforms does not have`
  }
  return handed.variant === expected.variant && handed.buildArgs === expected.buildArgs
    ? undefined
    : 'of another image of this commit, whose tags, target, platforms, context, Dockerfile or build arguments are others'
}

function judgeOne(
  platform: string,
  { tests }: ExpectedPlatforms,
  results: readonly ReadPlatform[]
): HandedPlatform | string {
  const own = results.map(({ handed }) => handed).filter((handed) => handed.platform === platform)
  const newest = Math.max(...own.map(({ attempt }) => attempt))
  const [one, ...others] = own.filter(({ attempt }) => attempt === newest)
  if (one === undefined) {
    return `There is no result of ${platform}: its job failed or was cancelled, or did not upload the result`
  }
  if (others.some(({ digest }) => digest !== one.digest)) {
    return `There are several results of ${platform} with different images; run all jobs again`
  }
  const left = [...one.tests]
  for (const { kind, command } of tests) {
    const place = left.findIndex((test) => test.kind === kind && test.command === command)
    const [test] = place === -1 ? [] : left.splice(place, 1)
    if (test?.status === 'passed' || test?.status === 'unchanged') continue
    const what = test === undefined ? 'there is no result of it' : `its status is ${test.status}`
    return `The ${kind?.replace('-', ' ') ?? 'test'} ${quote(command)} did not pass on ${platform}: ${what}`
  }
  return one
}
