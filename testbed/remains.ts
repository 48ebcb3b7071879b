import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeCgroups } from './cgroups.ts'
import { withLock } from './lock.ts'
import { agentNumbers, bridgeName, namespaceProcesses, removeBridge, removeNamespace } from './network.ts'
import { isAlive, killTrees, type ProcessId, processId, recordedProcesses, run } from './process.ts'

/** Contains a folder for each test bed, named by its number. It must be on a real disk, because overlay2 needs one. */
export const scratch = '/var/tmp/shared-docker-layers'

/** The process that owns a test bed; recorded in the folder of the test bed. */
export interface Owner extends ProcessId {
  name: string
}

export function bedFolder(bed: number): string {
  return join(scratch, String(bed))
}

export function agentFolder(bed: number, agent: number): string {
  return join(bedFolder(bed), String(agent))
}

export function agentCgroup(bed: number, agent: number): string {
  return `${bridgeName(bed)}/${agent}`
}

/** Runs an action while no other process adds or removes a test bed. The lock is on the parent folder, so it needs no lock file. */
export async function withScratchLock<T>(action: () => Promise<T>): Promise<T> {
  return withLock(join(scratch, '..'), action)
}

/** Removes all processes, names and files of an agent, whatever its state. */
export async function removeAgent(bed: number, agent: number): Promise<void> {
  const folder = agentFolder(bed, agent)
  const guests = await namespaceProcesses(bed, agent)
  await killTrees([...recordedProcesses(folder), ...guests.map((pid) => processId(pid))])
  await Promise.all([removeNamespace(bed, agent), removeCgroups(agentCgroup(bed, agent)), removeFolder(folder)])
}

/** Removes all processes, names and files of a test bed and its agents. */
export async function removeBed(bed: number): Promise<void> {
  const folder = bedFolder(bed)
  const folders = existsSync(folder) ? await readdir(folder) : []
  const agents = new Set([...folders.filter((name) => /^\d+$/.test(name)).map(Number), ...(await agentNumbers(bed))])
  await Promise.all([...agents].map((agent) => removeAgent(bed, agent)))
  await killTrees(recordedProcesses(join(folder, 'registry')))
  await Promise.all([removeBridge(bed), removeCgroups(bridgeName(bed))])
  await removeFolder(folder)
  // Fails, and keeps the common folder, while it contains another test bed.
  await rmdir(scratch).catch(() => undefined)
}

/** Removes the test beds whose owners are dead, and returns their folders. Call it under the scratch lock. */
export async function removeDeadBeds(): Promise<string[]> {
  if (!existsSync(scratch)) return []
  const dead = (await readdir(scratch)).filter((name) => !ownerOf(Number(name)))
  await Promise.all(dead.map((name) => removeBed(Number(name))))
  return dead.map((name) => join(scratch, name))
}

function ownerOf(bed: number): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(join(bedFolder(bed), 'owner'), 'utf8')) as Owner
    return isAlive(owner) ? owner : undefined
  } catch {
    return undefined
  }
}

/** The recorded processes of a test bed. */
export function bedProcesses(bed: number): ProcessId[] {
  const folder = bedFolder(bed)
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) => recordedProcesses(join(folder, name)))
}

async function removeFolder(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const below = mounts.map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(`${folder}/`))
  // Engines have their own mount namespaces; these mounts are those of a test.
  for (const path of below.reverse()) await run('umount', ['--lazy', path], { allowFailure: true })
  await run('rm', ['-rf', '--one-file-system', folder])
}
