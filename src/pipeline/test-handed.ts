import { CancelledError, UserError } from '../lib/errors.ts'
import type { HandOff } from '../result/hand-off.ts'
import type { TestResult } from '../result/result.ts'
import { limitOf, type TestRun } from './suites.ts'
import { type Fetching, fetchHanded, idInEngine } from './take-over.ts'
import { runTests } from './test.ts'

/** A test's result, with its index. */
export interface IndexedResult {
  index: number
  result: TestResult
}

/** What to test of a hand-off. */
export interface TestChoice {
  /** Of the tests, from 0. */
  indices: readonly number[]
  /** Path of the folder of the hand-off. */
  folder: string
  /** Called when a test has ended. */
  onResult: (result: IndexedResult) => Promise<void>
}

/** Runs tests of a hand-off in the image that was handed on. After a cancellation, returns those that had ended before. */
export async function testHanded(
  run: TestRun,
  handOff: HandOff,
  { indices, folder, onResult }: TestChoice
): Promise<TestResult[]> {
  const { inputs } = run.plan
  const builder = handOff.images.at(-1)
  if (builder === undefined) {
    throw new UserError(
      'The hand-off has no image to test; run this step only for the tests in the output matrix of build'
    )
  }
  const fetching: Fetching = { ...run, platform: inputs.platform, retries: inputs.retries }
  // an archive has the images of all stages
  await fetchHanded(fetching, handOff, folder, handOff.transport === 'artifact' ? handOff.images : [builder])
  const { digest } = builder
  const imageId = await idInEngine(run, digest === '' ? builder.reference : `${handOff.image}@${digest}`)
  const limit = limitOf(inputs)
  const testOne = async (index: number): Promise<TestResult[]> => {
    const tests = inputs.tests.slice(index, index + 1)
    const [result] = await runTests(run, { image: builder.reference, tests, first: index + 1 }, limit)
    if (result === undefined) return []
    const judged = inImage(result, imageId)
    await onResult({ index, result: judged })
    return [judged]
  }
  // each test runs to its end, whatever the others do
  const ended = await Promise.allSettled(indices.map(testOne))
  const error = ended.find((one) => one.status === 'rejected' && !(one.reason instanceof CancelledError))
  if (error?.status === 'rejected') throw error.reason
  return ended.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
}

/** A container runs by the name of its image, which another job on the same engine may have taken. */
function inImage({ imageId, ...result }: TestResult, expected: string): TestResult {
  if (imageId === undefined || imageId === expected) return result
  const failure =
    'it ran in another image than the one that was handed on: another job on the same engine has taken the name'
  return { ...result, status: 'error', failure }
}
