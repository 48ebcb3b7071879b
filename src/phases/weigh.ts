import { readManifest } from '../cache/image.ts'
import { messageOf } from '../errors.ts'
import { type PullSize, pullSize } from '../pull-size.ts'
import { classifyRegistryError, passingFailure } from '../registry-error.ts'
import { retry } from '../retry.ts'
import type { Run } from '../run.ts'
import type { Strategy } from '../strategy/strategy.ts'

/**
 * Finds out what a host must pull of an image, by its manifest and that of the image that production's moving tag named before this run.
 *
 * @param image REPOSITORY@DIGEST
 * @returns undefined if the registry could not be asked, or the run is cancelled: what was pushed is told all the same
 */
export async function weigh(run: Run, strategy: Strategy, image: string): Promise<PullSize | undefined> {
  const previous = run.plan.refs.movingProduction
  try {
    const [now, before] = await Promise.all([read(run, image), readPrevious(run, strategy, previous)])
    const isFirst = before.error !== undefined && classifyRegistryError(before.error, previous) === 'absent'
    const error = now.error ?? (isFirst ? undefined : before.error)
    if (now.manifest && error === undefined) return pullSize(now.manifest, before.manifest, previous)
    throw new Error(error)
  } catch (error) {
    run.log.info(`How much of ${run.plan.refs.production} a host must pull is not known: ${messageOf(error)}`)
    return undefined
  }
}

/** Where the strategy has looked at it already, it need not be asked for again. */
async function readPrevious(run: Run, strategy: Strategy, reference: string): ReturnType<typeof readManifest> {
  const { manifest } = (await strategy.readPublished(reference)).image ?? {}
  return manifest ? { manifest } : read(run, reference)
}

function read(run: Run, reference: string): ReturnType<typeof readManifest> {
  const { docker, plan, signal } = run
  return retry(
    run,
    `Look at ${reference}`,
    () => readManifest(docker, reference, plan.inputs.platform, plan.engine.buildx !== undefined, signal),
    ({ error }) => passingFailure(error, reference)
  )
}
