import type { PublicInputs } from '../action/secrets.ts'
import { shellArgs, type Test } from '../action/tests.ts'
import { option, optional } from '../docker/command-line.ts'
import { RUN_LABEL } from '../docker/containers.ts'

/** Returns the docker arguments of a test. They replace the image's ENTRYPOINT, which would get the command as its arguments. */
export function testArgs(
  inputs: Pick<PublicInputs, 'testOptions' | 'platform'>,
  image: string,
  { command, options }: Test,
  name: string,
  runId: string
): string[] {
  return [
    'run',
    ...option('--env', ['CI=true']),
    // the action prints the output; docker would keep all of it on disk as well
    ...option('--log-driver', ['none']),
    ...option('--platform', optional(inputs.platform)),
    ...inputs.testOptions,
    ...options,
    // after the user's options: docker uses the last of repeated options
    ...option('--name', [name]),
    ...option('--label', [`${RUN_LABEL}=${runId}`]),
    ...option('--entrypoint', ['sh']),
    image,
    ...shellArgs(command)
  ]
}
