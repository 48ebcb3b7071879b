import type { Stage, StageInstruction } from '../dockerfile/model.ts'
import { chainOf, nameOf, stagesNeededFor, triggersOf } from '../dockerfile/stage-graph.ts'
import type { CacheStage } from './cache-stages.ts'
import type { PlanParts } from './plan.ts'

/** A stage that is built by itself, from one cache source. */
export interface StageBuild {
  kind: 'builder' | 'cache' | 'production'
  stage: Stage
  /** The name of the stage for people and tags: `stage-2` for the third one if it has none, as BuildKit says. */
  name: string
  /** The image of this commit. Of a builder or cache stage it is only ever in the engine. */
  reference: string
  /** The image of earlier runs that holds the layers of this stage. */
  cacheSource: string
  /** The tag that later runs take as their cache; undefined if another image holds the layers. */
  moving: string | undefined
  /** Where the image is pushed to be looked at before `moving` moves; undefined if it is looked at elsewhere, or cannot be. */
  candidate: string | undefined
  /** Stages that are images by then, with their references: what is built on them is built on what was tested. */
  images: ReadonlyMap<number, string>
  /** The stages whose layers the build itself makes, the lowest first: the stage, and what its FROM leads to up to an image. */
  own: Stage[]
  /** References that this run gives to the image here; the moving one only if it moves in the registry, because a local one would hide the registry's from a later build. */
  tags: string[]
  /** key=value */
  labels: string[]
}

/** First what the builder needs, then the builder, then the others in the order of the Dockerfile, and production. */
export function planBuilds(parts: PlanParts): StageBuild[] {
  const { dockerfile, builderStage, targetStage, cacheStages, refs, decision, labels, strategy } = parts
  const forBuilder = new Set(stagesNeededFor(dockerfile, builderStage))
  const images = new Map<number, string>()
  const take = (stage: Stage): Pick<StageBuild, 'images' | 'own'> => {
    // of the stages that it is built on only the builder is an image: else their records would not be in this image
    const chain = chainOf(dockerfile, stage)
    const given = new Map([...images].filter(([index]) => index === builderStage.index || !chain.includes(index)))
    const own = chain.slice(chain.findLastIndex((index) => given.has(index)) + 1)
    return { images: given, own: dockerfile.stages.filter(({ index }) => own.includes(index)) }
  }
  // images of the legacy builder have no cache metadata to inspect
  const canCheck = strategy.name === 'inline'

  const cache = ({ stage, containedIn }: CacheStage): StageBuild => {
    const name = nameOf(stage)
    const { local = '', moving = '' } = refs.stages[name] ?? {}
    const source = { builder: refs.movingBuilder, production: refs.movingProduction }
    const published = containedIn === undefined
    const candidate = published && decision.publish && canCheck ? candidateOf(moving) : undefined
    const build: StageBuild = {
      kind: 'cache',
      stage,
      name,
      reference: local,
      cacheSource: containedIn === undefined ? moving : source[containedIn],
      moving: published ? moving : undefined,
      candidate,
      ...take(stage),
      tags: [local, ...(published && decision.publish ? [moving] : []), ...(candidate ? [candidate] : [])],
      labels: labels.stages
    }
    images.set(stage.index, local)
    return build
  }

  const builds = cacheStages.filter(({ stage }) => forBuilder.has(stage.index)).map(cache)
  const candidate = decision.publish && canCheck ? candidateOf(refs.movingBuilder) : undefined
  builds.push({
    kind: 'builder',
    stage: builderStage,
    name: nameOf(builderStage),
    reference: refs.builder,
    cacheSource: refs.movingBuilder,
    moving: refs.movingBuilder,
    candidate,
    ...take(builderStage),
    tags: [refs.builder, ...(decision.publish ? [refs.movingBuilder] : []), ...(candidate ? [candidate] : [])],
    labels: labels.builder
  })
  images.set(builderStage.index, refs.builder)
  builds.push(...cacheStages.filter(({ stage }) => !forBuilder.has(stage.index)).map(cache))
  builds.push({
    kind: 'production',
    stage: targetStage,
    name: nameOf(targetStage),
    reference: refs.production,
    cacheSource: refs.movingProduction,
    moving: refs.movingProduction,
    // the commit's tag is pushed first, and is the same image
    candidate: undefined,
    ...take(targetStage),
    tags: [
      refs.production,
      ...(decision.publish ? [refs.movingProduction] : []),
      ...(decision.push ? refs.further : [])
    ],
    labels: labels.production
  })
  return builds
}

/** The builds up to the builder's, and those after it. */
export function splitAtBuilder(builds: readonly StageBuild[]): [StageBuild[], StageBuild[]] {
  const end = builds.findIndex(({ kind }) => kind === 'builder') + 1
  return [builds.slice(0, end), builds.slice(end)]
}

export function candidateOf(moving: string): string {
  return `${moving}-next`
}

/** The instructions that the build itself executes for the image, in order; triggers where they are executed, too. */
export function ownInstructions({ own }: StageBuild): StageInstruction[] {
  return own.flatMap(({ instructions }, index) => [...triggersOf(own[index - 1]), ...instructions])
}

/** The image outside the Dockerfile that it is built on, as the Dockerfile names it; undefined if there is none, or only the engine knows. */
export function baseImageOf({ own, images }: StageBuild): string | undefined {
  const [root] = own
  return root?.baseStage !== undefined && images.has(root.baseStage) ? undefined : root?.baseImage
}
