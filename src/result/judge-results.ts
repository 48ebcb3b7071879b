import type { HandedResult } from './hand-off.ts'
import type { TestResult } from './result.ts'

/** What the results of other machines must be about. */
export interface Expected {
  runId: string
  commit: string
  /** `imagesOf` the hand-off. */
  images: string
  tests: readonly { command: string; fingerprint: string }[]
}

/** A result, and the path of its file. */
export interface ReadResult {
  file: string
  handed: HandedResult
}

/**
 * Returns one result for each expected test. One that is missing, or that is about something else, counts as an error.
 *
 * @returns also the results that count, and one sentence for each file that is about no expected test
 */
export function judgeResults(
  expected: Expected,
  results: readonly ReadResult[]
): { tests: TestResult[]; judged: HandedResult[]; problems: string[] } {
  const problems = results.flatMap(({ file, handed }) => {
    const why = whyForeign(expected, handed)
    return why === undefined
      ? []
      : [`The test result ${JSON.stringify(file)} is ${why}; hand over the results of this run only`]
  })
  const own = results.map(({ handed }) => handed).filter((handed) => whyForeign(expected, handed) === undefined)
  const isNewest = ({ index, attempt }: HandedResult): boolean =>
    own.every((other) => other.index !== index || other.attempt <= attempt)
  const judged = own.filter(isNewest)
  const tests = expected.tests.map(({ command, fingerprint }, index) => {
    const results = judged
      .filter((one) => one.index === index)
      .map((one) => judgeOne(one, { command, fingerprint, images: expected.images }))
    return results.find(({ failure }) => failure !== undefined) ?? results[0] ?? missing(command)
  })
  return { tests, judged, problems }
}

function whyForeign({ runId, commit, tests }: Expected, handed: HandedResult): string | undefined {
  if (handed.runId !== runId)
    return `of the workflow run ${handed.runId || 'without an ID'}, and this run is ${runId || 'without an ID'}`
  if (handed.commit !== commit) return `of commit ${handed.commit}, and this run builds ${commit}`
  return handed.index < tests.length
    ? undefined
    : `of test ${handed.index}, and this run has ${tests.length} tests, from 0`
}

function judgeOne(
  { images, fingerprint, result }: HandedResult,
  expected: { command: string; fingerprint: string; images: string }
): TestResult {
  const { status, exitCode, seconds, machine, lastLines, failedCases } = result
  // only what a test on another machine can tell
  const told = {
    ...{ command: expected.command, status, exitCode, seconds },
    ...(machine !== undefined && { machine }),
    ...(lastLines !== undefined && { lastLines }),
    ...(failedCases !== undefined && { failedCases })
  }
  const error = (failure: string): TestResult => ({ ...told, status: 'error', failure })
  if (images !== expected.images) return error('it ran in another image than the one that was handed on')
  if (fingerprint !== expected.fingerprint) {
    return error('another command ran, or other docker run options, than the inputs of this step name')
  }
  return status === 'passed' ? told : { ...told, failure: result.failure ?? `its status is ${status}` }
}

function missing(command: string): TestResult {
  const failure = 'there is no result of it: its machine failed or was cancelled, or did not upload the result'
  return { command, status: 'error', exitCode: null, seconds: 0, failure }
}
