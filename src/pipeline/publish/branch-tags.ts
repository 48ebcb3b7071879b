import type { Run } from '../../plan/run-context.ts'
import type { Failure } from '../../result/result.ts'
import { mayMove } from './promote.ts'

/**
 * Returns which of the further tags that are named after a branch this run may set: like the moving tags, a late run must not
 * set them back. Logs why one stays.
 */
export async function branchTagsToSet(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'github' | 'log'>
): Promise<{ references: string[]; failures: Failure[] }> {
  const decisions = await Promise.all(
    run.plan.refs.branch.map(async (reference) => ({ reference, ...(await mayMove(run, reference)) }))
  )
  for (const { notice, warning } of decisions) {
    if (notice !== undefined) run.log.notice(notice)
    if (warning !== undefined) run.log.warning(warning)
  }
  return {
    references: decisions.filter(({ move }) => move).map(({ reference }) => reference),
    failures: decisions.flatMap(({ failure }) => failure ?? [])
  }
}
