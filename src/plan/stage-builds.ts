import type { Dockerfile, Stage, StageInstruction } from '../dockerfile/model.ts'
import { chainOf, nameOf, stageAt, stagesNeededFor, triggersOf } from '../dockerfile/stage-graph.ts'
import { candidateOf, keptCacheOf } from '../registry/reserved-tags.ts'
import type { CacheStage } from './cache-stages.ts'
import type { PublishDecision } from './publish-policy.ts'
import { keyOf, productionRefs, type Refs } from './references.ts'
import type { StrategyChoice } from './select-strategy.ts'

/** The image of a stage. */
export interface StageImage {
  /** Index of the stage. */
  stage: number
  /** Reference of the image in the engine. */
  image: string
}

/** A stage that the action builds separately, from one cache source. Plain data: it can be written to a file and read again. */
export interface StageBuild {
  kind: 'builder' | 'cache' | 'production'
  /** Index of the stage. */
  stage: number
  /** Name of the stage in messages: `stage-2` for a third stage without a name, as BuildKit calls it. */
  name: string
  /** The image of this commit. That of a builder or cache stage is only in the engine, unless other machines test it. */
  reference: string
  /** The image of earlier runs that contains the layers of this stage. */
  cacheSource: string
  /** Reference of the kept cache, used if the image of `cacheSource` is a worse cache source. */
  keptCache?: string
  /** The moving tag, the cache source of later runs; undefined if another image contains the layers. */
  moving?: string
  /** The candidate tag; undefined if the action inspects the image under another tag, or cannot inspect it. */
  candidate?: string
  /** Images of stages built earlier: this build must contain what they contain, because they were tested. */
  images: StageImage[]
  /** The stages whose layers the build itself creates, the lowest first: the stage and its chain of FROM down to an image. */
  own: { stage: number; name: string }[]
  /** The instructions of the build with an entry in the history of its image, in order; triggers are where they are executed. */
  instructions: StageInstruction[]
  /** The base image, as the Dockerfile names it; undefined if there is none, or only the engine knows it. */
  baseImage?: string
  /** Name of the stage on which the lowest of `own` is built. */
  baseStage?: string
  /** References that this run sets in the engine; the moving tag only if it promotes: a local one would hide the registry's from later builds. */
  tags: string[]
  /** key=value */
  labels: string[]
}

/** key=value */
export interface Labels {
  builder: string[]
  /** Labels of the cache stages. */
  stages: string[]
  production: string[]
}

export interface StageBuildParts {
  dockerfile: Dockerfile
  /** Indices of the stages. */
  builderStage: number
  targetStage: number
  cacheStages: readonly CacheStage[]
  refs: Refs
  decision: PublishDecision
  labels: Labels
  strategy: Pick<StrategyChoice, 'capabilities'>
  /** Whether the image is that of one of several platforms: then production's moving tag names an index that contains it. */
  isPart: boolean
}

/** Plans the builds in order: stages that the builder needs, the builder, the others in the order of the Dockerfile, production. */
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
  // one stage, tested and published: one build
  if (parts.builderStage === parts.targetStage) return [...builds, planProduction(parts, builder, images)]
  const candidate = candidateFor(parts, candidateOf(refs.movingBuilder))
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
  builds.push(planProduction(parts, builder, images))
  return builds
}

function planProduction(parts: StageBuildParts, builder: Stage, images: readonly StageImage[]): StageBuild {
  const { dockerfile, targetStage, refs, decision, labels, isPart } = parts
  return {
    kind: 'production',
    ...placeOf(parts, stageAt(dockerfile, targetStage), builder, images),
    reference: refs.production,
    cacheSource: refs.movingProduction,
    keptCache: keptCacheOf(refs.movingProduction),
    // no candidate: the run pushes the commit tag first, which is the same image
    ...(!isPart && { moving: refs.movingProduction }),
    tags: [
      ...(decision.push ? productionRefs(refs) : [refs.production]),
      ...(decision.publish && !isPart ? [refs.movingProduction] : []),
      // the tests run by this name
      ...(builder.index === targetStage ? [refs.builder] : [])
    ],
    labels: labels.production
  }
}

type Place = Pick<StageBuild, 'stage' | 'name' | 'images' | 'own' | 'instructions' | 'baseImage' | 'baseStage'>

function planCache(parts: StageBuildParts, { stage, containedIn }: CacheStage): Omit<StageBuild, keyof Place> {
  const { refs, decision, labels } = parts
  const { local = '', moving = '', candidate: inspected = '' } = refs.stages[keyOf(stage)] ?? {}
  const common = { kind: 'cache', reference: local, labels: labels.stages } as const
  if (containedIn !== undefined) {
    const source = { builder: refs.movingBuilder, production: refs.movingProduction }
    return { ...common, cacheSource: source[containedIn], tags: [local] }
  }
  const candidate = candidateFor(parts, inspected)
  const tags = [local, ...(decision.publish ? [moving] : []), ...(candidate ? [candidate] : [])]
  return { ...common, cacheSource: moving, moving, ...(candidate !== undefined && { candidate }), tags }
}

/** Returns the candidate tag if the run promotes; undefined without cache metadata, because then there is nothing to inspect. */
function candidateFor({ decision, strategy }: StageBuildParts, candidate: string): string | undefined {
  return decision.publish && strategy.capabilities.cacheMetadata ? candidate : undefined
}

/** Returns the properties that follow from the place of a stage in the Dockerfile. */
function placeOf(
  { dockerfile, strategy }: StageBuildParts,
  stage: Stage,
  builder: Stage,
  images: readonly StageImage[]
): Place {
  const { triggerHistory } = strategy.capabilities
  // in the chain of FROM, only the builder stage is replaced: otherwise this image would lack the cache metadata of the others
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

/** Splits the builds into those up to and including the builder stage, which may be the production stage, and those after it. */
export function splitAtBuilder(builds: readonly StageBuild[]): [StageBuild[], StageBuild[]] {
  const builder = builds.findIndex(({ kind }) => kind === 'builder')
  const end = builder === -1 ? builds.length : builder + 1
  return [builds.slice(0, end), builds.slice(end)]
}
