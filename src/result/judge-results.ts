import type { HandedResult } from './hand-off.ts'
import type { TestResult } from './result.ts'

/** What the results of other machines must be about. */
export interface Expected {
  runId: string
  commit: string
  /** The digest of the hand-off. */
  digest: string
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
 * @returns also one sentence for each file that is about no expected test
 */
export function judgeResults(
  expected: Expected,
  results: readonly ReadResult[]
): { tests: TestResult[]; problems: string[] } {
  const problems = results.flatMap(({ file, handed }) => {
    const why = whyForeign(expected, handed)
    return why === undefined
      ? []
      : [`The test result ${JSON.stringify(file)} is ${why}; hand over the results of this run only`]
  })
  const own = results.map(({ handed }) => handed).filter((handed) => whyForeign(expected, handed) === undefined)
  const tests = expected.tests.map(({ command, fingerprint }, index) => {
    const ofTest = own.filter((one) => one.index === index)
    const newest = Math.max(0, ...ofTest.map(({ attempt }) => attempt))
    const judged = ofTest
      .filter(({ attempt }) => attempt === newest)
      .map((one) => judgeOne(one, { command, fingerprint, digest: expected.digest }))
    return judged.find(({ failure }) => failure !== undefined) ?? judged[0] ?? missing(command)
  })
  return { tests, problems }
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
  { digest, fingerprint, result }: HandedResult,
  expected: { command: string; fingerprint: string; digest: string }
): TestResult {
  const { command } = expected
  const error = (failure: string): TestResult => ({ ...result, command, status: 'error', failure })
  if (digest !== expected.digest) {
    return error(
      `it ran in another image (${digest || 'unknown'}) than the one that was handed on (${expected.digest})`
    )
  }
  if (fingerprint !== expected.fingerprint) {
    return error('another command ran, or other docker run options, than the inputs of this step name')
  }
  const { failure = `its status is ${result.status}`, ...told } = result
  return result.status === 'passed' ? { ...told, command } : { ...told, command, failure }
}

function missing(command: string): TestResult {
  const failure = 'there is no result of it: its machine failed or was cancelled, or did not upload the result'
  return { command, status: 'error', exitCode: null, seconds: 0, failure }
}
