import { readInputs } from '../../src/action/inputs.ts'
import { findStage, type Stage } from '../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { findCacheStages } from '../../src/plan/cache-stages.ts'
import { completePlan, type Plan } from '../../src/plan/plan.ts'
import { makeRefs } from '../../src/plan/references.ts'

export const SHA = '0123456789'.repeat(4)
export const TWO_STAGES = 'FROM alpine AS builder\nRUN make\nFROM alpine\nCOPY --from=builder a a\n'

/** A plan as `prepare` makes it, of a push to master of octo/app with the tests `a` and `b`. */
export function makePlan({
  strategy = 'inline' as Plan['strategy']['name'],
  push = true,
  text = TWO_STAGES,
  sha = SHA,
  inputs: more = {} as Record<string, string>
} = {}): Plan {
  const values: Record<string, string> = { image: 'octo/app', tests: 'a\nb', retries: '0', ...more }
  const inputs = readInputs((name) => values[name] ?? '')
  const build: Plan['build'] = {
    event: 'push',
    sha,
    shortSha: sha.slice(0, 7),
    branch: 'master',
    tag: '',
    isFork: false,
    isDependabot: false,
    isPullRequest: false,
    repository: 'octo/app',
    sourceUrl: ''
  }
  const dockerfile = parseDockerfile(text)
  const builderStage = findStage(dockerfile, 'builder') as Stage
  const targetStage = dockerfile.stages.at(-1) as Stage
  const cacheStages = findCacheStages(dockerfile, builderStage, targetStage, 'auto')
  const isInline = strategy === 'inline'
  return completePlan({
    inputs,
    build,
    dockerfile,
    builderStage,
    targetStage,
    cacheStages,
    engine: {
      ...{ version: '28.5.1', store: 'overlay2', buildx: '0.29.1', context: 'default' },
      insecure: { hosts: [], ranges: [] }
    },
    strategy: {
      name: strategy,
      client: isInline ? 'buildx' : 'legacy',
      progress: isInline ? 'rawjson' : 'plain',
      reason: 'a test'
    },
    file: 'Dockerfile',
    dockerignore: '',
    buildxBuilder: 'default',
    decision: { push, publish: push, reason: 'It is a test.' },
    refs: makeRefs(inputs, build, cacheStages),
    fingerprints: { tests: 'tests', inputs: 'inputs' },
    labels: { builder: [], stages: [], production: [] }
  })
}
