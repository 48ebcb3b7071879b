import type { Docker } from '../docker/docker.ts'
import { askEngine, digestIn } from '../docker/engine-api.ts'
import { atLeast } from '../docker/engine-info.ts'
import { failureOf } from '../docker/errors.ts'
import { readImageId } from '../docker/image-id.ts'
import { callInSection } from '../docker/transfer.ts'
import { CancelledError } from '../lib/errors.ts'
import { at, list, parseJson, text } from '../lib/json.ts'
import { retry } from '../lib/retry.ts'
import { failureOfWords, transientFailure } from './client-words.ts'
import { findCredentials, registryAuth } from './credentials.ts'
import { type Answer, answer, type RegistryFailure } from './failure.ts'
import { childOf, parseConfig, parseManifest, type ReadImage, runtimeOf, stringsOf } from './image.ts'
import { contentByClient } from './indexes.ts'
import type { RegistryOptions } from './options.ts'
import { addressOf, digestInRepository, digestOf, isDigest, repositoryOf } from './reference.ts'

/**
 * Inspects an image through the docker client, for a registry that the action cannot access itself. Documented in
 * docker/buildx docs/reference/buildx_imagetools_inspect.md: `--raw` (the manifest or index) and
 * `--format '{{json .Image}}'` (the config, without cache metadata).
 */
export async function inspectByClient(
  docker: Docker,
  reference: string,
  platform: string | undefined,
  signal: AbortSignal
): Promise<ReadImage> {
  const inspect = async (name: string, ...options: string[]): Promise<Answer<string>> => {
    const args = ['buildx', 'imagetools', 'inspect', ...options, name]
    const result = await docker.call(args, { signal, bound: 'client-inspect' })
    const error = failureOf(result)
    return error === undefined ? { value: result.stdout } : { failure: failureOfWords(error, reference) }
  }
  const top = await inspect(reference, '--raw')
  if (top.failure) return { failure: top.failure }
  const digest = digestOf(top.value)
  const name = `${repositoryOf(reference)}@${childOf({ bytes: Buffer.from(top.value) }, platform) ?? digest}`
  const [manifest, config] = await Promise.all([inspect(name, '--raw'), inspect(name, '--format', '{{json .Image}}')])
  const failure = manifest.failure ?? config.failure
  // the tag existed a moment ago
  if (failure) return { failure: failure.kind === 'absent' ? { ...failure, kind: 'unknown' } : failure }
  const bytes = Buffer.from(manifest.value ?? '')
  const sizes = parseManifest({ bytes })
  const configDigest = text(at(parseJson(bytes.toString()), 'config', 'digest'))
  const ids = [...new Set([digest, digestOf(bytes), configDigest])].filter(isDigest)
  const json = parseJson(config.value ?? '')
  if (at(json, 'rootfs') === undefined) return { failure: { kind: 'unknown', message: 'it is not an image' } }
  // the client does not return ONBUILD and cache metadata
  const { hasTriggers: _, ...record } = parseConfig(json)
  return { image: { ...record, recorded: 'unknown', digest, ids, ...(sizes && { manifest: sizes }) } }
}

/** Inspects an image in the engine, which does not expose its cache metadata. */
export async function inspectInEngine(docker: Docker, reference: string, signal: AbortSignal): Promise<ReadImage> {
  const calls = [
    ['image', 'inspect', '--format', '{{json .Config}}\n{{json .RootFS.Layers}}\n{{json .RepoDigests}}', reference],
    ['history', '--no-trunc', '--format', '{{json .CreatedBy}}', reference]
  ]
  const results = await Promise.all(calls.map((args) => docker.call(args, { signal, bound: 'image' })))
  const [error] = results.flatMap((result) => failureOf(result) ?? [])
  if (error !== undefined) return { failure: { kind: 'unknown', message: error } }
  const [config, layers, digests] = (results[0]?.stdout ?? '').split('\n').map((line) => parseJson(line))
  const history = (results[1]?.stdout ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ createdBy: text(parseJson(line)) }))
  const [digest] = list(digests).flatMap((one) => digestInRepository(text(one), reference) ?? [])
  return {
    image: {
      labels: stringsOf(at(config, 'Labels')),
      runtime: runtimeOf(config),
      layers: list(layers).map(text),
      history: history.reverse(),
      recorded: 'unknown',
      ...(digest !== undefined && { digest })
    }
  }
}

