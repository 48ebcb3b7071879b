import type { Commit } from '../../src/action/event.ts'
import { type Inputs, readInputs } from '../../src/action/inputs.ts'
import { publicInputs, Secrets } from '../../src/action/secrets.ts'
import { findStage, type Stage } from '../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { findCacheStages } from '../../src/plan/cache-stages.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { findPublishing, type Publishing } from '../../src/plan/publishing.ts'
import { makeRefs } from '../../src/plan/references.ts'
import { selectStrategy } from '../../src/plan/select-strategy.ts'
import { planBuilds, type StageBuild } from '../../src/plan/stage-builds.ts'

export const SHA = '0123456789'.repeat(4)
export const TWO_STAGES = 'FROM alpine AS builder\nRUN make\nFROM alpine\nCOPY --from=builder a a\n'

const ENGINE: Plan['engine'] = {
  ...{ version: '28.5.1', store: 'overlay2', buildx: '0.29.1', context: 'default', platform: 'linux/amd64' },
  insecure: { hosts: [], ranges: [] }
}

/** The inputs of octo/app, with the tests `a` and `b`, unless `more` says otherwise. */
export function makeInputs(more: Record<string, string> = {}): Inputs {
  const values: Record<string, string> = { image: 'octo/app', tests: 'a\nb', retries: '0', ...more }
  return readInputs((name) => values[name] ?? '')
}

/** What must not be shown of a run with these inputs. */
export function makeSecrets(more: Record<string, string> = {}): Secrets {
  return new Secrets(makeInputs(more))
}

/** A push to master of octo/app. */
export function makeCommit(sha = SHA): Commit {
  return {
    event: 'push',
    sha,
    shortSha: sha.slice(0, 7),
    eventSha: sha,
    checkout: 'own',
    branch: 'master',
    tag: '',
    isFork: false,
    isDependabot: false,
    isPullRequest: false,
    repository: 'octo/app',
    sourceUrl: ''
  }
}

/** The only publishing branch, with the moving tags `builder` and `latest` unless the inputs say otherwise. */
export function publishingOf(
  branch: string,
  inputs: Pick<Inputs, 'builderTag' | 'latestTag'> = { builderTag: 'builder', latestTag: 'latest' }
): Publishing {
  return { branch, builderTag: inputs.builderTag, latestTag: inputs.latestTag, all: [branch] }
}

interface PlanOptions {
  strategy?: Plan['strategy']['name']
  push?: boolean
  /** The Dockerfile. */
  text?: string
  sha?: string
  branch?: string
  inputs?: Record<string, string>
}

/** A plan as `createPlan` makes it, of the last stage of a Dockerfile, but with short labels and fingerprints. */
export function makePlan({
  strategy = 'inline',
  push = true,
  text = TWO_STAGES,
  sha = SHA,
  branch = 'master',
  inputs: more = {}
}: PlanOptions = {}): Plan {
  const inputs = publicInputs(makeInputs(more))
  const commit = { ...makeCommit(sha), branch }
  const dockerfile = parseDockerfile(text)
  const builder = findStage(dockerfile, inputs.builderTarget) as Stage
  const target = dockerfile.stages.at(-1) as Stage
  const cacheStages = findCacheStages(dockerfile, builder, target, inputs.cacheStages)
  const choice = selectStrategy(ENGINE, dockerfile, inputs, strategy === 'legacy' ? '0' : undefined)
  if (choice.name !== strategy) throw new Error(`the strategy ${strategy} cannot build this Dockerfile`)
  const parts = {
    ...{ dockerfile, cacheStages, strategy: { ...choice, reason: 'a test' } },
    ...{ builderStage: builder.index, targetStage: target.index },
    decision: { push, publish: push, reason: 'It is a test.' },
    refs: makeRefs(inputs, commit, cacheStages, findPublishing(inputs, 'master', branch)),
    isPart: false
  }
  const { cacheStages: _, isPart: __, ...planned } = parts
  return {
    ...planned,
    ...{ inputs, commit, engine: ENGINE, file: 'Dockerfile', dockerignore: '', buildxBuilder: 'default' },
    fingerprints: { tests: 'tests', allTests: 'tests', inputs: 'inputs' },
    ...{ variant: 'variant', buildArgs: 'build-args' },
    builds: planBuilds({ ...parts, labels: { builder: [], stages: [], production: [] } })
  }
}

/** The build of the stage `builder` of a Dockerfile, to which a stage for production is added. */
export function builderBuild(text: string, strategy?: Plan['strategy']['name']): StageBuild {
  const { builds } = makePlan({ text: `${text}\nFROM scratch\n`, ...(strategy && { strategy }) })
  const build = builds.find(({ kind }) => kind === 'builder')
  if (!build) throw new Error('a plan builds the builder')
  return build
}
