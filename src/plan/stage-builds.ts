import type { Dockerfile, Stage, StageInstruction } from '../dockerfile/model.ts'
import { chainOf, nameOf, stageAt, stagesNeededFor, triggersOf } from '../dockerfile/stage-graph.ts'
import type { CacheStage } from './cache-stages.ts'
import type { PublishDecision } from './publish-policy.ts'
import { candidateOf, keptCacheOf, type Refs } from './references.ts'
import type { StrategyChoice } from './select-strategy.ts'

/** An image that stands for a stage. */
export interface StageImage {
  /** Index of the stage. */
  stage: number
  /** The reference of the image in the engine. */
  image: string
}

/** A stage that is built by itself, from one cache source. Plain data: a plan can be written to a file and read again. */
export interface StageBuild {
  kind: 'builder' | 'cache' | 'production'
  /** Index of the stage. */
  stage: number
  /** The name of the stage for people and tags: `stage-2` for the third one if it has none, as BuildKit says. */
  name: string
  /** The image of this commit. Of a builder or cache stage it is only ever in the engine. */
  reference: string
  /** The image of earlier runs that holds the layers of this stage. */
  cacheSource: string
  /** Where an earlier image is kept, if the one of `cacheSource` is a worse cache. */
  keptCache?: string
  /** The moving tag, which later runs take as their cache; there is none if another image holds the layers. */
  moving?: string
  /** The candidate tag, under which the image is inspected before it is promoted; there is none if it is inspected elsewhere, or cannot be. */
  candidate?: string
  /** The stages that are images by then: what is built on them is built on what was tested. */
  images: StageImage[]
  /** The stages whose layers the build itself makes, the lowest first: the stage, and what its FROM leads to up to an image. */
  own: { stage: number; name: string }[]
  /** The instructions of the build of which the history of its image has an entry, in order; triggers where they are executed, too. */
  instructions: StageInstruction[]
  /** The image outside the Dockerfile that it is built on, as the Dockerfile names it; there may be none, or only the engine knows. */
  baseImage?: string
  /** Name of the stage that the lowest of `own` is built on. */
  baseStage?: string
  /** References that this run gives to the image here; the moving one only if it moves in the registry, because a local one would hide the registry's from a later build. */
  tags: string[]
  /** key=value */
  labels: string[]
}

/** key=value */
export interface Labels {
  builder: string[]
  /** Of the further stages. */
  stages: string[]
  production: string[]
}

export interface StageBuildParts {
  dockerfile: Dockerfile
  /** Indices of stages. */
  builderStage: number
  targetStage: number
  cacheStages: readonly CacheStage[]
  refs: Refs
  decision: PublishDecision
  labels: Labels
  strategy: Pick<StrategyChoice, 'capabilities'>
}

/** First what the builder needs, then the builder, then the others in the order of the Dockerfile, and production. */
export function planBuilds(parts: StageBuildParts): StageBuild[] {
  const { dockerfile, cacheStages, refs, decision, labels } = parts
  const builder = stageAt(dockerfile, parts.builderStage)
  const images: StageImage[] = []
  const forBuilder = new Set(stagesNeededFor(dockerfile, builder))
  const cache = (cacheStage: CacheStage): StageBuild => {
    const build = { ...planCache(parts, cacheStage), ...placeOf(parts, cacheStage.stage, builder, images) }
    images.push({ stage: cacheStage.stage.index, image: build.reference })
    return build
  }

  const builds = cacheStages.filter(({ stage }) => forBuilder.has(stage.index)).map(cache)
  const candidate = candidateFor(parts, refs.movingBuilder)
  builds.push({
    kind: 'builder',
    ...placeOf(parts, builder, builder, images),
    reference: refs.builder,
    cacheSource: refs.movingBuilder,
    moving: refs.movingBuilder,
    ...(candidate !== undefined && { candidate }),
    tags: [refs.builder, ...(decision.publish ? [refs.movingBuilder] : []), ...(candidate ? [candidate] : [])],
    labels: labels.builder
  })
  images.push({ stage: builder.index, image: refs.builder })
  builds.push(...cacheStages.filter(({ stage }) => !forBuilder.has(stage.index)).map(cache))
  builds.push({
    kind: 'production',
    ...placeOf(parts, stageAt(dockerfile, parts.targetStage), builder, images),
    reference: refs.production,
    cacheSource: refs.movingProduction,
    keptCache: keptCacheOf(refs.movingProduction),
    // no candidate: the commit's tag is pushed first, and is the same image
    moving: refs.movingProduction,
    tags: [
      refs.production,
      ...(decision.publish ? [refs.movingProduction] : []),
      ...(decision.push ? refs.further : [])
    ],
    labels: labels.production
  })
  return builds
}

type Place = Pick<StageBuild, 'stage' | 'name' | 'images' | 'own' | 'instructions' | 'baseImage' | 'baseStage'>

function planCache(parts: StageBuildParts, { stage, containedIn }: CacheStage): Omit<StageBuild, keyof Place> {
  const { refs, decision, labels } = parts
  const { local = '', moving = '' } = refs.stages[nameOf(stage)] ?? {}
  const common = { kind: 'cache', reference: local, labels: labels.stages } as const
  if (containedIn !== undefined) {
    const source = { builder: refs.movingBuilder, production: refs.movingProduction }
    return { ...common, cacheSource: source[containedIn], tags: [local] }
  }
  const candidate = candidateFor(parts, moving)
  const tags = [local, ...(decision.publish ? [moving] : []), ...(candidate ? [candidate] : [])]
  return { ...common, cacheSource: moving, moving, ...(candidate !== undefined && { candidate }), tags }
}

/** Where there is no cache metadata, there is nothing to inspect before a moving tag moves. */
function candidateFor({ decision, strategy }: StageBuildParts, moving: string): string | undefined {
  return decision.publish && strategy.capabilities.cacheMetadata ? candidateOf(moving) : undefined
}

/** What follows from the place of a stage in the Dockerfile. */
function placeOf(
  { dockerfile, strategy }: StageBuildParts,
  stage: Stage,
  builder: Stage,
  images: readonly StageImage[]
): Place {
  const { triggerHistory } = strategy.capabilities
  // of the stages that it is built on only the builder is an image: else their records would not be in this image
  const chain = chainOf(dockerfile, stage)
  const given = images.filter((image) => image.stage === builder.index || !chain.includes(image.stage))
  const isGiven = (index: number): boolean => given.some((image) => image.stage === index)
  const own = chain.slice(chain.findLastIndex(isGiven) + 1).map((index) => stageAt(dockerfile, index))
  const [root] = own
  const isOnImage = root?.baseStage !== undefined && isGiven(root.baseStage)
  const baseImage = isOnImage ? undefined : root?.baseImage
  return {
    stage: stage.index,
    name: nameOf(stage),
    images: given,
    own: own.map((one) => ({ stage: one.index, name: nameOf(one) })),
    instructions: own
      .flatMap(({ instructions }, index) => [...triggersOf(own[index - 1]), ...instructions])
      .filter(({ keyword }) => triggerHistory || keyword !== 'ONBUILD'),
    ...(baseImage !== undefined && { baseImage }),
    ...(root?.baseStage !== undefined && { baseStage: nameOf(stageAt(dockerfile, root.baseStage)) })
  }
}

/** The builds up to the builder's, and those after it. */
export function splitAtBuilder(builds: readonly StageBuild[]): [StageBuild[], StageBuild[]] {
  const end = builds.findIndex(({ kind }) => kind === 'builder') + 1
  return [builds.slice(0, end), builds.slice(end)]
}
