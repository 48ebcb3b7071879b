import { messageOf } from '../lib/errors.ts'
import type { ExecResult } from '../lib/exec.ts'
import type { Docker } from './docker.ts'
import { failureOf } from './errors.ts'

/** Our label on every container: its value is the run that made it. */
export const RUN_LABEL = 'shared-docker-layers.run'

/** Milliseconds that an engine gets to list or to remove containers. */
const PATIENCE = 60_000

/**
 * Removes every container of a run, running or not. There may be none.
 *
 * @returns why some may be left, undefined if none is
 */
export async function removeContainers(docker: Docker, runId: string): Promise<string | undefined> {
  const args = ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${RUN_LABEL}=${runId}`]
  try {
    const list = await docker.call(args, { patience: PATIENCE })
    const ids = idsIn(list)
    if (list.exitCode !== 0 || ids.length === 0) return failureOf(list)
    const removed = await remove(docker, ids)
    if (removed.exitCode === 0) return undefined
    // somebody else may have removed one meanwhile: a test that kills its own container, or the engine's --rm
    const again = await docker.call(args, { patience: PATIENCE })
    return failureOf(again) ?? (idsIn(again).length > 0 ? failureOf(removed) : undefined)
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Removes one container, with its anonymous volumes. Without the signal of the run: it must go also after a cancellation.
 * A failure here is reported by `removeContainers`, which finds what is left.
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
