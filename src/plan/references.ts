import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { UserError } from '../lib/errors.ts'
import { isTag, sameReference } from '../registry/image-reference.ts'
import type { CacheStage } from './cache-stages.ts'

/** Full references of the images of a run. */
export interface Refs {
  /** This commit's builder image, only in the engine. */
  builder: string
  /** This commit's production image. */
  production: string
  movingBuilder: string
  movingProduction: string
  /** By the name of the cache stage: this commit's image, only in the engine, and the moving tag. */
  stages: Record<string, { local: string; moving: string }>
  /** Further tags of the production image from the user, without the references above. */
  further: string[]
}

/** @throws UserError if a tag would be too long */
export function makeRefs(
  inputs: Pick<PublicInputs, 'image' | 'builderTag' | 'latestTag' | 'tags'>,
  commit: Pick<Commit, 'shortSha'>,
  cacheStages: readonly Pick<CacheStage, 'stage'>[]
): Refs {
  const reference = (tag: string): string => {
    if (isTag(tag)) return `${inputs.image}:${tag}`
    throw new UserError(
      `The tag ${tag} would be too long for a registry; give the stage a shorter name, or set the input cache-stages to none`
    )
  }
  const ours = [inputs.builderTag, inputs.latestTag]
  const taken = [...ours, ...ours.map(candidateOf), keptCacheOf(inputs.latestTag)]
  const stages = cacheStages.map(({ stage }) => {
    const name = nameOf(stage)
    const tag = taken.includes(name) ? `stage-${name}` : name
    return [name, { local: reference(`${tag}-${commit.shortSha}`), moving: reference(tag) }] as const
  })
  const refs = {
    builder: reference(`${inputs.builderTag}-${commit.shortSha}`),
    production: reference(commit.shortSha),
    movingBuilder: reference(inputs.builderTag),
    movingProduction: reference(inputs.latestTag),
    stages: Object.fromEntries(stages)
  }
  // the user's tags may include a moving tag, e.g. from docker/metadata-action: only promotion may set it
  const held = [refs.production, refs.builder, ...movingTags(refs)]
  const further = inputs.tags.filter(
    (tag, index, tags) =>
      !held.some((ref) => sameReference(ref, tag)) && tags.findIndex((other) => sameReference(other, tag)) === index
  )
  return { ...refs, further }
}

/** Returns the moving tags, which only runs of the publishing branch set. */
export function movingTags(refs: Pick<Refs, 'movingBuilder' | 'movingProduction' | 'stages'>): string[] {
  return [refs.movingBuilder, ...Object.values(refs.stages).map(({ moving }) => moving), refs.movingProduction]
}

/** Returns the candidate tag, under which the action inspects an image before promotion, for a moving tag or its reference. */
export function candidateOf(moving: string): string {
  return `${moving}-next`
}

/** Returns the tag of the kept cache, for production's moving tag or its reference. */
export function keptCacheOf(latest: string): string {
  return `${latest}-cache`
}
