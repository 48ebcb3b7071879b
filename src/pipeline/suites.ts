import type { LimitFunction } from 'p-limit'
import pLimit from 'p-limit'
import type { PublicInputs } from '../action/secrets.ts'
import type { Test } from '../action/tests.ts'
import type { Run } from '../plan/run-context.ts'

/** The part of a run that tests need. */
export type TestRun = Pick<
  Run,
  'docker' | 'secrets' | 'log' | 'timeline' | 'folder' | 'runId' | 'signal' | 'mayStayUntested'
> & {
  plan: Pick<Run['plan'], 'inputs'>
}

/** Tests that run in one image. */
export interface Suite {
  kind?: 'production-test'
  /** Name of the image in the engine. */
  image: string
  tests: readonly Test[]
  /** The number of the first test: no two containers of a run have the same. */
  first: number
}

/** The tests of a run, by the image in which they run. */
export function suitesOf({ inputs, refs }: Pick<Run['plan'], 'inputs' | 'refs'>): {
  builder: Suite
  production: Suite
} {
  const { tests, productionTests } = inputs
  return {
    builder: { image: refs.builder, tests, first: 1 },
    production: { kind: 'production-test', image: refs.production, tests: productionTests, first: tests.length + 1 }
  }
}

/** Returns the limit on how many tests run at the same time, for all suites of a run. */
export function limitOf({ testParallelism, tests, productionTests }: PublicInputs): LimitFunction {
  return pLimit(testParallelism ?? Math.max(1, tests.length + productionTests.length))
}
