import type { BuildContext } from '../action/event.ts'
import { type Inputs, splitAtEquals } from '../action/inputs.ts'
import type { EngineInfo } from '../docker/engine-info.ts'
import type { Dockerfile, Stage } from '../dockerfile/model.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { UserError } from '../lib/errors.ts'
import { isTag, sameReference } from '../registry/image-reference.ts'
import type { CacheStage } from './cache-stages.ts'
import { type Fingerprints, INPUTS_LABEL, TESTS_LABEL } from './fingerprints.ts'
import type { PublishDecision } from './publish-policy.ts'
import type { StrategyChoice } from './select-strategy.ts'
import { candidateOf, planBuilds, type StageBuild } from './stage-builds.ts'

/** What a run will do, decided before anything is built. */
export interface Plan {
  inputs: Inputs
  build: BuildContext
  engine: EngineInfo
  strategy: StrategyChoice
  dockerfile: Dockerfile
  /** Path of the Dockerfile. */
  file: string
  /** The text of the .dockerignore that is in force; '' without any. */
  dockerignore: string
  builderStage: Stage
  targetStage: Stage
  decision: PublishDecision
  fingerprints: Fingerprints
  refs: Refs
  /** In the order in which they are built; the production stage is the last. */
  builds: StageBuild[]
  /** Name of the buildx builder, which has the driver docker. */
  buildxBuilder: string
}

/** key=value */
export interface Labels {
  builder: string[]
  /** Of the further stages. */
  stages: string[]
  production: string[]
}

export interface PlanParts extends Omit<Plan, 'builds'> {
  cacheStages: CacheStage[]
  labels: Labels
}

/** The parts of a plan that follow from the others. */
export function completePlan({ cacheStages, labels, ...parts }: PlanParts): Plan {
  return { ...parts, builds: planBuilds({ cacheStages, labels, ...parts }) }
}

/** Full references. */
export interface Refs {
  /** This commit's builder image. It is only ever local. */
  builder: string
  /** This commit's production image. */
  production: string
  movingBuilder: string
  movingProduction: string
  /** By the name of the cache stage: this commit's image, only ever local, and the moving tag. */
  stages: Record<string, { local: string; moving: string }>
  /** The user's further tags of the production image, without those above. */
  further: string[]
}

/** @throws UserError if a tag would be too long */
export function makeRefs(
  inputs: Inputs,
  build: Pick<BuildContext, 'shortSha'>,
  cacheStages: readonly Pick<CacheStage, 'stage'>[]
): Refs {
  const reference = (tag: string): string => {
    if (isTag(tag)) return `${inputs.image}:${tag}`
    throw new UserError(
      `The tag ${tag} would be too long for a registry; give the stage a shorter name, or set the input cache-stages to none`
    )
  }
  const ours = [inputs.builderTag, inputs.latestTag]
  const taken = [...ours, ...ours.map(candidateOf), cacheTagOf(inputs.latestTag)]
  const stages = cacheStages.map(({ stage }) => {
    const name = nameOf(stage)
    const tag = taken.includes(name) ? `stage-${name}` : name
    return [name, { local: reference(`${tag}-${build.shortSha}`), moving: reference(tag) }] as const
  })
  const refs = {
    builder: reference(`${inputs.builderTag}-${build.shortSha}`),
    production: reference(build.shortSha),
    movingBuilder: reference(inputs.builderTag),
    movingProduction: reference(inputs.latestTag),
    stages: Object.fromEntries(stages)
  }
  // a moving tag among the user's tags, as docker/metadata-action makes it, still moves by our rules only
  const held = [refs.production, refs.builder, ...movingTags(refs)]
  const further = inputs.tags.filter(
    (tag, index, tags) =>
      !held.some((ref) => sameReference(ref, tag)) && tags.findIndex((other) => sameReference(other, tag)) === index
  )
  return { ...refs, further }
}

/** The tags that move on the publishing branch only. */
export function movingTags(refs: Pick<Refs, 'movingBuilder' | 'movingProduction' | 'stages'>): string[] {
  return [refs.movingBuilder, ...Object.values(refs.stages).map(({ moving }) => moving), refs.movingProduction]
}

/** Where an earlier production image is kept as a cache, if the newest is a worse one; of a tag or a reference. */
export function cacheTagOf(latest: string): string {
  return `${latest}-cache`
}

/** The commit that an image was built from (opencontainers/image-spec annotations.md). */
export const REVISION_LABEL = 'org.opencontainers.image.revision'

/**
 * OCI labels (opencontainers/image-spec annotations.md) of both images. They say nothing that a rebuild of the same commit
 * would say otherwise. The user's own come on top, but for the revision: it names the commit that the tag names.
 */
export function makeLabels(
  inputs: Pick<Inputs, 'labels'>,
  build: Pick<BuildContext, 'sha' | 'sourceUrl'>,
  created: string | undefined,
  fingerprints: Fingerprints
): Labels {
  const own = {
    ...(created === undefined ? {} : { 'org.opencontainers.image.created': created }),
    ...(build.sourceUrl === '' ? {} : { 'org.opencontainers.image.source': build.sourceUrl })
  }
  const revision = { [REVISION_LABEL]: build.sha }
  const users = Object.fromEntries(inputs.labels.map(splitAtEquals))
  const list = (labels: Record<string, string>): string[] =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  const builtFrom = { [INPUTS_LABEL]: fingerprints.inputs }
  // a label of the base image would be inherited
  const tests = { [TESTS_LABEL]: fingerprints.tests ?? 'none' }
  return {
    builder: list({ ...own, ...revision, ...builtFrom, ...tests }),
    stages: list({ ...own, ...revision }),
    production: list({ ...own, ...users, ...revision, ...builtFrom })
  }
}
