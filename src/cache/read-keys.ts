import { type BuildContext, findBuildContext, imageOfContext } from '../action/build-inputs.ts'
import { valuesOfBuildArgs } from '../action/passed-variables.ts'
import type { Docker } from '../docker/docker.ts'
import { failureOf } from '../docker/errors.ts'
import { readDockerignore } from '../dockerfile/dockerignore.ts'
import { timeOf } from '../lib/bounds.ts'
import type { Log } from '../lib/log.ts'
import type { Timeline } from '../lib/timeline.ts'
import { within } from '../lib/within.ts'
import type { Plan } from '../plan/plan.ts'
import { inspectInEngine, pull } from '../registry/client-images.ts'
import type { ImageRecord } from '../registry/image.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'
import { look } from '../registry/look.ts'
import { repositoryOf } from '../registry/reference.ts'
import type { Registry } from '../registry/registry.ts'
import {
  computeContentKeys,
  contextSelections,
  type ImageIdentity,
  identityOf,
  imagesForKeys,
  type Platform
} from './content-keys.ts'
import { type ContextDescription, describeContext } from './context-entries.ts'
import type { Selection } from './context-tree.ts'
import type { ContentKeys } from './key-tags.ts'

/** What the content keys of a run are read from. */
export interface KeysRun {
  plan: Plan
  docker: Docker
  registry: Registry
  /** The environment of docker: build arguments may name its variables. */
  childEnv: Readonly<Record<string, string>>
  log: Log
  timeline: Timeline
  signal: AbortSignal
}

/** The content keys of a run, and the digests of the external images that they are made of. */
export interface ReadKeys {
  keys: ContentKeys
  /** By reference; an image that only the engine has has none. */
  digests: ReadonlyMap<string, string>
  /** References of the images that the engine had; undefined if it could not list them. */
  inEngine?: readonly string[]
}

/** Reads the build context and the external images, and computes the content keys of all stages that the run builds. */
export async function readContentKeys(run: KeysRun): Promise<ReadKeys> {
  const { plan } = run
  const { inputs, dockerfile, strategy } = plan
  const stages = [plan.builderStage, plan.targetStage]
  const platform = platformOf(plan)
  const buildArgs = valuesOfBuildArgs(run.plan.inputs.buildArgs, run.childEnv)
  const isCross = inputs.platform !== undefined && inputs.platform !== plan.engine.platform
  const contextOf = (name: string): BuildContext | undefined => findBuildContext(inputs.buildContexts, name)
  const namedContext = (name: string): BuildContext['kind'] | undefined => contextOf(name)?.kind
  const facts = { buildArgs, platform, isCross, chainsConfig: !strategy.capabilities.cacheMetadata, namedContext }
  const likely = contextSelections(dockerfile, stages, facts)
  const inEngine = await listImages(run)
  const [read, likelyContext] = await Promise.all([
    readImages(run, inEngine, imagesForKeys(dockerfile, stages, buildArgs, platform, namedContext)),
    describeContexts(plan, likely)
  ])
  const images = new Map(read.map(({ name, identity }) => [name, identity]))
  const selections = contextSelections(dockerfile, stages, { ...facts, images })
  // paths may contain variables of a base image
  const isAll = JSON.stringify(selections) === JSON.stringify(likely)
  const context = isAll ? likelyContext : await describeContexts(plan, selections)
  const runOptions = {
    addHosts: inputs.addHosts,
    ...(inputs.network !== undefined && { network: inputs.network }),
    ...(inputs.shmSize !== undefined && { shmSize: inputs.shmSize }),
    ...(inputs.ulimit.length > 0 && { ulimit: inputs.ulimit })
  }
  const keys = computeContentKeys(dockerfile, stages, { ...facts, images, context, runOptions })
  const digests = read.flatMap(({ reference, digest }): [string, string][] =>
    digest === undefined ? [] : [[reference, digest]]
  )
  return { keys, digests: new Map(digests), ...(inEngine && { inEngine }) }
}

function platformOf({ inputs, engine }: Plan): Platform | undefined {
  const [os, architecture, variant] = (inputs.platform ?? engine.platform ?? '').split('/')
  if (!os || !architecture) return undefined
  return { os, architecture, ...(variant !== undefined && { variant }) }
}

