import { BoundError, type BoundName } from '../lib/bounds.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { commandOf, type ExecResult, exec, type Stream } from '../lib/exec.ts'
import type { Timeline } from '../lib/timeline.ts'

export interface CallOptions {
  /** What ends the call if nothing else does: the result is then a failure without an exit code. */
  bound: BoundName
  /** Variables in addition to the common environment: DOCKER_BUILDKIT, the values of secrets. */
  env?: Record<string, string>
  input?: string
  signal?: AbortSignal
  onOutput?: (chunk: Buffer, stream: Stream) => void
  capture?: boolean
  /** Names that the call sets in the engine, if its arguments do not tell: those in an archive. */
  sets?: readonly string[]
}

/** The docker client. Every call of docker in this project uses this interface. */
export interface Docker {
  /** Runs `docker ARGS…`. A non-zero exit code is a result, not an error. */
  call(args: readonly string[], options: CallOptions): Promise<ExecResult>
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

  async call(args: readonly string[], options: CallOptions): Promise<ExecResult> {
    const all = { ...options, env: { ...this.#env, ...options.env } }
    try {
      return await this.#timeline.measure('command', commandOf('docker', args), () => exec('docker', args, all))
    } catch (error) {
      if (error instanceof BoundError) return { exitCode: null, stdout: '', stderr: error.message }
      if (messageOf(error).includes('Unable to locate executable file')) {
        throw new UserError('There is no docker command on PATH; run this action on a runner that has Docker')
      }
      throw error
    }
  }
}
