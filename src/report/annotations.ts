import { isAbsolute, relative, resolve } from 'node:path'
import type { ExpectCache } from '../action/inputs.ts'
import { titleOfTest } from '../action/tests.ts'
import type { BuildWarning } from '../docker/progress/build-warnings.ts'
import type { Place } from '../lib/log.ts'
import { judgeMisses } from '../result/cache-verdict.ts'
import { type Build, buildsOf, type Failure, type Miss, type RunResult, type TestResult } from '../result/result.ts'
import { describeFailure, describeUnexpected, missesOf } from './messages.ts'

export interface Annotation {
  message: string
  place: Place
}

/**
 * Returns an error for each failure, at its place in the Dockerfile if it has one, and one for each failed case in the test
 * reports.
 *
 * @param file path of the Dockerfile; undefined if the run ended before it was read
 */
export function annotateFailures(result: RunResult, file: string | undefined): Annotation[] {
  const failures = result.failures.map((failure) => annotate(failure, result, file))
  // a test may pass although its reports contain failed cases
  const cases = [result, ...(result.platforms ?? [])]
    .flatMap(({ tests }) => tests)
    .flatMap((test) =>
      (test.failedCases ?? []).map(({ name, message }) => ({
        message: `${name}: ${message}`,
        place: { title: titleOfTest(test) }
      }))
    )
  return [...failures, ...cases]
}

/**
 * Returns a warning for each unexpected cache miss, unless it is a failure.
 *
 * @param file path of the Dockerfile
 */
export function annotateMisses(
  result: RunResult,
  { file, expected, publishes }: { file: string; expected: ExpectCache; publishes: boolean }
): Annotation[] {
  return judgeMisses(result, expected, publishes).warnings.map((miss) => ({
    message: describeUnexpected(miss),
    place: placeOfMiss(miss, file)
  }))
}

/** GitHub shows ten annotations of a kind per step. */
const MOST_WARNINGS = 10

/**
 * Returns the first warnings of Docker's build checks at their lines, and one sentence that counts the others, if there are any.
 *
 * @param file path of the Dockerfile
 */
export function annotateWarnings(
  warnings: readonly BuildWarning[],
  file: string
): { annotations: Annotation[]; rest?: string } {
  const annotations = warnings.slice(0, MOST_WARNINGS).map(({ rule, message, line, url }) => ({
    message: [`${rule === '' ? '' : `${rule}: `}${message}`, url].filter((text) => text !== '').join('\n'),
    place: placeInDockerfile('Docker build check', line, file)
  }))
  const more = warnings.length - annotations.length
  if (more === 0) return { annotations }
  const what = more === 1 ? '1 more warning' : `${more} more warnings`
  return { annotations, rest: `Docker's build checks have ${what}, which the report lists` }
}

function annotate(failure: Failure, result: RunResult, file: string | undefined): Annotation {
  const message = describeFailure(failure, result)
  switch (failure.kind) {
    case 'platform': {
      const one = result.platforms?.find(({ platform }) => platform === failure.platform)
      const own = one?.failures[failure.index]
      const { message: _, place = {} } = one && own ? annotate(own, { ...one, cancelled: false }, file) : {}
      return { message, place }
    }
    case 'test':
      return annotateTest(message, result.tests[failure.index])
    case 'build': {
      const build = buildsOf(result).find(({ image }) => image === failure.image)
      return { message, place: build ? placeOfBuild(build, file) : {} }
    }
    case 'miss': {
      const miss = missesOf(result).find(({ stage, unexpected }) => stage === failure.stage && unexpected)
      return { message, place: miss ? placeOfMiss(miss, file) : {} }
    }
    default:
      return { message, place: {} }
  }
}

function annotateTest(message: string, test: TestResult | undefined): Annotation {
  return {
    message: test?.lastLines === undefined ? message : `${message}\n${test.lastLines}`,
    place: test ? { title: titleOfTest(test) } : {}
  }
}

function placeOfBuild({ stage, steps }: Build, file: string | undefined): Place {
  const step = steps.find(({ error }) => error !== undefined)
  return placeInDockerfile(`Stage ${step?.stage ?? stage}`, step?.line, file)
}

function placeOfMiss({ stage, line }: Miss, file: string | undefined): Place {
  return placeInDockerfile(`Stage ${stage}`, line, file)
}

/** Returns a path below the repository's folder, as GitHub requires; a step runs there unless `working-directory` is set. */
function placeInDockerfile(title: string, line: number | undefined, file: string | undefined): Place {
  const path = file === undefined ? '' : relative(process.env.GITHUB_WORKSPACE || '.', resolve(file))
  if (line === undefined || path === '' || path.startsWith('..') || isAbsolute(path)) return { title }
  return { title, file: path, startLine: line }
}
