import { type BranchInputs, fits, movingTagsOf, whyNoMovingTags } from '../action/publish-branches.ts'

/** The publishing branch whose moving tags a run sets, or reads if it is of another branch. */
export interface Publishing {
  /** The run's own branch if it is a publishing branch, otherwise the first one; '' for none. */
  branch: string
  /** Names of its moving tags. */
  builderTag: string
  latestTag: string
  /** All publishing branches: the first one, then names and patterns. */
  all: readonly string[]
  /** Why the run's branch has no moving tags although it is a publishing branch, as a clause. */
  refusal?: string
}

/**
 * Finds the publishing branch of a run. The first one has the moving tags of the inputs, each further one its own, and every
 * other branch reads those of the first.
 *
 * @param first name of the first publishing branch; '' for none
 * @param branch of the run; '' for none
 */
export function findPublishing(inputs: BranchInputs, first: string, branch: string): Publishing {
  const { builderTag, latestTag } = inputs
  const all = [first, ...inputs.publishBranch.slice(1)]
  const ofFirst = { branch: first, builderTag, latestTag, all }
  if (branch === '' || branch === first || !all.slice(1).some((item) => fits(branch, item))) return ofFirst
  const refusal = whyNoMovingTags(branch, { ...inputs, publishBranch: all })
  return refusal === undefined ? { branch, ...movingTagsOf(branch, inputs), all } : { ...ofFirst, refusal }
}
