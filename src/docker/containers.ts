import { soonAfter } from '../lib/bounds.ts'
import { messageOf } from '../lib/errors.ts'
import type { ExecResult } from '../lib/exec.ts'
import type { Docker } from './docker.ts'
import { failureOf } from './errors.ts'

/** The action's label on every container; its value is the id of the run that created it. */
export const RUN_LABEL = 'shared-docker-layers.run'

/**
 * Removes every container of a run, running or not. The run may have no containers. Ignores the signal of the run, but ends soon
 * after it.
 *
 * @returns why containers may be left, or undefined if none is left
 */
export async function removeContainers(
  docker: Docker,
  runId: string,
  signal = new AbortController().signal
): Promise<string | undefined> {
  const args = ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${RUN_LABEL}=${runId}`]
  const list = (): Promise<ExecResult> => docker.call(args, { bound: 'container', signal: soonAfter(signal) })
  try {
    const listed = await list()
    const ids = idsIn(listed)
    if (listed.exitCode !== 0 || ids.length === 0) return failureOf(listed)
    const removed = await remove(docker, ids, signal)
    if (removed.exitCode === 0) return undefined
    // another process may have removed one meanwhile: a test that kills its own container, or the engine's --rm
    const again = await list()
    return failureOf(again) ?? (idsIn(again).length > 0 ? failureOf(removed) : undefined)
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Removes one container with its anonymous volumes, also after a cancellation, but ends soon after it.
 * Ignores a failure: `removeContainers` finds the containers that are left, and reports it.
 */
export async function removeContainer(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  await remove(docker, [name], signal).catch(() => {})
}

function remove(docker: Docker, names: string[], signal: AbortSignal): Promise<ExecResult> {
  return docker.call(['rm', '--force', '--volumes', ...names], { bound: 'container', signal: soonAfter(signal) })
}

function idsIn({ stdout }: ExecResult): string[] {
  return stdout.split('\n').filter((id) => id !== '')
}
