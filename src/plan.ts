import type { BuildContext } from './context.ts'
import type { Dockerfile, Stage } from './dockerfile.ts'
import type { EngineInfo } from './engine/docker.ts'
import { sameReference } from './image-ref.ts'
import { type Inputs, splitAtEquals } from './inputs.ts'
import type { PublishDecision } from './publish-policy.ts'
import type { StrategyChoice } from './strategy/select.ts'

/** What a run will do, decided before anything is built. */
export interface Plan {
  inputs: Inputs
  build: BuildContext
  engine: EngineInfo
  strategy: StrategyChoice
  dockerfile: Dockerfile
  /** Path of the Dockerfile. */
  file: string
  builderStage: Stage
  targetStage: Stage
  decision: PublishDecision
  refs: Refs
  /** References that this run gives to the two images here; the moving ones only if it moves them in the registry, because a local one would hide the registry's from a later build. */
  builderTags: [string, ...string[]]
  productionTags: [string, ...string[]]
  /** What `--target` gets; the last stage needs none, and may have no name. */
  builderTarget: string | undefined
  target: string | undefined
  labels: { builder: string[]; production: string[] }
  /** Name of the buildx builder, which has the driver docker. */
  buildxBuilder: string
}

/** The parts of a plan that follow from the others. */
export function completePlan(parts: Omit<Plan, 'builderTags' | 'productionTags' | 'builderTarget' | 'target'>): Plan {
  const { refs, decision, builderStage, targetStage, dockerfile } = parts
  const isLast = (stage: Stage): boolean => stage.index === dockerfile.stages.length - 1
  return {
    ...parts,
    builderTags: [refs.builder, ...(decision.publish ? [refs.movingBuilder] : [])],
    productionTags: [
      refs.production,
      ...(decision.publish ? [refs.movingProduction] : []),
      ...(decision.push ? refs.further : [])
    ],
    builderTarget: isLast(builderStage) ? undefined : builderStage.name,
    target: isLast(targetStage) ? undefined : targetStage.name
  }
}

/** Full references. */
export interface Refs {
  /** This commit's builder image. It is only ever local. */
  builder: string
  /** This commit's production image. */
  production: string
  movingBuilder: string
  movingProduction: string
  /** The user's further tags of the production image, without those above. */
  further: string[]
}

export function makeRefs(inputs: Inputs, build: Pick<BuildContext, 'shortSha'>): Refs {
  const refs = {
    builder: `${inputs.image}:${inputs.builderTag}-${build.shortSha}`,
    production: `${inputs.image}:${build.shortSha}`,
    movingBuilder: `${inputs.image}:${inputs.builderTag}`,
    movingProduction: `${inputs.image}:${inputs.latestTag}`
  }
  // a moving tag among the user's tags, as docker/metadata-action makes it, still moves by our rules only
  const ours = Object.values(refs)
  const further = inputs.tags.filter(
    (tag, index, tags) =>
      !ours.some((ref) => sameReference(ref, tag)) && tags.findIndex((other) => sameReference(other, tag)) === index
  )
  return { ...refs, further }
}

/**
 * OCI labels (opencontainers/image-spec annotations.md) of both images. They say nothing that a rebuild of the same commit
 * would say otherwise. The user's own come on top, but for the revision: it names the commit that the tag names.
 */
export function makeLabels(
  inputs: Pick<Inputs, 'labels'>,
  build: Pick<BuildContext, 'sha' | 'sourceUrl'>,
  created: string | undefined
): Plan['labels'] {
  const own = {
    ...(created === undefined ? {} : { 'org.opencontainers.image.created': created }),
    ...(build.sourceUrl === '' ? {} : { 'org.opencontainers.image.source': build.sourceUrl })
  }
  const revision = { 'org.opencontainers.image.revision': build.sha }
  const users = Object.fromEntries(inputs.labels.map(splitAtEquals))
  const list = (labels: Record<string, string>): string[] =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return { builder: list({ ...own, ...revision }), production: list({ ...own, ...users, ...revision }) }
}
