import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** PATH of the test bed's processes, unless they need another one. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface RunOptions {
  cwd?: string
  env?: Record<string, string>
  input?: string
  /** Whether to resolve for any exit code. */
  allowFailure?: boolean
}

export interface RunResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs a command without a shell. If it fails, rejects with its stderr in the message. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? { PATH: systemPath, HOME: '/root', LC_ALL: 'C.UTF-8' },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']
  })
  // A command may end without reading all its input: that is not an error.
  child.stdin?.on('error', () => undefined).end(options.input)
  const [stdout, stderr, exitCode] = await Promise.all([collect(child.stdout), collect(child.stderr), exit(child)])
  if (exitCode !== 0 && !options.allowFailure) {
    throw new Error(`${[command, ...args].join(' ')}: exit code ${exitCode}\n${stderr.trim() || stdout.trim()}`)
  }
  return { exitCode, stdout, stderr }
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

function exit(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}

/** A process that outlives the call that started it. It is recorded on disk, so that it can be ended even after a crash. */
export interface Daemon {
  readonly pid: number
  readonly log: string
  readonly hasExited: () => boolean
}

/** Starts `command` with its output in `<folder>/<name>.log`, and its pid and start time in `<folder>/processes`. */
export function startDaemon(
  folder: string,
  name: string,
  command: string,
  args: string[],
  env: Record<string, string>
): Daemon {
  const log = join(folder, `${name}.log`)
  const output = openSync(log, 'a')
  // Detached: an interrupt on the terminal must not reach the daemons, because the test bed ends them in order.
  const child = spawn(command, args, { detached: true, cwd: folder, env, stdio: ['ignore', output, output] })
  closeSync(output)
  let exited = false
  child.once('exit', () => {
    exited = true
  })
  child.once('error', (error) => {
    exited = true
    writeFileSync(log, `${error.message}\n`, { flag: 'a' })
  })
  child.unref()
  const pid = child.pid ?? 0
  if (pid) {
    mkdirSync(join(folder, 'processes'), { recursive: true })
    writeFileSync(join(folder, 'processes', String(pid)), String(status(pid)?.startTime ?? 0))
  }
  return { pid, log, hasExited: () => exited }
}

/** Polls until `check` resolves to true. Fails with the end of the daemon's log after a timeout, or if the daemon has ended. */
export async function untilReady(daemon: Daemon, seconds: number, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!(await check())) {
    const why = daemon.hasExited() ? 'has ended' : Date.now() > deadline ? `is not ready after ${seconds} s` : ''
    if (why) throw new Error(`${daemon.log.replace(/.*\/|\.log$/g, '')} ${why}:\n${lastLines(daemon.log)}`)
    await sleep(10)
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-20).join('\n')
}

/** Identifies a process. The start time distinguishes it from a later process with the same pid. */
export interface ProcessId {
  pid: number
  startTime: number
}

interface ProcessStatus extends ProcessId {
  parent: number
  state: string
}

function status(pid: number): ProcessStatus | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name before the last ')' may contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, state: fields[0] ?? '', parent: Number(fields[1]), startTime: Number(fields[19]) }
  } catch {
    return undefined
  }
}

/** The identity of a running process, by default this one. */
export function processId(pid: number = process.pid): ProcessId {
  return { pid, startTime: status(pid)?.startTime ?? 0 }
}

export function isAlive({ pid, startTime }: ProcessId): boolean {
  const now = status(pid)
  return now !== undefined && now.startTime === startTime && now.state !== 'Z' && now.state !== 'X'
}

/** The processes that `startDaemon` recorded below a folder. */
export function recordedProcesses(folder: string): ProcessId[] {
  const records = join(folder, 'processes')
  try {
    return readdirSync(records).map((name) => ({
      pid: Number(name),
      startTime: Number(readFileSync(join(records, name), 'utf8'))
    }))
  } catch {
    return []
  }
}

/** Kills processes without waiting, for use while this process itself ends. */
export function killNow(processes: ProcessId[]): void {
  for (const victim of processes) signal(victim)
}

/** Kills processes and all their descendants, and waits until they have ended. */
export async function killTrees(roots: ProcessId[]): Promise<void> {
  const victims = withDescendants(roots.filter(isAlive))
  const pids = new Set(victims.map(({ pid }) => pid))
  // Children first: their parents still reap them, so that the machine's init gets no zombies.
  await killAndWait(victims.filter(({ parent }) => pids.has(parent)))
  await killAndWait(victims.filter(({ parent }) => !pids.has(parent)))
}

async function killAndWait(victims: ProcessId[]): Promise<void> {
  killNow(victims)
  const deadline = Date.now() + 10_000
  for (let alive = victims; alive.length > 0; alive = alive.filter(isAlive)) {
    if (Date.now() > deadline) throw new Error(`cannot kill ${alive.map(({ pid }) => pid).join(' ')}`)
    await sleep(5)
  }
}

function signal(victim: ProcessId): void {
  try {
    if (isAlive(victim)) process.kill(victim.pid, 'SIGKILL')
  } catch {
    // The process has just ended by itself.
  }
}

function withDescendants(roots: ProcessId[]): ProcessStatus[] {
  if (roots.length === 0) return []
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => status(Number(name)))
    .filter((found) => found !== undefined)
  const found = new Set(all.filter(({ pid }) => roots.some((root) => root.pid === pid)))
  // The set grows during the iteration, so it also finds children of children.
  for (const { pid } of found) {
    for (const child of all) if (child.parent === pid) found.add(child)
  }
  return [...found]
}
