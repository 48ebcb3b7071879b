import { messageOf, UserError } from '../lib/errors.ts'
import { type ExecResult, exec } from '../lib/exec.ts'
import type { Timeline } from '../lib/timeline.ts'

export interface CallOptions {
  /** Variables in addition to the common environment: DOCKER_BUILDKIT, the values of secrets. */
  env?: Record<string, string>
  input?: string
  signal?: AbortSignal
  /** Milliseconds without any output after which the call times out: the result is then a failure without an exit code. */
  patience?: number
  onOutput?: (chunk: Buffer) => void
  capture?: boolean
}

/** The docker client. Every call of docker in this project uses this interface. */
export interface Docker {
  /** Runs `docker ARGS…`. A non-zero exit code is a result, not an error. */
  call(args: readonly string[], options?: CallOptions): Promise<ExecResult>
}

/** The docker client on PATH. */
export class DockerCli implements Docker {
  readonly #env: Record<string, string>
  readonly #timeline: Timeline

  /**
   * @param env the environment of every call, from `childEnvironment`
   * @param timeline records every call
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

/** Aborts its signal after `longest` milliseconds without an interruption, or never if `longest` is undefined. */
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

/** Returns the words before the first one that is not a command: `docker push`, `docker buildx imagetools inspect`. */
function nameOf(args: readonly string[]): string {
  const end = args.findIndex((word) => !/^[a-z]+$/.test(word))
  return ['docker', ...args.slice(0, end === -1 ? args.length : Math.max(1, end))].join(' ')
}