/**
 * Returns the digest of an image by the engine, which reads the registry with its own mirrors, certificates and list of insecure
 * registries, and pulls nothing (API DistributionInspect, since 1.30).
 *
 * @returns undefined if the engine cannot read it either
 */
export async function digestByEngine(
  { docker, env, signal }: Pick<RegistryOptions, 'docker' | 'env' | 'signal'>,
  reference: string
): Promise<Answer<string> | undefined> {
  const { registry, path, target } = addressOf(reference)
  const name = `${registry}/${path}${isDigest(target) ? '@' : ':'}${target}`
  const { value: found } = await answer(findCredentials(registry, env, signal))
  const { credentials } = found ?? {}
  const headers = credentials && { 'x-registry-auth': registryAuth(registry, credentials) }
  const told = await askEngine(docker, env, `/distribution/${name}/json`, headers ?? {}, signal)
  const digest = told?.status === 200 ? digestIn(told) : ''
  if (isDigest(digest)) return { value: digest }
  const message = text(at(told?.json, 'message'))
  // with 404, and 403 or 500 as well, the message is that of the registry
  const failure = message === '' ? undefined : failureOfWords(message, reference)
  return failure?.kind === 'absent' ? { failure } : undefined
}

type Engine = Pick<RegistryOptions, 'docker' | 'platform' | 'retries' | 'log' | 'timeline' | 'signal'>

/** Makes the engine pull an image. The message of a failure is the engine's own. */
export async function pull(
  options: Engine,
  reference: string,
  title = `Pull ${reference}`
): Promise<RegistryFailure | undefined> {
  const { platform, signal } = options
  const args = ['pull', ...(platform === undefined ? [] : ['--platform', platform]), reference]
  return retry(
    options,
    title,
    async () => {
      const error = failureOf(await callInSection(options, 'fetch', title, args, signal))
      return error === undefined ? undefined : failureOfWords(error, reference)
    },
    transientFailure
  )
}

/** Inspects an image that only the engine can fetch. The reference keeps its previous image in the engine. */
export async function pullAndInspect(options: Engine, reference: string): Promise<ReadImage> {
  const { docker, signal } = options
  const { id } = await readImageId(docker, reference, signal)
  const failure = await pull(options, reference)
  const read = failure ? { failure } : await inspectInEngine(docker, reference, signal)
  if (id !== '') await docker.call(['tag', id, reference], { signal, bound: 'image' })
  return read
}

/** Returns whether a reference names an index of several platforms, as far as the client can tell. */
async function hasPlatforms(options: Engine, reference: string): Promise<boolean> {
  const { value } = await contentByClient(options, reference)
  return (value?.images.length ?? 0) > 1
}

/** The first buildx that tags an image unchanged: others (0.13 has no --prefer-index) wrap it in an index, which changes the digest. */
const TAGS_AS_IT_IS = '0.16.0'

/**
 * Tags an image through the docker client: in another repository, which needs the blobs first, or if only the client has
 * access. Between two registries, the engine pulls and pushes the image, because the client does not guarantee to copy it
 * (docker/buildx docs/reference/buildx_imagetools_create.md).
 */
export async function tagByClient(
  options: Engine & Pick<RegistryOptions, 'buildx'>,
  image: string,
  reference: string
): Promise<RegistryFailure | undefined> {
  const { buildx, signal } = options
  const isOneRegistry = addressOf(image).registry === addressOf(reference).registry
  const asItIs = buildx !== undefined && atLeast(buildx, TAGS_AS_IT_IS) && isOneRegistry
  // the engine would pull the image of its own platform only
  const isIndex = buildx !== undefined && !asItIs && (await hasPlatforms(options, image))
  const create = ['buildx', 'imagetools', 'create']
  const calls = asItIs
    ? [[...create, '--prefer-index=false', '--tag', reference, image]]
    : isIndex
      ? [[...create, '--tag', reference, image]]
      : [
          ['pull', image],
          ['tag', image, reference],
          ['push', reference]
        ]
  for (const args of calls) {
    const title = `Tag ${reference}`
    const failure = await retry(
      options,
      title,
      async () => {
        const error = failureOf(await callInSection(options, 'publish', title, args, signal))
        // the names of the images are not part of the error
        const words = error?.replaceAll(reference, '')
        return words === undefined ? undefined : { ...failureOfWords(words, image), message: error ?? words }
      },
      transientFailure
    )
    if (failure) return failure
    // docker may exit with 0 after SIGTERM
    if (signal.aborted) throw new CancelledError()
  }
  return undefined
}
