import { realpath } from 'node:fs/promises'
import { basename, dirname, join, posix, relative } from 'node:path'
import type { PublicInputs } from '../action/secrets.ts'
import { hashOf } from '../lib/hash.ts'

/** Label of the production image: what tells it from other images that a workflow makes of the same commit. */
export const VARIANT_LABEL = 'shared-docker-layers.variant'

/** What tells two images of one commit apart. */
interface Variant {
  inputs: Pick<PublicInputs, 'builderTag' | 'latestTag' | 'platform'>
  /** Name of the production stage. */
  target: string
  /** Path of the Dockerfile below the top of the repository. */
  file: string
}

/** Returns 16 hex digits: equal for all runs of one job, different for another job that builds another image. */
export function variantOf({ inputs, target, file }: Variant): string {
  const parts = [inputs.builderTag, inputs.latestTag, target, inputs.platform?.toLowerCase() ?? '', file]
  return hashOf(parts).slice(0, 16)
}

/**
 * Returns the path of the Dockerfile below the top of the repository: the same on every machine.
 *
 * @param prefix the path of the build context there, '' or `sub/`
 */
export async function pathInRepository(file: string, context: string, prefix: string): Promise<string> {
  const [folder, top] = await Promise.all([realpath(dirname(file)), realpath(context)])
  return posix.join(prefix, relative(top, join(folder, basename(file))))
}
