import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemPath } from './process.ts'

/**
 * Does something while no other process holds the lock of `path`, an existing folder or a file to create.
 * The kernel holds it for flock(1), which ends with this process: no lock can be left behind by a crash.
 */
export async function withLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked && exec cat'], {
    env: { PATH: systemPath },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const ended = once(holder, 'exit')
  const locked = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)])
  if (!locked) throw new Error(`cannot lock ${path}`)
  try {
    return await action()
  } finally {
    holder.stdin.end()
    await ended
  }
}

/** The folder in `parent` in which something is made before it is renamed to its place; whoever holds the lock has it. */
export async function emptyFolder(parent: string): Promise<string> {
  const folder = join(parent, 'partial')
  // What a crash left half done.
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return folder
}
