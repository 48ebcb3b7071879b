import type { Secret } from '../action/secret-inputs.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { option, optional } from '../docker/command-line.ts'
import { atLeast } from '../docker/engine-info.ts'
import { uncachedStages, usesCacheSource } from '../plan/no-cache.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild, StageImage } from '../plan/stage-builds.ts'
import { stagesBuiltBefore } from './stages-built-before.ts'

/** Options of `docker build` that both builders support. */
export interface BuildArgs {
  file: string
  target: string | undefined
  tags: string[]
  /** key=value */
  labels: string[]
  idFile: string
}

/** Returns the options that are the same for all stages, also with the legacy builder. */
export function commonBuildArgs(inputs: PublicInputs, build: BuildArgs): string[] {
  return [
    ...option('--file', [build.file]),
    ...option('--target', optional(build.target)),
    ...option('--tag', build.tags),
    ...option('--label', build.labels),
    ...option('--build-arg', inputs.buildArgs),
    ...option('--add-host', inputs.addHosts),
    ...option('--network', optional(inputs.network)),
    ...option('--platform', optional(inputs.platform)),
    ...option('--shm-size', optional(inputs.shmSize)),
    ...option('--ulimit', inputs.ulimit),
    ...option('--iidfile', [build.idFile])
  ]
}

/** Returns the options that only BuildKit supports. */
export function secretArgs(inputs: PublicInputs): string[] {
  return [
    ...option(
      '--secret',
      inputs.secrets.map((id, index) => `id=${id},env=${secretVariable(index)}`)
    ),
    ...option(
      '--secret',
      inputs.secretFiles.map(({ id, path }) => `id=${id},${csvField(`src=${path}`)}`)
    ),
    ...option('--ssh', inputs.ssh)
  ]
}

/** Docker reads the parts of such a value as the fields of a CSV record. */
function csvField(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Returns the options that only buildx supports. */
export function buildxOnlyArgs({ inputs, engine }: Plan, { kind }: StageBuild): string[] {
  const contexts = option(
    '--build-context',
    inputs.buildContexts.map(({ name, value }) => `${name}=${value}`)
  )
  // an attestation gives every push a new digest, and makes a single image an index; buildx adds one since 0.10
  const none = atLeast(engine.buildx ?? '0', '0.10.0') ? ['--provenance=false'] : []
  // only production is for others: attestations of what the tests run in are of no use to anybody
  if (kind !== 'production') return [...none, ...contexts]
  const { provenance, sbom, annotations } = inputs
  return [
    ...(provenance === undefined ? none : [`--provenance=${provenance}`]),
    ...(sbom === undefined ? [] : [`--sbom=${sbom}`]),
    ...option('--annotation', annotations),
    // buildx gives annotations only to an output that it is told (docker/buildx commands/build.go); this is the default one
    ...(annotations.length === 0 ? [] : ['--output', 'type=image']),
    ...contexts
  ]
}

/**
 * Returns the options that keep a build from older results.
 *
 * @param images the images that replace other stages in its Dockerfile
 */
export function freshnessArgs(plan: Plan, stage: StageBuild, images: readonly StageImage[]): string[] {
  return [
    // a registry has nothing under the names of this run's images, or something else
    ...(plan.inputs.pull && images.length === 0 ? ['--pull'] : []),
    ...noCacheArgs(plan, stage, images)
  ]
}

function noCacheArgs(plan: Plan, stage: StageBuild, images: readonly StageImage[]): string[] {
  const { dockerfile, strategy } = plan
  const uncached = uncachedStages(plan, stage)
  if (uncached.length === 0) return []
  const { before, own } = stagesBuiltBefore(dockerfile, stage)
  const isAlone = images.length > 0 || before.length === 0
  const names = own.flatMap(({ name }) => name ?? []).filter((name) => uncached.includes(name))
  const isAll = isAlone && uncached.length === own.length
  // docker cannot select a stage without a name; another stage that two builds need is executed twice then
  const isUnnamed = isAlone && names.length < uncached.length
  if (isAll || isUnnamed || strategy.client !== 'buildx') return ['--no-cache']
  return option('--no-cache-filter', names)
}

/** Returns the cache source of a build; undefined if it must not reuse anything of it. */
export function cacheSourceOf(plan: Plan, stage: StageBuild, cacheSource: string): string | undefined {
  return usesCacheSource(plan, stage) ? cacheSource : undefined
}

/**
 * Returns the environment variables that `secretArgs` names.
 *
 * @throws Error if the value of a secret is missing
 */
export function secretEnvironment(
  { secrets }: Pick<PublicInputs, 'secrets'>,
  values: readonly Secret[]
): Record<string, string> {
  return Object.fromEntries(
    secrets.map((id, index) => {
      // an id may be given twice
      const secret = values[index]?.id === id ? values[index] : values.find((other) => other.id === id)
      if (!secret) throw new Error(`The secret ${id} of the plan has no value here`)
      return [secretVariable(index), secret.value]
    })
  )
}

function secretVariable(index: number): string {
  return `SHARED_DOCKER_LAYERS_SECRET_${index + 1}`
}
