import { failureOf } from '../docker/errors.ts'
import { callInSection } from '../docker/transfer.ts'
import { CancelledError } from '../lib/errors.ts'
import { retry } from '../lib/retry.ts'
import type { RawManifest } from './client.ts'
import { failureOfWords, transientFailure } from './client-words.ts'
import type { Answer, RegistryFailure } from './failure.ts'
import { digestIn, imagesIn } from './image.ts'
import type { RegistryOptions } from './options.ts'
import { digestOf } from './reference.ts'

/** What a reference names: an index, or a single image. */
export interface IndexContent {
  digest: string
  /** Digests of the images in the index, without attestations; of a single image, its own. */
  images: string[]
}

export function contentOf({ bytes, digest }: Pick<RawManifest, 'bytes' | 'digest'>): IndexContent {
  const images = imagesIn({ bytes }).flatMap((entry) => digestIn(entry) ?? [])
  return { digest, images: images.length > 0 ? images : [digest] }
}

/** Reads the content of a reference through the docker client (docker/buildx docs/reference/buildx_imagetools_inspect.md, `--raw`). */
export async function contentByClient(
  { docker, signal }: Pick<RegistryOptions, 'docker' | 'signal'>,
  reference: string
): Promise<Answer<IndexContent>> {
  const args = ['buildx', 'imagetools', 'inspect', '--raw', reference]
  const result = await docker.call(args, { signal, bound: 'client-inspect' })
  const error = failureOf(result)
  if (error !== undefined) return { failure: failureOfWords(error, reference) }
  return { value: contentOf({ bytes: Buffer.from(result.stdout), digest: digestOf(result.stdout) }) }
}

/**
 * Makes an index of images of one repository, and gives it a tag: the registry gets only the index
 * (docker/buildx docs/reference/buildx_imagetools_create.md).
 *
 * @param annotations key=value
 */
export async function createIndex(
  options: Pick<RegistryOptions, 'docker' | 'retries' | 'log' | 'timeline' | 'signal'>,
  reference: string,
  images: readonly string[],
  annotations: readonly string[]
): Promise<RegistryFailure | undefined> {
  const { signal } = options
  const title = `Join ${reference}`
  const marks = annotations.flatMap((annotation) => ['--annotation', `index:${annotation}`])
  const args = ['buildx', 'imagetools', 'create', ...marks, '--tag', reference, ...images]
  const failure = await retry(
    options,
    title,
    async () => {
      const error = failureOf(await callInSection(options, 'publish', title, args, signal))
      return error === undefined ? undefined : failureOfWords(error, reference)
    },
    transientFailure
  )
  // docker may exit with 0 after SIGTERM
  if (failure === undefined && signal.aborted) throw new CancelledError()
  return failure
}
