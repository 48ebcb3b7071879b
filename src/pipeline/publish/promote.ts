import type { Relation } from '../../git/git.ts'
import { REVISION_LABEL } from '../../plan/labels.ts'
import type { Run } from '../../plan/run-context.ts'
import type { ImageRecord } from '../../registry/image.ts'
import { decideMove, type MoveDecision } from './promote-policy.ts'

/** What promoting needs. */
export type PromoteRun = Pick<Run, 'plan' | 'registry' | 'git' | 'github' | 'log'>

/** Asks what is published, and whether this run's commit is newer. */
export async function mayMove(run: Pick<Run, 'plan' | 'registry' | 'git' | 'github'>): Promise<MoveDecision> {
  const { refs, commit } = run.plan
  const facts = { commit: commit.sha, branch: commit.branch, reference: refs.movingProduction }
  const { image, failure } = await run.registry.current(facts.reference)
  if (failure) return decideMove(failure.kind === 'absent' ? { ...facts, published: null } : { ...facts, failure })
  const published = revisionOf(image)
  if (published === undefined) return decideMove({ ...facts, published })
  const toPublished = published === commit.sha ? 'identical' : await relation(run, published, commit.sha)
  if (toPublished === 'identical' || toPublished === 'ahead' || toPublished === undefined) {
    return decideMove({ ...facts, published, toPublished })
  }
  const tip = await run.github.tip(commit.branch)
  const tipToCommit = tip === undefined || tip === 'unknown' ? tip : await relation(run, commit.sha, tip)
  return decideMove({ ...facts, published, toPublished, tipToCommit })
}

/** What the checkout knows, GitHub need not be asked. */
async function relation(
  { git, github }: Pick<Run, 'git' | 'github'>,
  base: string,
  head: string
): Promise<Relation | undefined> {
  return (await git.relation(base, head)) ?? (await github.relation(base, head))
}

function revisionOf(image: ImageRecord | undefined): string | undefined {
  return image?.labels[REVISION_LABEL] || undefined
}

/** Moving tags that name a newer commit's image again, which this run had taken away. */
export interface GivenBack {
  /** The newer commit. */
  commit: string
  references: string[]
}

/** Nobody can say which commits the branch has had since. */
class NobodyKnows extends Error {}

/**
 * Looks, after the moving tags have moved, for newer commits whose images are in the registry, and gives production's moving tag
 * to the newest. A run pushes its commit's tag before it moves the others; so whichever of two runs at once moves them last sees
 * the other's commit here, and however long it was between its question and its move, the newest has the tag in the end.
 *
 * @param moved the references that this run moved
 * @returns undefined if there is none, `unknown` if nobody could be asked
 */
export async function giveBack(run: PromoteRun, moved: readonly string[]): Promise<GivenBack | 'unknown' | undefined> {
  const { commit: own, builds, refs } = run.plan
  const commit = await giveToNewest(run, own.sha).catch((error: unknown) => {
    if (error instanceof NobodyKnows) return 'unknown'
    throw error
  })
  if (commit === 'unknown') return commit
  if (commit === own.sha) return undefined
  const references = [refs.movingProduction]
  for (const { moving, candidate } of builds) {
    if (moving === undefined || candidate === undefined || !moved.includes(moving)) continue
    // the other run's image has no tag of its commit, but may be the one that was looked at last
    const { image } = await run.registry.current(candidate)
    if (revisionOf(image) !== commit) continue
    const { failure } = await run.registry.tag(candidate, [moving])
    if (!failure) references.push(moving)
  }
  return { commit, references }
}

/** Gives production's moving tag to the newest published commit after `commit`, and returns that. */
async function giveToNewest(run: PromoteRun, commit: string): Promise<string> {
  const { inputs, refs } = run.plan
  for (const newer of await findNewer(run, commit)) {
    const image = `${inputs.image}:${newer.slice(0, 7)}`
    const { failure } = await run.registry.tag(image, [refs.movingProduction])
    // while that was done one still newer may have come
    if (!failure) return giveToNewest(run, newer)
    if (failure.kind === 'absent') continue
    run.log.warning(
      `${image} is newer than ${commit.slice(0, 7)}, but ${refs.movingProduction} could not be given to it: ${failure.message}`
    )
    break
  }
  return commit
}

/** How many newer commits are looked for in the registry. */
const MOST_NEWER = 20

/**
 * The commits that the branch has had after one, the newest first.
 *
 * @throws NobodyKnows
 */
async function findNewer(run: Pick<Run, 'plan' | 'git' | 'github'>, commit: string): Promise<string[]> {
  const tip = await run.github.tip(run.plan.commit.branch)
  if (tip === commit) return []
  const chain = tip === undefined || tip === 'unknown' ? undefined : await run.github.firstParents(tip)
  if (tip === undefined || chain === undefined) throw new NobodyKnows()
  const own = chain.indexOf(commit)
  if (own !== -1) return chain.slice(0, own).slice(0, MOST_NEWER)
  const toTip = await relation(run, commit, tip)
  if (toTip === undefined || toTip === 'unknown') throw new NobodyKnows()
  // a tip that this commit has in its own history is what GitHub knew a moment ago
  if (toTip === 'behind') return []
  // the branch came to its tip by a merge into another, or was forced there: its chain leads past this commit to older ones
  const newer: string[] = []
  for (const one of chain.slice(0, MOST_NEWER)) {
    if (one !== tip && (await relation(run, commit, one)) !== toTip) break
    newer.push(one)
  }
  return newer
}
