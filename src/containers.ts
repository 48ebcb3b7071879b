import { RUN_LABEL } from './engine/args.ts'
import type { Docker } from './engine/docker.ts'

/** Removes every container of a run, running or not. There may be none. */
export async function removeContainers(docker: Docker, runId: string): Promise<void> {
  const { stdout } = await docker.call([
    'ps',
    '--all',
    '--quiet',
    '--no-trunc',
    '--filter',
    `label=${RUN_LABEL}=${runId}`
  ])
  const ids = stdout.split('\n').filter((id) => id !== '')
  if (ids.length > 0) await docker.call(['rm', '--force', '--volumes', ...ids])
}