/** Describes the build context and the named contexts that are folders, each as far as the selections take something of it. */
async function describeContexts(
  { inputs, dockerignore }: Plan,
  selections: readonly Selection[]
): Promise<ContextDescription> {
  const names = [...new Set(selections.map(({ context }) => context))]
  const all = await Promise.all(
    names.map(async (name): Promise<[string | undefined, ContextDescription]> => {
      const of = selections.filter(({ context }) => context === name)
      if (name === undefined) return [name, await describeContext(inputs.context, dockerignore, of)]
      const { value: folder = '' } = findBuildContext(inputs.buildContexts, name) ?? {}
      return [name, await describeContext(folder, await readDockerignore(folder, undefined), of)]
    })
  )
  const described = new Map(all)
  return { take: (selection) => described.get(selection.context)?.take(selection) }
}

interface FoundImage {
  reference: string
  /** undefined if it cannot be read. */
  identity?: ImageIdentity
  digest?: string
}

interface ExternalImage extends FoundImage {
  /** As the Dockerfile has it; `reference` may be the image of a named context. */
  name: string
}

/** Reads the external images as the builds will find them: in the engine, which they prefer, and else in the registries. */
async function readImages(
  run: KeysRun,
  inEngine: readonly string[] | undefined,
  references: readonly string[]
): Promise<ExternalImage[]> {
  return Promise.all(
    references.map(async (name): Promise<ExternalImage> => {
      const context = findBuildContext(run.plan.inputs.buildContexts, name)
      const reference = context ? imageOfContext(context) : name
      return { name, ...(await readImage(run, inEngine, reference, context !== undefined)) }
    })
  )
}

/** @param isContext whether it is the image of a named context */
async function readImage(
  run: KeysRun,
  inEngine: readonly string[] | undefined,
  reference: string,
  isContext: boolean
): Promise<FoundImage> {
  if (!isReference(reference)) return { reference }
  const isHere = inEngine === undefined || inEngine.some((other) => isSame(other, reference))
  const here = isHere ? await readInEngine(run, reference) : undefined
  // the build may ask the registry first: only if that has the same image it is known which one the build uses
  const mustBeOfRegistry = isContext || run.plan.inputs.pull
  if (here) return mustBeOfRegistry && here.digest === undefined ? { reference } : here
  const image = (await look(run.registry, reference)).image
  return image ? found(reference, image, image.digest) : { reference }
}

/**
 * Reads an external image in the engine. If its registry has a newer one, the engine pulls that: an engine that is kept would
 * build on the old one for ever. An image that did not come from this registry stays, because the workflow may have built it,
 * unless the input `pull` is set.
 */
async function readInEngine(run: KeysRun, reference: string): Promise<FoundImage | undefined> {
  const { docker, registry, plan, signal, log } = run
  const inspect = async (): Promise<ImageRecord | undefined> => (await inspectInEngine(docker, reference, signal)).image
  const digestOf = async (name: string): Promise<string | undefined> =>
    (await within(timeOf('look'), registry.digest(name)))?.value
  const here = await inspect()
  if (here === undefined) return undefined
  const now = await digestOf(reference)
  if (now === undefined || now === here.digest) return found(reference, here, now)
  // the containerd store gives images that were built here a digest, too
  const isOfRegistry = async (): Promise<boolean> =>
    here.digest !== undefined &&
    (plan.engine.store !== 'containerd' || (await digestOf(`${repositoryOf(reference)}@${here.digest}`)) !== undefined)
  const { platform, retries } = plan.inputs
  const isPulled = plan.inputs.pull || (await isOfRegistry())
  const failure = isPulled ? await pull({ ...run, platform, retries }, reference) : undefined
  if (isPulled && failure === undefined) {
    const pulled = await inspect()
    return pulled && found(reference, pulled, pulled.digest)
  }
  const uses = `The build uses the image ${reference} of the engine, not the one that the registry has`
  if (failure) log.warning(`${uses}, because that cannot be pulled (${failure.message})`)
  else log.notice(`${uses}: it did not come from that registry`)
  return found(reference, here)
}

function found(reference: string, image: ImageRecord, digest?: string): FoundImage {
  return { reference, identity: identityOf(image), ...(digest !== undefined && { digest }) }
}

/** Returns the references of all images in the engine: none on a new runner, without a question about each. */
async function listImages({ docker, signal }: Pick<KeysRun, 'docker' | 'signal'>): Promise<string[] | undefined> {
  const result = await docker.call(
    ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}\n{{.Repository}}@{{.Digest}}'],
    { signal, bound: 'image' }
  )
  return failureOf(result) === undefined
    ? result.stdout.split('\n').filter((line) => !line.includes('<none>'))
    : undefined
}

/** @param listed as the engine lists it: any text */
function isSame(listed: string, reference: string): boolean {
  return isReference(listed) && sameReference(listed, reference)
}
