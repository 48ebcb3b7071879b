import type { Secret } from '../action/inputs.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { option, optional } from '../docker/command-line.ts'

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
    ...option('--ssh', inputs.ssh)
  ]
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
