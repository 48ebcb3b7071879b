import { valuesOfBuildArgs } from '../action/passed-variables.ts'
import type { Docker } from '../docker/docker.ts'
import { failureOf } from '../docker/errors.ts'
import { within } from '../lib/within.ts'
import type { Plan } from '../plan/plan.ts'
import { inspectInEngine } from '../registry/client-images.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'
import type { Registry } from '../registry/registry.ts'
import {
  computeContentKeys,
  contextSelections,
  type ImageIdentity,
  identityOf,
  imagesForKeys,
  type Platform
} from './content-keys.ts'
import { describeContext } from './context-entries.ts'
import type { ContentKeys } from './key-tags.ts'

/** What the content keys of a run are read from. */
export interface KeysRun {
  plan: Plan
  docker: Docker
  registry: Registry
  /** The environment of docker: build arguments may name its variables. */
  childEnv: Readonly<Record<string, string>>
  signal: AbortSignal
}

/** The content keys of a run, and the digests of the external images that they are made of. */
export interface ReadKeys {
  keys: ContentKeys
  /** By reference; an image of the engine has none. */
  digests: ReadonlyMap<string, string>
}

/** Reads the build context and the external images, and computes the content keys of all stages that the run builds. */
export async function readContentKeys(run: KeysRun): Promise<ReadKeys> {
  const { plan } = run
  const { inputs, dockerfile, strategy } = plan
  const stages = [plan.builderStage, plan.targetStage]
  const platform = platformOf(plan)
  const buildArgs = valuesOfBuildArgs(run.plan.inputs.buildArgs, run.childEnv)
  const isCross = inputs.platform !== undefined && inputs.platform !== plan.engine.platform
  const facts = { buildArgs, platform, isCross, chainsConfig: !strategy.capabilities.cacheMetadata }
  const likely = contextSelections(dockerfile, stages, facts)
  const [read, likelyContext] = await Promise.all([
    readImages(run, imagesForKeys(dockerfile, stages, buildArgs, platform)),
    describeContext(inputs.context, plan.dockerignore, likely)
  ])
  const images = new Map(read.map(({ reference, identity }) => [reference, identity]))
  const selections = contextSelections(dockerfile, stages, { ...facts, images })
  // paths may contain variables of a base image
  const isAll = JSON.stringify(selections) === JSON.stringify(likely)
  const context = isAll ? likelyContext : await describeContext(inputs.context, plan.dockerignore, selections)
  const runOptions = {
    addHosts: inputs.addHosts,
    ...(inputs.network !== undefined && { network: inputs.network }),
    ...(inputs.shmSize !== undefined && { shmSize: inputs.shmSize })
  }
  const keys = computeContentKeys(dockerfile, stages, { ...facts, images, context, runOptions })
  const digests = read.flatMap(({ reference, digest }): [string, string][] =>
    digest === undefined ? [] : [[reference, digest]]
  )
  return { keys, digests: new Map(digests) }
}

function platformOf({ inputs, engine }: Plan): Platform | undefined {
  const [os, architecture, variant] = (inputs.platform ?? engine.platform ?? '').split('/')
  if (!os || !architecture) return undefined
  return { os, architecture, ...(variant !== undefined && { variant }) }
}

/** Milliseconds for a registry to describe an image, with retries: the builds wait for the keys, and work without. */
const REGISTRY_ANSWERS_WITHIN = 20_000

/** Milliseconds for the engine to list its images. */
const ENGINE_ANSWERS_WITHIN = 30_000

interface ExternalImage {
  reference: string
  /** undefined if it cannot be read. */
  identity?: ImageIdentity
  digest?: string
}

/** Reads the external images: those in the engine, which a build prefers, and else those in the registries. */
async function readImages(
  { docker, registry, signal }: Pick<KeysRun, 'docker' | 'registry' | 'signal'>,
  references: readonly string[]
): Promise<ExternalImage[]> {
  const inEngine = await listImages(docker, signal)
  return Promise.all(
    references.map(async (reference): Promise<ExternalImage> => {
      if (!isReference(reference)) return { reference }
      const isHere =
        inEngine === undefined || inEngine.some((other) => isReference(other) && sameReference(other, reference))
      const here = isHere ? (await inspectInEngine(docker, reference, signal)).image : undefined
      if (here) return { reference, identity: identityOf(here) }
      const image = (await within(REGISTRY_ANSWERS_WITHIN, registry.published(reference)))?.image
      if (!image) return { reference }
      return { reference, identity: identityOf(image), ...(image.digest !== undefined && { digest: image.digest }) }
    })
  )
}

/** Returns the references of all images in the engine: none on a new runner, without a question about each. */
async function listImages(docker: Docker, signal: AbortSignal): Promise<string[] | undefined> {
  const result = await docker.call(
    ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}\n{{.Repository}}@{{.Digest}}'],
    { signal, patience: ENGINE_ANSWERS_WITHIN }
  )
  return failureOf(result) === undefined
    ? result.stdout.split('\n').filter((line) => !line.includes('<none>'))
    : undefined
}
