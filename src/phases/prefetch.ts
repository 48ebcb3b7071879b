import { findChanges } from '../cache/changes.ts'
import { takenFrom } from '../cache/context-files.ts'
import { type ImageRecord, layersBelow, ownHistoryStart, recordedInstructions } from '../cache/image.ts'
import { stagesNeededFor } from '../dockerfile.ts'
import { INPUTS_LABEL } from '../fingerprint.ts'
import { parseReference } from '../image-ref.ts'
import { type Plan, REVISION_LABEL } from '../plan.ts'
import type { Run } from '../run.ts'
import { baseImageOf, type StageBuild } from '../stage-build.ts'
import { sameImage } from '../strategy/bases.ts'
import type { Strategy } from '../strategy/strategy.ts'

/**
 * Has the engine fetch and unpack, while the builder is built, what the builds after it will find in the cache: an engine unpacks
 * the layers of an image one after the other, and leaves the other cores to that. What cannot be had is no error.
 *
 * It is a solve of images alone, which has no step in common with those of the Dockerfile: steps that two solves at once have
 * in common make BuildKit miss at random.
 */
export async function prefetch(run: Run, strategy: Strategy, signal: AbortSignal): Promise<void> {
  const { plan, docker, log, timeline } = run
  if (plan.strategy.client !== 'buildx') return
  const references = await findPrefetched(run, strategy)
  if (references.length === 0) return
  log.info(`Fetched while the builder is built: ${references.join(', ')}`)
  const { platform } = plan.inputs
  const args = [
    ...['buildx', 'build', '--builder', plan.buildxBuilder, '--output', 'type=cacheonly'],
    ...(platform === undefined ? [] : ['--platform', platform]),
    '-'
  ]
  const options = { signal, input: prefetchDockerfile(references), capture: false }
  await timeline.measure('Fetch beforehand', () => docker.call(args, options))
}

/** To copy a file that no image has, BuildKit must have unpacked the image; a pattern that fits none is no error. */
export function prefetchDockerfile(references: readonly string[]): string {
  const names = references.map((_, index) => `shared-docker-layers-${index}`)
  return [
    ...references.flatMap((reference, index) => [
      `FROM scratch AS ${names[index]}`,
      `COPY --from=${reference} /shared-docker-layers-non[e] /`
    ]),
    'FROM scratch',
    ...names.map((name) => `COPY --from=${name} / /`),
    ''
  ].join('\n')
}

async function findPrefetched({ plan, git, github }: Run, strategy: Strategy): Promise<string[]> {
  const afterBuilder = plan.builds.slice(plan.builds.findIndex(({ kind }) => kind === 'builder') + 1)
  const reads = afterBuilder.map(({ cacheSource }) => strategy.readPublished(cacheSource))
  const images = (await Promise.all(reads)).map(({ image }) => image)
  const latest = images.at(-1)
  // the label of the newest production image speaks for the images of its run
  const isSameDockerfile = latest?.labels[INPUTS_LABEL] === plan.fingerprints.inputs
  const commit = latest?.labels[REVISION_LABEL]
  const { context } = plan.inputs
  const { changed = [] } =
    isSameDockerfile && commit !== undefined
      ? await findChanges(git, github, commit, plan.build, { context, file: plan.file })
      : {}
  return choosePrefetched(plan, isSameDockerfile ? images : [], changed)
}

/**
 * The images that are worth fetching: for each build after the builder that which it takes its cache from or else, where too
 * little of it would be of use, its base image.
 *
 * @param images what is published of each build, as far as it was made of this Dockerfile
 * @param changed paths that are known to have changed since
 */
export function choosePrefetched(
  plan: Pick<Plan, 'builds' | 'dockerfile' | 'builderStage' | 'dockerignore'>,
  images: readonly (ImageRecord | undefined)[],
  changed: string[]
): string[] {
  const builder = plan.builds.findIndex(({ kind }) => kind === 'builder')
  const bases = plan.builds.slice(0, builder + 1).flatMap((build) => baseImageOf(build) ?? [])
  const chosen: string[] = []
  for (const [index, build] of plan.builds.slice(builder + 1).entries()) {
    const image = images[index]
    const base = baseImageOf(build)
    if (image && isWorthFetching(plan, build, image, changed)) chosen.push(build.cacheSource)
    else if (base !== undefined && isReference(base) && !bases.some((other) => sameImage(other, base))) {
      chosen.push(base)
      bases.push(base)
    }
  }
  return [...new Set(chosen)]
}

/** Of an image's own bytes, how many may be fetched in vain. */
const MOST_WASTE = 0.1

function isWorthFetching(
  { dockerfile, builderStage, dockerignore }: Pick<Plan, 'dockerfile' | 'builderStage' | 'dockerignore'>,
  build: StageBuild,
  image: ImageRecord,
  changed: string[]
): boolean {
  const start = ownHistoryStart(image, build)
  const { layerSizes } = image
  if (start === undefined || layerSizes?.length !== image.layers.length) return false
  const instructions = recordedInstructions(build, 'inline')
  const isOfBuilder = (index: number): boolean => {
    const stage = dockerfile.stages[index]
    return stage !== undefined && stagesNeededFor(dockerfile, stage).includes(builderStage.index)
  }
  const [root] = build.own
  if (root?.baseStage !== undefined && isOfBuilder(root.baseStage)) return false
  const firstAnew = instructions.findIndex(
    ({ copiesFrom, contextSources, excludes }) =>
      copiesFrom.some(isOfBuilder) || takenFrom(changed, contextSources, excludes, dockerignore).length > 0
  )
  const own = layersBelow(image, start)
  const useful = firstAnew === -1 ? image.layers.length : layersBelow(image, start + firstAnew)
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0)
  const wasted = sum(layerSizes.slice(useful))
  return useful > own && wasted <= MOST_WASTE * sum(layerSizes.slice(own))
}

function isReference(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}
