import { isAbsolute, relative, resolve } from 'node:path'
import type { Place } from '../lib/log.ts'
import { describeUnexpected } from '../result/cache-verdict.ts'
import {
  type Build,
  buildsOf,
  describeFailedBuild,
  describeFailedTest,
  type Miss,
  type RunResult,
  type TestResult
} from '../result/run.ts'

export interface Annotation {
  message: string
  place: Place
}

/**
 * An error for each failure, at its place in the Dockerfile where it has one; and one for each failing case in the reports
 * of the tests.
 *
 * @param file path of the Dockerfile, undefined if the run ended before it was read
 */
export function annotateFailures(result: RunResult, file: string | undefined): Annotation[] {
  const builds = buildsOf(result)
  const places = new Map<string, Place>([
    ...builds.map((build) => [describeFailedBuild(build), placeOfBuild(build, file)] as const),
    ...builds.flatMap(({ misses = [] }) =>
      misses.map((miss) => [describeUnexpected(miss), placeOfMiss(miss, file)] as const)
    )
  ])
  const tests = new Map(result.tests.map((test) => [describeFailedTest(test), test]))
  const failures = result.failures.map((message) => {
    const test = tests.get(message)
    return test ? annotateTest(message, test) : { message, place: places.get(message) ?? {} }
  })
  // a test may end well in spite of them
  const cases = result.tests.flatMap(({ command, failedCases = [] }) =>
    failedCases.map(({ name, message }) => ({ message: `${name}: ${message}`, place: { title: `Test ${command}` } }))
  )
  return [...failures, ...cases]
}

function annotateTest(failure: string, { command, lastLines }: TestResult): Annotation {
  return {
    message: lastLines === undefined ? failure : `${failure}\n${lastLines}`,
    place: { title: `Test ${command}` }
  }
}

function placeOfBuild({ stage, steps }: Build, file: string | undefined): Place {
  const step = steps.find(({ error }) => error !== undefined)
  return placeInDockerfile(`Stage ${step?.stage ?? stage}`, step?.line, file)
}

export function placeOfMiss({ stage, line }: Miss, file: string | undefined): Place {
  return placeInDockerfile(`Stage ${stage}`, line, file)
}

/** GitHub wants a path below the repository's folder, in which a step runs unless `working-directory` says otherwise. */
function placeInDockerfile(title: string, line: number | undefined, file: string | undefined): Place {
  const path = file === undefined ? '' : relative(process.env.GITHUB_WORKSPACE || '.', resolve(file))
  if (line === undefined || path === '' || path.startsWith('..') || isAbsolute(path)) return { title }
  return { title, file: path, startLine: line }
}
