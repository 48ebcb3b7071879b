import semver from 'semver'
import { messageOf, UserError } from '../lib/errors.ts'
import { type ExecResult, exec } from '../lib/exec.ts'
import { quote } from '../lib/text.ts'
import type { Timeline } from '../lib/timeline.ts'

export interface CallOptions {
  /** Variables beyond the common environment: DOCKER_BUILDKIT, the values of secrets. */
  env?: Record<string, string>
  input?: string
  signal?: AbortSignal
  /** Milliseconds without any output after which the call is given up: its result then is a failure with no exit code. */
  patience?: number
  onOutput?: (chunk: Buffer) => void
  capture?: boolean
}

/** The docker command line. Every call of docker in this project goes through it. */
export interface Docker {
  /** Runs `docker ARGS…`; a non-zero exit is a result, not an error. */
  call(args: readonly string[], options?: CallOptions): Promise<ExecResult>
}

/** Docker as it is on PATH. */
export class DockerCli implements Docker {
  readonly #env: Record<string, string>
  readonly #timeline: Timeline

  /**
   * @param env the environment of every call, as `childEnvironment` makes it
   * @param timeline gets every call
   */
  constructor(env: Record<string, string>, timeline: Timeline) {
    this.#env = env
    this.#timeline = timeline
  }

  async call(args: readonly string[], options: CallOptions = {}): Promise<ExecResult> {
    const { patience, signal, onOutput, ...rest } = options
    const silence = new Silence(patience)
    const all = {
      ...rest,
      env: { ...this.#env, ...options.env },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      onOutput: (chunk: Buffer) => {
        silence.interrupt()
        onOutput?.(chunk)
      }
    }
    try {
      return await this.#timeline.measure('command', nameOf(args), () => exec('docker', args, all))
    } catch (error) {
      if (patience !== undefined && silence.signal.aborted && !signal?.aborted) {
        return { exitCode: null, stdout: '', stderr: `no answer within ${patience / 1_000} seconds` }
      }
      if (messageOf(error).includes('Unable to locate executable file')) {
        throw new UserError('There is no docker command on PATH; run this action on a runner that has Docker')
      }
      throw error
    } finally {
      silence.end()
    }
  }
}

