import { atLeast, type EngineInfo } from '../docker/engine-info.ts'
import type { Dockerfile } from '../dockerfile/model.ts'
import { UserError } from '../lib/errors.ts'
import { type BuilderInputs, inputsForBuildKit } from './builder-inputs.ts'

/** The capabilities and needs of a strategy: all that code outside `strategy/` knows of it. */
export interface Capabilities {
  /** Whether an image serves as a cache through its cache metadata, which the action can inspect in the registry. */
  cacheMetadata: boolean
  /** Whether the history of an image has an entry for each ONBUILD. */
  triggerHistory: boolean
  /** Whether builds reuse the layers of published images at all. */
  reusesLayers: boolean
  /** Whether the engine can prefetch images in a separate solve. */
  prefetch: boolean
  /** Whether builds start from the images of the stages built before, in a rewritten Dockerfile. */
  replacesStages: boolean
  /** Whether an image in the engine hides the cache source of the same name: with a graph driver's store (moby/moby localinlinecache). */
  hidesCacheSource: boolean
}

/** The strategy for this engine, and its consequences for the docker commands. */
export interface StrategyChoice {
  name: 'inline' | 'legacy'
  /** `buildx`: docker buildx build. `integrated`: docker build with the BuildKit client inside the docker client (20.10). `legacy`: without BuildKit. */
  client: 'buildx' | 'integrated' | 'legacy'
  progress: 'rawjson' | 'plain'
  capabilities: Capabilities
  /** The reason for the choice, as one sentence for people. */
  reason: string
  /** Cause and remedy, if this engine cannot share the cache reliably for this Dockerfile, or the action ignores DOCKER_BUILDKIT. */
  warning?: string
}

/**
 * Chooses the strategy by the properties that the engine reports.
 * Sources: the measurements in `__tests__/e2e`; moby/buildkit#2274 (every second build misses, fixed in BuildKit 0.14),
 * moby/buildkit#5242 (broken in 27.0 and 27.1).
 *
 * @param dockerBuildkit the user's DOCKER_BUILDKIT
 * @param differences what the two builders make differently of this Dockerfile: then docker's own choice counts
 * @throws UserError if no builder on this machine can build this Dockerfile
 */
export function selectStrategy(
  engine: EngineInfo,
  dockerfile: Dockerfile,
  inputs: BuilderInputs,
  dockerBuildkit: string | undefined,
  differences: readonly string[] = []
): StrategyChoice {
  const needs = [
    ...dockerfile.buildKitFeatures,
    ...(isBuildKitDefault(engine, dockerBuildkit) ? differences : []),
    ...inputsForBuildKit(inputs).map((name) => `input ${name}`)
  ].join(', ')
  const forgets = whyBuildKitForgets(engine)
  const notLegacy = needs === '' ? whyLegacyForgets(engine) : `the Dockerfile needs BuildKit (${needs})`
  const reason = dockerBuildkit === '0' ? 'DOCKER_BUILDKIT is 0' : forgets

  if (reason !== undefined && notLegacy === undefined) return { ...LEGACY, reason }
  if (engine.buildx === undefined && !hasIntegratedBuildKit(engine)) {
    if (needs === '') {
      const capabilities = { ...LEGACY.capabilities, reusesLayers: false }
      const reason = `Docker ${engine.version} has no buildx`
      return { ...LEGACY, capabilities, reason, warning: unreliable(forgets, notLegacy) }
    }
    throw new UserError(
      `The Dockerfile needs BuildKit (${needs}), but this docker client has no buildx; install the package docker-buildx or docker-buildx-plugin`
    )
  }
  const choice = buildKit(engine)
  if (forgets !== undefined) return { ...choice, warning: unreliable(forgets, notLegacy) }
  if (dockerBuildkit !== '0') return choice
  return { ...choice, warning: `Ignoring DOCKER_BUILDKIT=0: ${notLegacy}; remove that variable` }
}

/** The legacy builder uses any image as a cache, but only if it is in the engine. */
const LEGACY = {
  name: 'legacy',
  client: 'legacy',
  progress: 'plain',
  capabilities: {
    cacheMetadata: false,
    triggerHistory: true,
    reusesLayers: true,
    prefetch: false,
    replacesStages: true,
    // it pulls the cache source
    hidesCacheSource: false
  }
} as const

/** BuildKit reads cache metadata in the registry, and has no history of ONBUILD (dockerfile2llb/convert.go, dispatchOnbuild). */
const BUILDKIT = { cacheMetadata: true, triggerHistory: false, reusesLayers: true } as const

function unreliable(...causes: (string | undefined)[]): string {
  const known = causes.filter((cause) => cause !== undefined).join(', and ')
  return `Unchanged layers may be rebuilt: ${known}; upgrade to Docker 28 or later, with buildx`
}

/** Returns why BuildKit's inline cache is unreliable on this engine; undefined if it is reliable. */
function whyBuildKitForgets({ version, store, buildx }: EngineInfo): string | undefined {
  if (buildx === undefined) return `Docker ${version} has no buildx`
  if (store === 'containerd') {
    return atLeast(version, '26.1.0') ? undefined : `the containerd store of Docker ${version} is older than 26.1`
  }
  return atLeast(version, '27.2.0')
    ? undefined
    : `BuildKit in Docker ${version} with the ${store} store loses the cache of every second build (fixed in 27.2)`
}

/**
 * Returns why the legacy builder cannot share layers on this engine; undefined if it can. On the containerd store the build
 * fails when it restores from the cache a step without a layer ("failed to read diff archive", seen on 26.1 and 28.5), or a
 * step that it already has ("moby-dangling@sha256:… failed because it already exists", seen on 28.5).
 */
function whyLegacyForgets({ store, version }: EngineInfo): string | undefined {
  return store === 'containerd'
    ? `the legacy builder of Docker ${version} cannot use a cache with the containerd store`
    : undefined
}

function buildKit(engine: EngineInfo): StrategyChoice {
  const reason = `Docker ${engine.version} with the ${engine.store} store and ${engine.buildx === undefined ? 'no buildx' : `buildx ${engine.buildx}`}`
  const hidesCacheSource = engine.store !== 'containerd'
  if (engine.buildx === undefined) {
    return {
      ...{ name: 'inline', client: 'integrated', progress: 'plain', reason },
      capabilities: { ...BUILDKIT, prefetch: false, replacesStages: true, hidesCacheSource }
    }
  }
  // docker/buildx supports rawjson since 0.13
  const progress = atLeast(engine.buildx, '0.13.0') ? 'rawjson' : 'plain'
  return {
    name: 'inline',
    client: 'buildx',
    // plain progress undercounts the cached steps, so it cannot prove that no tested step was executed again
    capabilities: { ...BUILDKIT, prefetch: true, replacesStages: progress === 'plain', hidesCacheSource },
    progress,
    reason
  }
}

/** Returns whether `docker build` itself uses BuildKit (docker/cli cmd/docker/builder.go). */
function isBuildKitDefault(engine: EngineInfo, dockerBuildkit: string | undefined): boolean {
  if (dockerBuildkit === '0') return false
  return hasIntegratedBuildKit(engine) ? dockerBuildkit === '1' : engine.buildx !== undefined
}

/** Returns whether the docker client includes a BuildKit client: 18.09 to 22; later it needs buildx (docker/cli cli/command/image/build.go). */
function hasIntegratedBuildKit({ version }: EngineInfo): boolean {
  return atLeast(version, '18.9.0') && !atLeast(version, '23.0.0')
}
