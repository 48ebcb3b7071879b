import { takenFrom } from '../dockerfile/context-files.ts'
import type { StageInstruction } from '../dockerfile/model.ts'
import type { ImageRecord } from '../registry/image.ts'
import { layersBelow, whyNoCache } from './cached-layers.ts'
import { type Evidence, type Reason, shorten } from './evidence.ts'

/**
 * Explains a miss if the instructions are the same: their inputs differ, or the cache failed. An earlier instruction may be the
 * cause: it was cached here if another build of this run had executed it, and the legacy builder does not print triggers.
 */
export function whyOtherInputs(
  evidence: Evidence,
  published: ImageRecord,
  built: ImageRecord,
  start: number,
  instructions: StageInstruction[]
): Reason {
  const suspects = instructions.filter(
    (_, index) => index === instructions.length - 1 || !isSameResult(published, built, start + index)
  )
  const known = suspects.map((instruction) => whyOtherInput(evidence, instruction)).find((reason) => reason)
  return known ?? whyUnknown(evidence, published, suspects)
}

/** Returns whether an entry of the history had the same result in both images. */
function isSameResult(published: ImageRecord, built: ImageRecord, entry: number): boolean {
  const { createdBy, empty } = published.history[entry] ?? {}
  // an engine does not report which entries created layers, but the legacy builder's history of COPY has a hash of the files
  if (empty === undefined) return createdBy === built.history[entry]?.createdBy
  const layer = layersBelow(published, entry)
  return empty || published.layers[layer] === built.layers[layer]
}

/** Returns the reason if an input of an instruction is known to have changed. */
function whyOtherInput(evidence: Evidence, instruction: StageInstruction): Reason | undefined {
  const { changes, executedStages, stageNames } = evidence
  const from = instruction.copiesFrom.map((index) => stageNames[index] ?? '').find((name) => executedStages.has(name))
  if (from !== undefined) {
    return {
      kind: 'stage-changed',
      reason: `What it copies from stage ${from} changed: that stage executed a step.`
    }
  }
  const changed = takenBy(evidence, instruction, changes?.changed)
  if (changed.length > 0) {
    return { kind: 'files-changed', reason: `${listed(changed)} changed since the commit of the published image.` }
  }
  if (takenBy(evidence, instruction, changes?.untracked).some((path) => path === '.git/' || path === '.git')) {
    return {
      kind: 'files-changed',
      reason: 'It copies .git, which differs with every checkout: add .git to .dockerignore.'
    }
  }
  return undefined
}

/** Returns those of the paths that an instruction reads, directly or through a link that it names. */
function takenBy(
  { links, dockerignore }: Evidence,
  { contextSources, excludes }: StageInstruction,
  paths: string[] | undefined
): string[] {
  const sources = contextSources.flatMap((source) => [source, ...(links.get(source) ?? [])])
  return takenFrom(paths ?? [], sources, excludes, dockerignore)
}

/** Returns the likely reason if nothing is known to have changed, and whether the cache failed. */
function whyUnknown(evidence: Evidence, published: ImageRecord, suspects: StageInstruction[]): Reason {
  const { changes, base, cacheMetadata, stageBuild } = evidence
  const taken = (paths: string[] | undefined): string[] => suspects.flatMap((one) => takenBy(evidence, one, paths))
  if (suspects.some(({ contextSources }) => contextSources.length > 0)) {
    const untracked = taken(changes?.untracked)
    if (untracked.length > 0) {
      return {
        kind: 'unknown',
        reason: `Unknown: it copies untracked files, which may have changed (${listed(untracked)}).`
      }
    }
    if (changes?.changed === undefined) {
      return {
        kind: 'unknown',
        reason: `Unknown which files changed: ${changes === undefined ? 'the published image names no commit' : "neither the checkout (set fetch-depth: 0) nor GitHub's API has the commit of the published image"}.`
      }
    }
  }
  if (base.before !== undefined && base.now !== undefined && base.before !== base.now) {
    const image = stageBuild.baseImage
    return { kind: 'base-changed', reason: `The base image ${image} moved from ${base.before} to ${base.now}.` }
  }
  const unexpected = changes?.dockerfileChanged === false
  const why = cacheMetadata ? whyNoCache(published, stageBuild) : undefined
  if (why !== undefined) {
    return {
      kind: 'incomplete-metadata',
      reason: `${evidence.build.cacheSource} cannot serve as a cache: ${why}.`,
      unexpected
    }
  }
  const odd = evidence.unusualModes.filter(({ path }) => taken([path]).length > 0)
  if (odd.length > 0) {
    const modes = listed(odd.map(({ path, mode }) => `${path} (${mode})`))
    return {
      kind: 'unknown',
      reason: `Unknown: Git reports no change in the files that it copies, but their modes differ from those of a checkout under umask 022: ${modes}.`,
      unexpected
    }
  }
  return {
    kind: 'unknown',
    reason: 'Unknown: none of its inputs has changed, as far as this action can tell.',
    unexpected
  }
}

function listed(paths: string[]): string {
  const shown = paths.slice(0, 3).map((path) => shorten(JSON.stringify(path).slice(1, -1)))
  return `${shown.join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`
}
