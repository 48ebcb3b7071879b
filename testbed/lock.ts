import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemPath } from './process.ts'

/**
 * Runs an action while holding the lock of `path`, an existing folder or a file to create.
 * flock(1) holds the lock and ends with this process, so a crash leaves no lock behind.
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

/** Creates the empty work folder in `parent`, whose content is renamed to its final place. Only the holder of the lock may use it. */
export async function emptyFolder(parent: string): Promise<string> {
  const folder = join(parent, 'partial')
  // Remove the partial work of a crashed process.
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return folder
}
