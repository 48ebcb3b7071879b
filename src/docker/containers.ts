import { messageOf } from '../lib/errors.ts'
import type { ExecResult } from '../lib/exec.ts'
import type { Docker } from './docker.ts'
import { failureOf } from './errors.ts'

/** The action's label on every container; its value is the id of the run that created it. */
export const RUN_LABEL = 'shared-docker-layers.run'

/** Time limit in milliseconds for an engine to list or remove containers. */
const PATIENCE = 60_000

/**
 * Removes every container of a run, running or not. The run may have no containers.
 *
 * @returns why containers may be left, or undefined if none is left
 */
export async function removeContainers(docker: Docker, runId: string): Promise<string | undefined> {
  const args = ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${RUN_LABEL}=${runId}`]
  try {
    const list = await docker.call(args, { patience: PATIENCE })
    const ids = idsIn(list)
    if (list.exitCode !== 0 || ids.length === 0) return failureOf(list)
    const removed = await remove(docker, ids)
    if (removed.exitCode === 0) return undefined
    // another process may have removed one meanwhile: a test that kills its own container, or the engine's --rm
    const again = await docker.call(args, { patience: PATIENCE })
    return failureOf(again) ?? (idsIn(again).length > 0 ? failureOf(removed) : undefined)
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Removes one container with its anonymous volumes. Ignores the signal of the run, to remove it after a cancellation too.
 * Ignores a failure: `removeContainers` finds the containers that are left, and reports it.
 */
export async function removeContainer(docker: Docker, name: string): Promise<void> {
  await remove(docker, [name]).catch(() => {})
}

function remove(docker: Docker, names: string[]): Promise<ExecResult> {
  return docker.call(['rm', '--force', '--volumes', ...names], { patience: PATIENCE })
}

function idsIn({ stdout }: ExecResult): string[] {
  return stdout.split('\n').filter((id) => id !== '')
}
