import type { PublicInputs } from '../action/secrets.ts'
import { option, optional } from '../docker/command-line.ts'
import { RUN_LABEL } from '../docker/containers.ts'

/** One test's container. The entrypoint is replaced, so that an image's own ENTRYPOINT does not get the command as its arguments. */
export function testArgs(inputs: PublicInputs, image: string, command: string, name: string, runId: string): string[] {
  return [
    'run',
    ...option('--env', ['CI=true']),
    // we show what it prints; docker would keep all of it on disk besides
    ...option('--log-driver', ['none']),
    ...option('--platform', optional(inputs.platform)),
    ...inputs.testOptions,
    // after the user's: of options that are given twice docker takes the last
    ...option('--name', [name]),
    ...option('--label', [`${RUN_LABEL}=${runId}`]),
    ...option('--entrypoint', ['sh']),
    image,
    '-c',
    command
  ]
}
