import { RUN_LABEL } from './engine/args.ts'
import { type Docker, failureOf } from './engine/docker.ts'
import { messageOf } from './errors.ts'

/** Milliseconds that an engine gets to list or to remove containers. */
const PATIENCE = 60_000

/**
 * Removes every container of a run, running or not. There may be none.
 *
 * @returns why some may be left, undefined if none is
 */
export async function removeContainers(docker: Docker, runId: string): Promise<string | undefined> {
  const filter = ['--filter', `label=${RUN_LABEL}=${runId}`]
  try {
    const list = await docker.call(['ps', '--all', '--quiet', '--no-trunc', ...filter], { patience: PATIENCE })
    const ids = list.stdout.split('\n').filter((id) => id !== '')
    return failureOf(list) ?? (ids.length > 0 ? await removeAll(docker, ids) : undefined)
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Removes one container, with its anonymous volumes. Without the signal of the run: it must go also after a cancellation.
 * What goes wrong here is told by `removeContainers`, which finds what is left.
 */
export async function removeContainer(docker: Docker, name: string): Promise<void> {
  await removeAll(docker, [name]).catch(() => {})
}

async function removeAll(docker: Docker, names: string[]): Promise<string | undefined> {
  const result = await docker.call(['rm', '--force', '--volumes', ...names], { patience: PATIENCE })
  // somebody else has removed it: a test that kills its own container, or the engine's --rm
  const isGone = (line: string): boolean => line === '' || /No such container|already in progress/i.test(line)
  return result.stderr.split('\n').every(isGone) ? undefined : failureOf(result)
}
