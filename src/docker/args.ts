import type { Inputs, Secret } from '../action/inputs.ts'

/** `docker build` as both builders understand it. */
export interface BuildArgs {
  file: string
  target: string | undefined
  tags: string[]
  /** key=value */
  labels: string[]
  idFile: string
}

/** Options that are the same for both stages, in the legacy builder too. */
export function commonBuildArgs(inputs: Inputs, build: BuildArgs): string[] {
  return [
    ...option('--file', [build.file]),
    ...option('--target', list(build.target)),
    ...option('--tag', build.tags),
    ...option('--label', build.labels),
    ...option('--build-arg', inputs.buildArgs),
    ...option('--add-host', inputs.addHosts),
    ...option('--network', list(inputs.network)),
    ...option('--platform', list(inputs.platform)),
    ...option('--shm-size', list(inputs.shmSize)),
    ...option('--iidfile', [build.idFile])
  ]
}

/** Options that only BuildKit knows. */
export function secretArgs(inputs: Inputs): string[] {
  return [
    ...option(
      '--secret',
      inputs.secrets.map(({ id }, index) => `id=${id},env=${secretVariable(index)}`)
    ),
    ...option('--ssh', inputs.ssh)
  ]
}

/** The environment that `secretArgs` names. */
export function secretEnvironment(secrets: readonly Secret[]): Record<string, string> {
  return Object.fromEntries(secrets.map(({ value }, index) => [secretVariable(index), value]))
}

function secretVariable(index: number): string {
  return `SHARED_DOCKER_LAYERS_SECRET_${index + 1}`
}

/** Our label on every container: its value is the run that made it. */
export const RUN_LABEL = 'shared-docker-layers.run'

/** One test's container. The entrypoint is replaced, so that an image's own ENTRYPOINT does not get the command as its arguments. */
export function testArgs(inputs: Inputs, image: string, command: string, name: string, runId: string): string[] {
  return [
    'run',
    ...option('--env', ['CI=true']),
    // we show what it prints; docker would keep all of it on disk besides
    ...option('--log-driver', ['none']),
    ...option('--platform', list(inputs.platform)),
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

/** Names of environment variables that the user's inputs pass on by name alone. */
export function variablesAskedFor(inputs: Inputs): string[] {
  const fromOptions = inputs.testOptions.flatMap((word, index, words) => {
    if (/^(--env|-e)$/.test(word)) return list(words[index + 1])
    const [, value] = /^(?:--env=|-e)(.+)$/.exec(word) ?? []
    return list(value)
  })
  return [...inputs.buildArgs, ...fromOptions].filter((text) => !text.includes('='))
}

/**
 * A command line that can be pasted into a POSIX shell.
 *
 * @param input lines for its standard input, ours
 */
export function replayable(args: readonly string[], env: Record<string, string> = {}, input?: string): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  const line = [...variables, 'docker', ...args.map(quoted)].join(' ')
  return input === undefined ? line : `${line} <<'EOF'\n${input}EOF`
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word)
}

/** A word between single quotes, for a POSIX shell. */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

function option(name: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [name, value])
}

function list(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}
