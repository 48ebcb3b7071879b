import { UserError } from '../lib/errors.ts'
import type { Run } from '../plan/run-context.ts'
import type { HandOff } from '../result/hand-off.ts'
import type { TestResult } from '../result/result.ts'
import { type Fetching, fetchHanded, idInEngine } from './take-over.ts'
import { limitOf, runTests, type TestRun } from './test.ts'

/** A test's result, with its index. */
export interface IndexedResult {
  index: number
  result: TestResult
}

/**
 * Runs tests of a hand-off in the image that was handed on. After a cancellation, returns those that had ended before.
 *
 * @param indices of the tests
 * @param folder of the hand-off
 */
export async function testHanded(
  run: TestRun & Pick<Run, 'docker' | 'log' | 'timeline' | 'signal'>,
  handOff: HandOff,
  indices: readonly number[],
  folder: string
): Promise<IndexedResult[]> {
  const { inputs } = run.plan
  const builder = handOff.images.at(-1)
  if (builder === undefined)
    throw new UserError(
      'The hand-off has no image to test; give this step only the tests in the output matrix of build'
    )
  const fetching: Fetching = { ...run, platform: inputs.platform, retries: inputs.retries }
  await fetchHanded(fetching, handOff, folder, [builder])
  const imageId = await idInEngine(run, builder.reference)
  const limit = limitOf(inputs)
  const ended = await Promise.all(
    indices.map(async (index) => {
      const tests = inputs.tests.slice(index, index + 1)
      const [result] = await runTests(run, { image: builder.reference, tests, first: index + 1 }, limit)
      return result && { index, result: inImage(result, imageId) }
    })
  )
  return ended.flatMap((one) => one ?? [])
}

/** A container runs by the name of its image, which another job on the same engine may have taken. */
function inImage({ imageId, ...result }: TestResult, expected: string): TestResult {
  if (imageId === undefined || imageId === expected) return result
  return {
    ...result,
    status: 'error',
    failure:
      'it ran in another image than the one that was handed on: another job on the same engine has taken the name'
  }
}
