import type { Plan } from '../../src/plan/plan.ts'
import { type Build, emptyResult, type Miss, type RunResult } from '../../src/result/result.ts'
import { makePlan } from './make-plan.ts'

/** A build of the builder of octo/app that went well and printed nothing. */
export function makeBuild(more: Partial<Build> = {}): Build {
  return {
    kind: 'builder',
    stage: 'builder',
    image: 'octo/app:builder-0123456',
    cacheSource: 'octo/app:builder',
    imageId: 'sha256:1',
    seconds: 1,
    steps: [],
    bases: [],
    unreadableCaches: [],
    ...more
  }
}

/** A build with these steps, one a line. */
export function buildWith(image: string, ...steps: [stage: string, cached: boolean][]): Build {
  return makeBuild({
    image,
    cacheSource: `${image}-cache`,
    steps: steps.map(([stage, cached], index) => ({
      stage,
      cached,
      instruction: 'RUN a',
      line: index + 1,
      seconds: 1
    }))
  })
}

export const NOTHING: RunResult = emptyResult()

export const MISS: Miss = {
  stage: 'builder',
  instruction: 'RUN a',
  line: 2,
  kind: 'unknown',
  reason: 'It is not known.',
  unexpected: true
}

/** The plan of the results below. */
export const PLAN: Plan = makePlan({ sha: 'f'.repeat(40) })

/** A run that published. */
export const GOOD: RunResult = {
  builder: buildWith('octo/app:builder-fffffff', ['builder', true], ['builder', false]),
  cacheStages: [],
  production: buildWith('octo/app:fffffff', ['stage-1', true]),
  tests: [{ command: 'npm test', status: 'passed', exitCode: 0, seconds: 1.25 }],
  publication: {
    pushed: ['octo/app:fffffff', 'octo/app:latest'],
    published: true,
    digest: 'sha256:2',
    digests: { 'octo/app:fffffff': 'sha256:2', 'octo/app:latest': 'sha256:2' },
    held: [],
    seconds: 1,
    failures: []
  },
  cacheTags: ['octo/app:cache-0123456789abcdef'],
  cancelled: false,
  failures: []
}

/** Its image was there already. */
export const UNCHANGED: RunResult = {
  ...NOTHING,
  unchanged: { image: 'octo/app@sha256:3', digest: 'sha256:3', commit: 'abc', builderCommit: 'abc' },
  tests: [{ command: 'npm test', status: 'unchanged', exitCode: null, seconds: 0, passedFor: 'abc' }],
  publication: {
    pushed: ['octo/app:fffffff'],
    published: true,
    digest: 'sha256:3',
    digests: {},
    held: [],
    seconds: 1,
    failures: []
  }
}
