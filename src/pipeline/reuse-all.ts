import { type ContentKeys, cacheTagsOf } from '../cache/key-tags.ts'
import { CancelledError } from '../lib/errors.ts'
import type { Run } from '../plan/run-context.ts'
import type { RunResult } from '../result/result.ts'
import { warnOfReplacement } from './publish/promote.ts'
import { tagUnchanged } from './publish/publish.ts'
import { pullSize } from './publish/pull-size.ts'
import { findUnchanged } from './reuse.ts'

/**
 * Gives the image that an earlier run built and tested from the same content the tags of this commit, if there is one.
 *
 * @returns whether nothing needs to be built or tested
 */
export async function reuseAll(run: Run, keys: ContentKeys, result: RunResult): Promise<boolean> {
  const { log, timeline, plan } = run
  const found = await timeline.measure('look', 'Look for changes', () => findUnchanged(run, keys))
  if (found.why !== undefined) {
    log.info(`Running a full build: ${found.why}.`)
    return false
  }
  const { unchanged, tests } = found
  log.info(
    `Nothing has changed since commit ${unchanged.commit}: this run tags its image ${unchanged.image}, and builds and tests nothing.`
  )
  sayNoReports(run)
  result.unchanged = unchanged
  result.tests = tests
  if (plan.decision.push) {
    const { manifest } = (await run.registry.published(plan.refs.movingProduction)).image ?? {}
    // a host with this image has all of its layers
    if (manifest) result.pullSize = pullSize(manifest, manifest, plan.refs.movingProduction)
    result.publication = await tagUnchanged(run, unchanged, imagesByMovingTag(plan, keys), keys)
    result.failures.push(...result.publication.failures)
    if (run.signal.aborted) throw new CancelledError()
    await warnOfReplacement(run, result.publication.digest)
  }
  return true
}

/** Returns, by the moving tag of each stage but production, the cache tag of the image of this run's content. */
function imagesByMovingTag({ builds, inputs }: Run['plan'], keys: ContentKeys): Map<string, string> {
  return new Map(
    builds.flatMap((stage): [string, string][] => {
      const [longest] = cacheTagsOf(inputs.image, stage, keys)
      if (stage.moving === undefined || stage.kind === 'production' || longest === undefined) return []
      return [[stage.moving, longest]]
    })
  )
}

/** The reports of earlier tests are not kept. */
export function sayNoReports({ plan, log }: Pick<Run, 'plan' | 'log'>): void {
  if (plan.inputs.testReports.length > 0) log.info('There are no test reports, because the tests did not run.')
}
