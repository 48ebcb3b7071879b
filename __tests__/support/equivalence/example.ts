import type { Files } from '../../../testbed/source-repository.ts'

/** A Dockerfile with what belongs to it. */
export interface Example {
  name: string
  /** The text of the Dockerfile. */
  dockerfile: (images: ExampleImages) => string
  /** Files of the build context besides `app.txt` and `src/main.txt`. */
  files?: Files
  /** Inputs of the action; each is given to docker, too. */
  inputs?: Record<string, string>
  /** Variables of the job. */
  env?: Record<string, string>
  /** The line of the Dockerfile for which every engine refuses it. */
  failsAt?: number
}

export interface ExampleImages {
  /** An image with a shell. */
  base: string
  /** The same one by its digest. */
  pinned: string
}

/** Arguments of `docker build` for the inputs of the action. */
export function dockerArgs(inputs: Partial<Record<string, string>>): string[] {
  const lines = (name: string): string[] => (inputs[name] ?? '').split('\n').filter((line) => line !== '')
  return [
    ...['--file', inputs.file ?? 'Dockerfile'],
    ...lines('build-args').flatMap((arg) => ['--build-arg', arg]),
    ...lines('secrets').flatMap((secret) => ['--secret', `id=${secret.split('=')[0]},env=SECRET`]),
    ...lines('labels').flatMap((label) => ['--label', label]),
    ...lines('platform').flatMap((platform) => ['--platform', platform])
  ]
}
