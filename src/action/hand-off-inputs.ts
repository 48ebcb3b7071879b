import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import { type Get, oneOf, path, words } from './input-values.ts'
import type { Secrets } from './secrets.ts'

/** The inputs that a machine needs to run tests, and gets with the hand-off. */
export const OF_TESTS: readonly string[] = ['tests', 'test-options', 'test-timeout-minutes', 'test-reports', 'platform']

/** The most jobs that GitHub makes of one matrix (docs.github.com, "Usage limits"). */
const MOST_TESTS = 256

/**
 * Returns the texts of the inputs that the machines which run the tests need, by name.
 *
 * @throws UserError if one of them has a secret: everyone who may read the artifacts of the run could read it
 */
export function handedInputs(get: Get, secrets: Pick<Secrets, 'lines'>): Record<string, string> {
  for (const name of OF_TESTS) {
    if (secrets.lines.some((line) => get(name).includes(line))) {
      throw new UserError(
        `Input ${name} has a secret, and everyone who may read the artifacts of this run could read it in the hand-off; give only the name of the variable (--env NAME), and set the variable in the env of the step that uses test`
      )
    }
  }
  return Object.fromEntries(OF_TESTS.map((name) => [name, get(name)]).filter(([, text]) => text !== ''))
}

export function readTransport(get: Get): 'registry' | 'artifact' {
  return oneOf(get, 'transport', ['registry', 'artifact'], 'registry')
}

/** Returns the folder of the input `hand-off`. */
export function readHandOffFolder(get: Get): string {
  const folder = path(get, 'hand-off')
  if (folder !== undefined) return folder
  throw new UserError('Input hand-off is missing; set it to the folder of the output hand-off of build')
}

export function readResultsFolder(get: Get): string | undefined {
  return path(get, 'results')
}

/**
 * Returns the indices of the input `test`; all if it is not set.
 *
 * @param count of the tests
 * @throws UserError
 */
export function readTestIndices(get: Get, count: number): number[] {
  const items = words(get, 'test')
  if (items.length === 0) return Array.from({ length: count }, (_, index) => index)
  const indices = items.map((item) => {
    if (/^\d{1,4}$/.test(item) && Number(item) < count) return Number(item)
    const right =
      count === 0 ? 'but the hand-off has no tests' : `each line must be the index of a test, from 0 to ${count - 1}`
    throw new UserError(`Input test has the line ${quote(item)}; ${right}`)
  })
  return [...new Set(indices)]
}

/** @throws UserError if there are more tests than a matrix can have */
export function checkMatrix(tests: number): void {
  if (tests <= MOST_TESTS) return
  throw new UserError(
    `Input tests has ${tests} tests, and GitHub makes at most ${MOST_TESTS} jobs of a matrix; join some of them, or use the action that does the whole job on one machine`
  )
}