/** Aborts its signal after so many milliseconds without an interruption; never if there is no such number. */
class Silence {
  readonly #longest: number | undefined
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(longest: number | undefined) {
    this.#longest = longest
    this.interrupt()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  interrupt(): void {
    clearTimeout(this.#timer)
    if (this.#longest !== undefined) this.#timer = setTimeout(() => this.#controller.abort(), this.#longest)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** `docker push`, `docker buildx imagetools inspect`: the words before the first that is no command. */
function nameOf(args: readonly string[]): string {
  const end = args.findIndex((word) => !/^[a-z]+$/.test(word))
  return ['docker', ...args.slice(0, end === -1 ? args.length : Math.max(1, end))].join(' ')
}

/**
 * What docker and its credential helpers read of the environment. INPUT_* and the runner's own tokens are not among it, and neither is
 * BUILDX_NO_DEFAULT_LOAD: tests run in the image that was built.
 * Sources: docker/cli docs "Environment variables", buildx docs "Configure Buildx with environment variables".
 */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|XDG_.*|DOCKER_.*|BUILDX_(?!NO_DEFAULT_LOAD$).*|BUILDKIT_.*|COMPOSE_.*|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL|FTP)_PROXY|AWS_.*|GOOGLE_.*|CLOUDSDK_.*|AZURE_.*|SystemRoot|ProgramData|ProgramFiles|APPDATA|LOCALAPPDATA|USERPROFILE|PATHEXT|ComSpec)$/i

/** @param asked further variables that the user's own inputs name: `--env NAME`, a build argument without a value */
export function childEnvironment(
  env: Record<string, string | undefined>,
  asked: readonly string[] = []
): Record<string, string> {
  const passed = Object.entries(env).filter(([name]) => PASSED_ON.test(name) || asked.includes(name))
  return Object.fromEntries(passed.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Whether the docker command says that the engine did not answer it (docker/cli, moby client/errors.go). */
export function isEngineGone(text: string): boolean {
  return /cannot connect to the docker daemon|is the docker daemon running|error during connect|docker\.sock: |dial unix |(read|write) unix |failed to connect to the docker API/i.test(
    text
  )
}

/** Milliseconds in which an engine answers whether it is there. */
const ENGINE_ANSWERS_WITHIN = 10_000

/** Why the engine does not answer any more, in docker's words; undefined if it does. */
export async function whyEngineGone(docker: Docker): Promise<string | undefined> {
  const args = ['version', '--format', '{{.Server.Version}}']
  return docker.call(args, { patience: ENGINE_ANSWERS_WITHIN }).then(failureOf, messageOf)
}

/** Milliseconds in which an engine tells what it is, on a busy machine. */
const ENGINE_TELLS_WITHIN = 60_000

/** What the engine says of itself. */
export interface EngineInfo {
  version: string
  /** `containerd`, or the name of the graph driver: overlay2, vfs, … */
  store: string
  /** Version of the buildx plugin of the client; undefined where there is none. */
  buildx: string | undefined
  /** Name of the client's docker context, which is also the name of buildx's builder inside the engine. */
  context: string
  /** Registries that the engine may ask without TLS, or with any certificate: host[:port], and address ranges in CIDR notation. */
  insecure: { hosts: string[]; ranges: string[] }
}

/**
 * Asks the engine what it is.
 *
 * @throws UserError if there is no docker, no engine, no permission to use it, or one that runs Windows containers
 */
export async function readEngineInfo(docker: Docker, signal?: AbortSignal): Promise<EngineInfo> {
  const { exitCode, stdout, stderr } = await docker.call(['info', '--format', '{{json .}}'], {
    patience: ENGINE_TELLS_WITHIN,
    ...(signal && { signal })
  })
  const info = parseInfo(stdout)
  const complaint = [...(info?.ServerErrors ?? []), stderr.trim()].find((text) => text !== '')
  if (!info?.ServerVersion) {
    throw new UserError(
      `The Docker engine does not answer (${complaint ?? `docker info ended with exit code ${exitCode}`}); start it, or check DOCKER_HOST, the docker context and the permissions of its socket`
    )
  }
  if (info.OSType !== 'linux') {
    throw new UserError(
      `The Docker engine runs ${info.OSType} containers; this action needs Linux containers, as on ubuntu-latest`
    )
  }
  const driverType = info.DriverStatus?.find(([name]) => name === 'driver-type')?.[1]
  return {
    version: info.ServerVersion,
    store: driverType?.startsWith('io.containerd.snapshotter') ? 'containerd' : info.Driver,
    buildx: info.ClientInfo?.Plugins?.find(({ Name }) => Name === 'buildx')?.Version,
    context: info.ClientInfo?.Context || 'default',
    insecure: {
      hosts: Object.entries(info.RegistryConfig?.IndexConfigs ?? {}).flatMap(([name, index]) =>
        index.Secure === false ? [name] : []
      ),
      ranges: info.RegistryConfig?.InsecureRegistryCIDRs ?? []
    }
  }
}

/** Shape of `docker info --format '{{json .}}'`, as far as it is read: moby/moby api/types/system/info.go, api/types/registry, docker/cli cli/command/system/info.go. */
interface Info {
  ServerVersion?: string
  ServerErrors?: string[]
  OSType: string
  Driver: string
  DriverStatus?: [string, string][] | null
  RegistryConfig?: {
    InsecureRegistryCIDRs?: string[] | null
    IndexConfigs?: Record<string, { Secure?: boolean }> | null
  }
  ClientInfo?: { Context?: string; Plugins?: { Name: string; Version?: string }[] | null }
}

function parseInfo(text: string): Info | undefined {
  try {
    return JSON.parse(text) as Info
  } catch {
    return undefined
  }
}

/**
 * The buildx driver of a builder: docker, docker-container, kubernetes, remote, cloud.
 *
 * @throws UserError if there is no such builder
 */
export async function readBuilderDriver(docker: Docker, builder: string, signal?: AbortSignal): Promise<string> {
  const result = await docker.call(['buildx', 'inspect', builder], signal === undefined ? {} : { signal })
  const driver = /^Driver:\s+(\S+)/m.exec(result.stdout)?.[1]
  if (result.exitCode !== 0 || driver === undefined) {
    throw new UserError(
      `Input builder names ${quote(builder)}, but docker buildx inspect does not know it: ${lastLine(result.stderr)}`
    )
  }
  return driver
}

/** true if a version as engines and plugins print it ("20.10.24+dfsg1", "v0.29.1", "0.13.1+ds1-3") is at least `least`. */
export function atLeast(version: string, least: string): boolean {
  const coerced = semver.coerce(version)
  return coerced !== null && semver.gte(coerced, least)
}

/**
 * What docker said of why it failed; undefined if it did not. Its last line may only repeat a word of the one before:
 * `error from registry: unknown`, then `unknown`.
 */
export function failureOf({ exitCode, stderr }: ExecResult): string | undefined {
  if (exitCode === 0) return undefined
  const [last = '', before = ''] = linesOf(stderr).toReversed()
  return (before.includes(last) ? before : last) || `exit code ${exitCode}`
}

/** The last line that says something, where docker puts its error. */
export function lastLine(text: string): string {
  return linesOf(text).at(-1) ?? ''
}

function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
