import { statSync } from 'node:fs'
import { type BuildContext, findBuildContext } from '../action/build-inputs.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { atLeast, type EngineInfo } from '../docker/engine-info.ts'
import type { Dockerfile } from '../dockerfile/model.ts'
import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'

/** The inputs that not every builder supports. */
export type BuilderInputs = Pick<
  PublicInputs,
  | ('secrets' | 'secretFiles' | 'secretEnvs' | 'ssh' | 'ulimit' | 'buildContexts')
  | ('noCacheFilters' | 'annotations' | 'provenance' | 'sbom')
>

/** Returns the names of the inputs that are set and that the legacy builder lacks. */
export function inputsForBuildKit(inputs: BuilderInputs): string[] {
  const isOfEnvironment = (id: string): boolean => inputs.secretEnvs.some((other) => other.id === id)
  return [
    ...named('secrets', !inputs.secrets.every(isOfEnvironment)),
    ...named('secret-files', inputs.secretFiles.length > 0),
    ...named('secret-envs', inputs.secretEnvs.length > 0),
    ...named('ssh', inputs.ssh.length > 0),
    ...named('build-contexts', inputs.buildContexts.length > 0),
    ...named('no-cache-filters', inputs.noCacheFilters.length > 0),
    ...inputsForManifests(inputs)
  ]
}

/** Returns the names of the inputs that are set and change the manifest of an image: only the containerd store keeps it. */
function inputsForManifests({ annotations, provenance, sbom }: BuilderInputs): string[] {
  return [
    ...named('annotations', annotations.length > 0),
    ...named('provenance', provenance !== undefined),
    ...named('sbom', sbom !== undefined)
  ]
}

function named(name: string, isSet: boolean): string[] {
  return isSet ? [name] : []
}

/** The first buildx with `--build-context` and `--no-cache-filter`, and that with `--attest` and `--annotation`. */
const BUILDX_FOR_STAGES = '0.8.0'
const BUILDX_FOR_MANIFESTS = '0.12.0'

/**
 * Validates that the engine and its client support what the inputs ask for: docker ignores some of it without a word.
 *
 * @throws UserError
 */
export function checkBuilderInputs(
  inputs: BuilderInputs,
  { version, store, buildx }: Pick<EngineInfo, 'version' | 'store' | 'buildx'>,
  { client }: { client: string }
): void {
  // docker build with its own BuildKit client ignores ulimits (docker/cli 20.10, cli/command/image/build_buildkit.go)
  const forBuildx = [
    ...named('build-contexts', inputs.buildContexts.length > 0),
    ...named('no-cache-filters', inputs.noCacheFilters.length > 0),
    ...(client === 'integrated' ? named('ulimit', inputs.ulimit.length > 0) : [])
  ]
  const forManifests = inputsForManifests(inputs)
  const [first] = [...forManifests, ...forBuildx]
  const least = forManifests.length > 0 ? BUILDX_FOR_MANIFESTS : BUILDX_FOR_STAGES
  if (first !== undefined && (buildx === undefined || !atLeast(buildx, least))) {
    const has = buildx === undefined ? 'this docker client has none' : `this docker client has ${buildx}`
    throw new UserError(`Input ${first} needs buildx ${least} or later, and ${has}; upgrade it, or remove the input`)
  }
  const [manifest] = forManifests
  if (manifest !== undefined && store !== 'containerd') {
    throw new UserError(
      `Input ${manifest} needs the containerd image store, and this engine (Docker ${version}) has the store ${store}; remove the input, or turn on the feature containerd-snapshotter of the engine`
    )
  }
}

/**
 * Validates that no named context takes the place of a stage, which the action builds and tests, and that folders exist.
 *
 * @throws UserError
 */
export function checkBuildContexts({ stages }: Dockerfile, contexts: readonly BuildContext[]): void {
  for (const { name } of stages) {
    const context = name === undefined ? undefined : findBuildContext(contexts, name)
    if (context) {
      throw new UserError(
        `Input build-contexts has the name ${quote(context.name)}, which is a stage of the Dockerfile; give the context another name`
      )
    }
  }
  for (const { name, value, kind } of contexts) {
    if (kind !== 'folder' || statSync(value, { throwIfNoEntry: false })?.isDirectory()) continue
    throw new UserError(
      `Input build-contexts: the folder of the context ${quote(name)} was not found: ${quote(value)}; give a folder, or docker-image://IMAGE for an image`
    )
  }
}
