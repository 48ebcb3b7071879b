import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { UserError } from '../lib/errors.ts'
import { isTag, sameReference } from '../registry/image-reference.ts'
import type { CacheStage } from './cache-stages.ts'

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

/** The tag under which an image is inspected before it is promoted; of a tag or a reference. */
export function candidateOf(moving: string): string {
  return `${moving}-next`
}

/** Where an earlier production image is kept as a cache, if the newest is a worse one; of a tag or a reference. */
export function keptCacheOf(latest: string): string {
  return `${latest}-cache`
}
