import type { Docker } from './docker.ts'
import { failureOf } from './errors.ts'

/**
 * Returns the ID by which the engine knows an image: with the containerd store, a build tells that of the config instead.
 *
 * @returns also why there is no such image, if there is none; then the ID is ''
 */
export async function readImageId(
  docker: Docker,
  name: string,
  signal: AbortSignal
): Promise<{ id: string; failure: string | undefined }> {
  const result = await docker.call(['image', 'inspect', '--format', '{{.Id}}', name], { signal, bound: 'image' })
  const failure = failureOf(result)
  return { id: failure === undefined ? result.stdout.trim() : '', failure }
}
