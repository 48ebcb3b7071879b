import { join } from 'node:path'
import { type ContentKeys, chainOfKeys, shortKey } from '../cache/key-tags.ts'
import { readKeysLabel } from '../cache/keys-label.ts'
import type { Docker } from '../docker/docker.ts'
import { failureOf } from '../docker/errors.ts'
import { readImageId } from '../docker/image-id.ts'
import { callInSection } from '../docker/transfer.ts'
import { CancelledError, messageOf, UserError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Timeline } from '../lib/timeline.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { VARIANT_LABEL } from '../plan/variant.ts'
import { pull } from '../registry/client-images.ts'
import type { ImageRecord } from '../registry/image.ts'
import { sameReference } from '../registry/image-reference.ts'
import { ARCHIVE_FILE, type HandedImage, type HandOff } from '../result/hand-off.ts'
import { digestOfFile } from './hand-on.ts'

/** The services with which a machine fetches images. */
export interface Fetching {
  docker: Docker
  log: Log
  timeline: Timeline
  platform: string | undefined
  retries: number
  signal: AbortSignal
}

/**
 * Brings images of a hand-off into the engine, under their names there. A pull by digest, and the digest of an archive, prove that they
 * are the images that were handed on.
 *
 * @param folder of the hand-off
 * @throws UserError
 */
export async function fetchHanded(
  fetching: Fetching,
  { image, transport, digest }: HandOff,
  folder: string,
  images: readonly HandedImage[]
): Promise<void> {
  if (transport === 'artifact') return load(fetching, join(folder, ARCHIVE_FILE), digest, images)
  for (const handed of images) {
    const source = `${image}@${handed.digest}`
    const failure = await pull(fetching, source, `Pull ${handed.reference}`)
    if (failure) {
      throw new UserError(
        failure.kind === 'absent'
          ? `The registry no longer has ${source}, the image that was handed on; run all jobs again (${failure.message})`
          : `${source} could not be pulled (${failure.message})`
      )
    }
    await setName(fetching, source, handed.reference)
  }
}

/** Gives an image in the engine a further name. */
export async function setName(
  { docker, signal }: Pick<Fetching, 'docker' | 'signal'>,
  image: string,
  name: string
): Promise<void> {
  const failure = failureOf(await docker.call(['tag', image, name], { signal, bound: 'image' }))
  if (failure !== undefined) throw new Error(`Cannot tag ${image} as ${name} (${failure})`)
}

async function load(
  fetching: Fetching,
  archive: string,
  digest: string,
  images: readonly HandedImage[]
): Promise<void> {
  const own = await digestOfFile(archive, fetching.signal).catch((error: unknown) => {
    if (error instanceof CancelledError) throw error
    throw new UserError(
      `Cannot read ${archive}, the archive of the hand-off (${messageOf(error)}); download the whole artifact`
    )
  })
  if (own !== digest) {
    throw new UserError(
      `${archive} is another archive (${own}) than the one that was handed on (${digest}); run all jobs again`
    )
  }
  const result = await callInSection(
    fetching,
    'fetch',
    'Load the images',
    ['load', '--input', archive],
    fetching.signal,
    { sets: images.map(({ reference }) => reference) }
  )
  const failure = failureOf(result)
  if (failure !== undefined) throw new UserError(`The images in ${archive} could not be loaded (${failure})`)
  // a name of its own could take the place of a base image
  const loaded = [...result.stdout.matchAll(/^Loaded image: (\S+)$/gm)].map(([, name = '']) => name)
  const others = loaded.filter((name) => !images.some(({ reference }) => sameReference(reference, name)))
  if (others.length > 0) {
    throw new UserError(
      `${archive} has other images than those that were handed on (${others.join(', ')}); run all jobs again`
    )
  }
}

/** Returns the engine's ID of an image. */
export async function idInEngine(
  { docker, signal }: Pick<Fetching, 'docker' | 'signal'>,
  name: string
): Promise<string> {
  const { id, failure } = await readImageId(docker, name, signal)
  if (failure !== undefined) throw new UserError(`${name} is not in what was handed on (${failure})`)
  return id
}

/** Returns why a hand-off is not one for this plan: one clause; undefined if it is. */
export function whyOtherPlan(
  plan: Plan,
  handOff: HandOff,
  images: readonly string[],
  runId: string
): string | undefined {
  const { inputs, commit, variant, buildArgs } = plan
  if (handOff.runId !== runId) return `it is of the workflow run ${handOff.runId || 'without an ID'}`
  if (handOff.commit !== commit.sha) return `it is of commit ${handOff.commit}, and this step builds ${commit.sha}`
  if (handOff.image !== inputs.image) return `it is of ${handOff.image}, and the input image is ${inputs.image}`
  if (handOff.variant !== variant) return 'its tags, target, platform, context or Dockerfile are others'
  if (handOff.buildArgs !== buildArgs) return 'its build arguments are others'
  const names = handOff.images.map(({ reference }) => reference)
  return handOff.digest === '' || names.join() === images.join() ? undefined : 'its stages are others'
}

/** Returns why an image is not what this run would build of a stage: one clause; undefined if it is, as far as its labels tell. */
export function whyOtherContent(
  { commit, variant }: Plan,
  stage: StageBuild,
  keys: ContentKeys,
  { labels }: ImageRecord
): string | undefined {
  const { [REVISION_LABEL]: revision = '', [VARIANT_LABEL]: ofImage = '' } = labels
  if (revision !== commit.sha) return `it is an image of commit ${revision || 'unknown'}`
  if (ofImage !== (stage.kind === 'production' ? variant : '')) return 'it is the image of another stage'
  const own = chainOfKeys(stage, keys)
  const recorded = readKeysLabel(labels)?.chain ?? []
  const other = own.findIndex(({ key }, index) => (key === undefined ? '' : shortKey(key)) !== recorded[index]?.key)
  if (other === -1 && own.length === recorded.length) return undefined
  const line = own[other]?.line
  return `it was built of other content${line === undefined ? '' : ` (line ${line} of the Dockerfile)`}: the files of this checkout differ, or a base image has moved or cannot be inspected now`
}
