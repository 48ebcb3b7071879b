import { AsyncLocalStorage } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { StringDecoder } from 'node:string_decoder'
import { exec as actionsExec } from '@actions/exec'
import { BoundError, type BoundName, boundOf } from './bounds.ts'
import { CancelledError } from './errors.ts'

/** A stream of a program: each arrives in order, but none waits for the other. */
export type Stream = 'stdout' | 'stderr'

export interface ExecOptions {
  /** What ends the program if nothing else does. */
  bound: BoundName
  cwd?: string
  /** The whole environment of the child, which inherits nothing. */
  env: Record<string, string>
  /** The text to write to the child's standard input before closing it. */
  input?: string
  /** Kills the child when aborted, and prevents later starts. */
  signal?: AbortSignal
  /** Receives every chunk when it arrives. */
  onOutput?: (chunk: Buffer, stream: Stream) => void
  /** Whether the child leads a process group, whose processes all get the signals; those that it leaves are killed. */
  group?: boolean
  /** If false, stdout and stderr of the result stay empty: for output of unlimited size. */
  capture?: boolean
}

export interface ExecResult {
  /** null if a signal terminated the child. */
  exitCode: number | null
  stdout: string
  stderr: string
}

/** Milliseconds between SIGTERM and SIGKILL to a child; the runner waits 2.5 s after its own last signal. */
const KILL_AFTER = 2_000

/** Milliseconds from a child's exit to the closing of its streams: a grandchild may keep them open, and this process waiting, for ever. */
const STREAMS_CLOSE_WITHIN = 2_000

interface Call {
  child?: ChildProcess
  /** Set before a signal of the bound. */
  isLate: boolean
  group: boolean
  signal: AbortSignal | undefined
  hasInput: boolean
}

const calls = new AsyncLocalStorage<Call>()

// @actions/exec does not expose the child to kill; Node.js publishes every child that it spawns here, in the caller's async context
subscribe('child_process', (message) => {
  const call = calls.getStore()
  if (!call) return
  const { process: child } = message as { process: ChildProcess }
  call.child = child
  child.once('spawn', () => {
    // a child may exit without reading its input
    child.stdin?.on('error', () => {})
    // @actions/exec leaves the pipe open if it has nothing to write, so a child that reads from it would wait for ever
    if (!call.hasInput) child.stdin?.end()
    if (call.signal?.aborted || call.isLate) end(call)
  })
  child.once('exit', () => {
    const close = (): void => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    const timer = setTimeout(close, call.signal?.aborted || call.isLate ? 0 : STREAMS_CLOSE_WITHIN)
    child.once('close', () => clearTimeout(timer))
  })
})

function end({ child, group }: Call): void {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const send = (signal: NodeJS.Signals): void => {
    if (!group || !signalGroup(child, signal)) child.kill(signal)
  }
  send('SIGTERM')
  const timer = setTimeout(() => send('SIGKILL'), KILL_AFTER)
  child.once('exit', () => clearTimeout(timer))
}

/** Returns whether the process group of the child exists: just after its start it does not lead one yet. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

/**
 * Runs a program without a shell and waits until it exits. Prints nothing.
 *
 * @param tool a constant name to find on PATH: @actions/exec would split it at spaces
 * @throws CancelledError if `signal` was aborted before the start, or terminated the program
 * @throws BoundError if the program reached its bound, which terminated it
 * @throws any error of `onOutput`, after terminating the child
 * @throws Error if the program is not on PATH
 */
export async function exec(tool: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { signal, onOutput, capture = true } = options
  const bound = boundOf(options.bound, commandOf(tool, args))
  if (signal?.aborted) throw new CancelledError()
  const stdout = new Text()
  const stderr = new Text()
  let failure: unknown
  const call: Call = { signal, group: options.group === true, hasInput: options.input !== undefined, isLate: false }
  const abort = (): void => end(call)
  const late = (): void => {
    call.isLate = true
    end(call)
  }
  const time = 'within' in bound ? bound.within : 'silence' in bound ? bound.silence : undefined
  const timer = time === undefined ? undefined : setTimeout(late, time)
  const pass = (chunk: Buffer, stream: Stream): void => {
    if ('silence' in bound && !call.isLate) timer?.refresh()
    // an error in a stream's listener, for example because the disk is full, would terminate this process
    try {
      onOutput?.(chunk, stream)
    } catch (error) {
      failure ??= error
      end(call)
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
            pass(Buffer.from(chunk), 'stdout')
            endLine(chunk)
          },
          stderr: (chunk) => {
            if (capture) stderr.add(chunk)
            pass(Buffer.from(chunk), 'stderr')
            endLine(chunk)
          }
        }
      })
    )
    if (failure !== undefined) throw failure
    // docker may exit with 0 after SIGTERM although the work is not complete
    if (call.isLate && !signal?.aborted) throw new BoundError(commandOf(tool, args), options.bound)
    // a program that succeeded in spite of SIGTERM has done its work
    if (signal?.aborted && exitCode !== 0) throw new CancelledError()
    return { exitCode, stdout: stdout.end(), stderr: stderr.end() }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    if (call.group && call.child) signalGroup(call.child, 'SIGKILL')
  }
}

/** Returns the first words of a command, without its options and operands: `docker push`, `docker buildx imagetools inspect`. */
export function commandOf(tool: string, args: readonly string[]): string {
  const end = args.findIndex((word) => !/^[a-z]+$/.test(word))
  return [tool, ...args.slice(0, end === -1 ? args.length : Math.max(1, end))].join(' ')
}

/** Ends the chunk with a newline: otherwise @actions/exec, which reads it next, would copy the growing line with every chunk. */
function endLine(chunk: Buffer): void {
  if (chunk.length > 0) chunk[chunk.length - 1] = 10
}

/** Concatenates chunks whose boundaries may split a UTF-8 character. */
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
