import { AsyncLocalStorage } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { StringDecoder } from 'node:string_decoder'
import { exec as actionsExec } from '@actions/exec'
import { CancelledError } from './errors.ts'

export interface ExecOptions {
  cwd?: string
  /** The whole environment of the child; nothing is inherited. */
  env: Record<string, string>
  /** Written to the child's standard input, which is then closed. */
  input?: string
  /** Kills the child when aborted, and lets none start after that. */
  signal?: AbortSignal
  /** Gets every chunk as it comes, standard output and standard error alike. */
  onOutput?: (chunk: Buffer) => void
  /** false: stdout and stderr of the result stay empty, for output without bounds. */
  capture?: boolean
}

export interface ExecResult {
  /** null if a signal ended the child. */
  exitCode: number | null
  stdout: string
  stderr: string
}

/** Milliseconds between SIGTERM and SIGKILL of a child; the runner itself waits 2.5 s after its last signal. */
const KILL_AFTER = 2_000

/** Milliseconds between a child's end and that of its streams; a grandchild may hold them, and with them us, for ever. */
const STREAMS_CLOSE_WITHIN = 2_000

interface Call {
  child?: ChildProcess
  signal: AbortSignal | undefined
  hasInput: boolean
}

const calls = new AsyncLocalStorage<Call>()

// @actions/exec hands out no child to kill; Node announces every child it spawns here, in the caller's async context
subscribe('child_process', (message) => {
  const call = calls.getStore()
  if (!call) return
  const { process: child } = message as { process: ChildProcess }
  call.child = child
  child.once('spawn', () => {
    // a child may end without having read its input
    child.stdin?.on('error', () => {})
    // @actions/exec leaves the pipe open if it has nothing to write, and a child that reads it would wait for ever
    if (!call.hasInput) child.stdin?.end()
    if (call.signal?.aborted) end(child)
  })
  child.once('exit', () => {
    const close = (): void => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    const timer = setTimeout(close, call.signal?.aborted ? 0 : STREAMS_CLOSE_WITHIN)
    child.once('close', () => clearTimeout(timer))
  })
})

function end(child: ChildProcess | undefined): void {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER)
  child.once('exit', () => clearTimeout(timer))
}

/**
 * Runs a program without a shell and waits for it. Prints nothing.
 *
 * @param tool a constant name, looked up on PATH: @actions/exec would split it at spaces
 * @throws CancelledError if `signal` was aborted before it ran, or ended it
 * @throws what `onOutput` throws, after the child was ended
 * @throws Error if the program is not on PATH
 */
export async function exec(tool: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { signal, onOutput, capture = true } = options
  if (signal?.aborted) throw new CancelledError()
  const stdout = new Text()
  const stderr = new Text()
  let failure: unknown
  const call: Call = { signal, hasInput: options.input !== undefined }
  const abort = (): void => end(call.child)
  const pass = (chunk: Buffer): void => {
    // thrown in a stream's listener it would end this process: a full disk, say
    try {
      onOutput?.(chunk)
    } catch (error) {
      failure ??= error
      end(call.child)
    }
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const exitCode: number | null = await calls.run(call, () =>
      actionsExec(tool, [...args], {
        silent: true,
        ignoreReturnCode: true,
        env: options.env,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.input === undefined ? {} : { input: Buffer.from(options.input) }),
        listeners: {
          stdout: (chunk) => {
            if (capture) stdout.add(chunk)
            pass(Buffer.from(chunk))
            endLine(chunk)
          },
          stderr: (chunk) => {
            if (capture) stderr.add(chunk)
            pass(Buffer.from(chunk))
            endLine(chunk)
          }
        }
      })
    )
    if (failure !== undefined) throw failure
    // what ended well although it was told to stop has been done
    if (signal?.aborted && exitCode !== 0) throw new CancelledError()
    return { exitCode, stdout: stdout.end(), stderr: stderr.end() }
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** @actions/exec gets the chunk after us and keeps what has no end of line, all of it anew with every chunk: nobody reads it. */
function endLine(chunk: Buffer): void {
  if (chunk.length > 0) chunk[chunk.length - 1] = 10
}

/** Collects chunks that may split a UTF-8 character. */
class Text {
  readonly #decoder = new StringDecoder('utf8')
  #text = ''

  add(chunk: Buffer): void {
    this.#text += this.#decoder.write(chunk)
  }

  end(): string {
    return this.#text + this.#decoder.end()
  }
}
