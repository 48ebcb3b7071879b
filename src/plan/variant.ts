import { realpath } from 'node:fs/promises'
import { basename, dirname, join, posix, relative } from 'node:path'
import type { PublicInputs } from '../action/secrets.ts'
import type { Dockerfile } from '../dockerfile/model.ts'
import { hashOf } from '../lib/hash.ts'
import { splitAtEquals } from '../lib/text.ts'

/** Label of the production image: what tells it from other images that a workflow makes of the same commit. */
export const VARIANT_LABEL = 'shared-docker-layers.variant'

/**
 * Label of the production image: the values of its build arguments. They are no part of the variant, because those that name a
 * commit or a version differ from commit to commit.
 */
export const BUILD_ARGS_LABEL = 'shared-docker-layers.build-args'

/** What tells two images of one commit apart. */
interface Variant {
  inputs: Pick<PublicInputs, 'builderTag' | 'latestTag' | 'platform'>
  /** Name of the production stage. */
  target: string
  /** Path of the Dockerfile below the top of the repository. */
  file: string
  /** Path of the build context there, '' or `sub/`. */
  folder: string
}

/** Returns 16 hex digits: equal for all runs of one job, different for another job that builds another image. */
export function variantOf({ inputs, target, file, folder }: Variant): string {
  const parts = [inputs.builderTag, inputs.latestTag, target, inputs.platform?.toLowerCase() ?? '', file, folder]
  return hashOf(parts).slice(0, 16)
}

/** Words in the names of arguments whose values differ between two runs of one commit. */
const PER_RUN = /(?:^|_)(?:attempt|build_id|build_number|created|date|epoch|run|time|timestamp)(?:_|$)/i

/**
 * Returns 16 hex digits: equal for all runs of a job for one commit, different for another job with other values of the
 * arguments that the Dockerfile declares.
 *
 * @param buildArgs NAME=value, or only NAME for the value in the environment
 * @param env the environment of the action itself
 */
export function buildArgsOf(
  { text }: Pick<Dockerfile, 'text'>,
  buildArgs: readonly string[],
  env: Readonly<Record<string, string | undefined>>
): string {
  const declared = new Set(
    [...text.matchAll(/^[\t ]*ARG[\t ]((?:.*[\\`]\r?\n)*.*)/gim)].flatMap(([, words = '']) =>
      [...words.matchAll(/(?:^|\s)([A-Za-z_]\w*)/g)].map(([, name]) => name)
    )
  )
  const given = new Map(buildArgs.map((arg) => (arg.includes('=') ? splitAtEquals(arg) : ([arg, env[arg]] as const))))
  const values = [...given].filter(([name, value]) => value !== undefined && declared.has(name) && !PER_RUN.test(name))
  return hashOf(values.toSorted(([a], [b]) => (a < b ? -1 : 1))).slice(0, 16)
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
