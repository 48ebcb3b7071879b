import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = '/sys/fs/cgroup'

/** Removes a control group and its descendants from every hierarchy: one with cgroup v2, one per controller with v1. */
export async function removeCgroups(name: string): Promise<void> {
  const hierarchies = [root, ...(await folders(root)).map((controller) => join(root, controller))]
  await Promise.all(hierarchies.map((hierarchy) => removeTree(join(hierarchy, name))))
}

async function removeTree(folder: string): Promise<void> {
  for (const child of await folders(folder)) await removeTree(join(folder, child))
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await rmdir(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') return
      // The group stays busy for a moment after its last process ends.
      await sleep(10)
    }
  }
}

async function folders(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch {
    return []
  }
}
