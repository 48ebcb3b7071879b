import { atLeast, type EngineInfo, failureOf } from './engine/docker.ts'
import { CancelledError } from './errors.ts'
import { passingFailure } from './registry-error.ts'
import { retry } from './retry.ts'
import { callInSection, type Run } from './run.ts'

/** The first buildx that gives an image a tag as it is (0.13 has no --prefer-index): else a single image gets an index around it, and with it another digest. */
export const TAGS_AS_IT_IS = '0.16.0'

/** Whether an image can be given tags in its registry, without its layers. */
export function canRetagRemotely({ buildx }: Pick<EngineInfo, 'buildx'>): boolean {
  return buildx !== undefined && atLeast(buildx, TAGS_AS_IT_IS)
}

/**
 * Gives an image that is in the registry further tags there.
 *
 * @param references of the image's own repository, or of another one
 * @returns what docker said if it failed; undefined if all is well
 */
export async function retag(run: Run, image: string, references: readonly string[]): Promise<string | undefined> {
  const tags = references.flatMap((reference) => ['--tag', reference])
  const calls = canRetagRemotely(run.plan.engine)
    ? [['buildx', 'imagetools', 'create', '--prefer-index=false', ...tags, image]]
    : [
        ['pull', image],
        ...references.map((reference) => ['tag', image, reference]),
        ...references.map((reference) => ['push', reference])
      ]
  for (const args of calls) {
    const title = `Tag ${references.join(', ')}`
    const failure = await retry(
      run,
      title,
      async () => failureOf(await callInSection(run, 'publish', title, args, run.signal)),
      (text) => passingFailure(text, image)
    )
    if (failure !== undefined) return failure
    // docker may end with 0 although it was told to stop
    if (run.signal.aborted) throw new CancelledError()
  }
  return undefined
}
