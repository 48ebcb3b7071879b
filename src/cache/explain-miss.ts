import { TRIGGER_LINE } from '../dockerfile/stage-graph.ts'
import type { ImageRecord } from '../registry/image.ts'
import type { Miss, Step } from '../result/result.ts'
import { ownHistoryStart, whyNoCache } from './cached-layers.ts'
import { whyOtherKey } from './compare-keys.ts'
import type { InstructionKey } from './content-keys.ts'
import type { Evidence, Reason } from './evidence.ts'
import { isRecorded, ownInstructionsOf, readKeysLabel } from './keys-label.ts'

/** Explains why the first executed step of each stage was not cached; `unknown` if no reason can be proven. */
export function explainMisses(evidence: Evidence): Miss[] {
  const executed = evidence.build.steps.filter(({ cached }) => !cached)
  const stages = [...new Set(executed.map(({ stage }) => stage))]
  return stages.flatMap((name) => {
    const step = executed.find(({ stage }) => stage === name)
    if (!step) return []
    const { kind, reason, unexpected = false } = explain(evidence, step)
    const { stage, instruction, line } = step
    return [{ stage, instruction, ...(line === undefined ? {} : { line }), kind, reason, unexpected }]
  })
}

function explain(evidence: Evidence, step: Step): Reason {
  return (
    whyUncached(evidence, step) ?? whyNoSource(evidence) ?? whyNotInImage(evidence, step) ?? compare(evidence, step)
  )
}

function whyUncached({ uncachedStages }: Evidence, { stage }: Step): Reason | undefined {
  if (!uncachedStages.includes(stage)) return undefined
  return { kind: 'no-cache', reason: 'The inputs no-cache and no-cache-filters exclude the cache.' }
}

/** Returns the reason if the build could not reuse anything at all. */
function whyNoSource({ build, stageBuild, published, cacheMetadata, reusesLayers }: Evidence): Reason | undefined {
  if (!reusesLayers) return { kind: 'unknown', reason: 'Unknown: this engine cannot reuse published layers.' }
  const { cacheSource, unreadableCaches } = build
  // the registry's status is more precise than the builder's message
  const failure = published.failure ?? unreadableCaches[0]?.failure
  switch (failure?.kind) {
    case undefined:
      break
    case 'absent':
      return { kind: 'not-published', reason: `Nothing is published as ${cacheSource} yet.` }
    case 'refused':
      return { kind: 'refused', reason: `Access denied to ${cacheSource}.` }
    case 'unreachable':
      return { kind: 'unreachable', reason: `The registry could not be reached for ${cacheSource}.` }
    default:
      return { kind: 'unknown', reason: `Unknown: ${cacheSource} could not be inspected (${failure?.message}).` }
  }
  if (cacheMetadata && published.image?.recorded === undefined) {
    return {
      kind: 'no-metadata',
      reason: `${cacheSource} carries no cache metadata: something else than this action pushed it, or a build of this action without BuildKit.`
    }
  }
  if (!cacheMetadata && published.image && isOfBuildKit(published.image, stageBuild)) {
    return {
      kind: 'no-metadata',
      reason: `${cacheSource} was built by BuildKit, whose images are no cache for the legacy builder.`
    }
  }
  return undefined
}

/** Returns whether BuildKit executed the own instructions of an image: most base images are of BuildKit, whatever is built on them. */
function isOfBuildKit(image: ImageRecord, stageBuild: Evidence['stageBuild']): boolean {
  const start = ownHistoryStart(image, ownInstructionsOf(image.labels) ?? stageBuild)
  return start !== undefined && image.history.slice(start).some(({ createdBy }) => createdBy.endsWith('# buildkit'))
}

/** Returns the reason if it lies in another stage. */
function whyNotInImage({ stageBuild, build, publishesAllStages }: Evidence, step: Step): Reason | undefined {
  const names = stageBuild.own.map(({ name }) => name)
  const place = names.indexOf(step.stage)
  if (place === -1) {
    return publishesAllStages
      ? { kind: 'unknown', reason: 'Unknown: no image of this run contains the stage.' }
      : { kind: 'not-published', reason: 'No published image contains the stage: the input cache-stages excludes it.' }
  }
  const below = names
    .slice(0, place)
    .findLast((name) => build.steps.some(({ stage, cached }) => stage === name && !cached))
  return below === undefined
    ? undefined
    : { kind: 'stage-changed', reason: `It is built on stage ${below}, which executed a step.` }
}

/** Compares the content keys with those of the published image, from the base image up to the step. */
function compare(evidence: Evidence, step: Step): Reason {
  const { keys, published, build } = evidence
  const recorded = readKeysLabel(published.image?.labels ?? {})
  if (keys.length === 0) return { kind: 'unknown', reason: 'Unknown: this run has no content keys.' }
  if (recorded === undefined) {
    return {
      kind: 'unknown',
      reason: `Unknown: ${build.cacheSource} has no content keys: an older version of this action or something else built it.`
    }
  }
  const index = keys.findIndex((one) => isKeyOf(one, step))
  if (index === -1) return { kind: 'unknown', reason: 'Unknown: the step cannot be told from the Dockerfile.' }
  for (const [place, one] of keys.slice(0, index + 1).entries()) {
    const before = recorded.chain[place]
    if (one.key === undefined) return { kind: 'unknown', reason: `Unknown: ${whyNoKey(one)}.` }
    if (!isRecorded(one, before)) return whyOtherKey(evidence, one, before, place === index)
  }
  // what it reads may have been made anew, with another content, although of the same
  const anew = keys
    .slice(0, index + 1)
    .flatMap(({ ingredients }) => ingredients)
    .find(({ kind, name = '' }) => kind === 'stage' && evidence.executedStages.has(name))
  if (anew) return { kind: 'stage-changed', reason: `Stage ${anew.name}, which it reads, executed a step.` }
  return whySameKeys(evidence, recorded.engine)
}

/** Returns whether a step is that of a key: BuildKit prints a trigger as `ONBUILD COPY a b`, Docker 26.1 as `COPY a b`. */
function isKeyOf({ line, keyword }: InstructionKey, step: Step): boolean {
  if (step.line !== undefined) return line === step.line
  const [word] = step.instruction
    .trim()
    .replace(/^ONBUILD\s+/, '')
    .split(/\s/)
  return line === TRIGGER_LINE && keyword === word
}

function whyNoKey({ keyword, line }: InstructionKey): string {
  if (keyword === 'FROM') return 'the image that FROM names cannot be read, or has instructions of its own'
  return `it cannot be known what ${keyword} in line ${line} reads`
}

/** Explains a miss although everything that the step depends on is the same: then the cache failed. */
function whySameKeys({ build, stageBuild, published, cacheMetadata, engine }: Evidence, builtBy: string): Reason {
  const why = cacheMetadata && published.image ? whyNoCache(published.image, stageBuild) : undefined
  if (why !== undefined) {
    const reason = `${build.cacheSource} cannot serve as a cache: ${why}.`
    return { kind: 'incomplete-metadata', reason, unexpected: true }
  }
  if (builtBy !== engine) {
    const reason = `Unknown: everything that it depends on is the same, but Docker ${builtBy} built ${build.cacheSource}, and this is Docker ${engine}.`
    return { kind: 'unknown', reason }
  }
  return { kind: 'unknown', reason: 'Unknown: everything that it depends on is the same.', unexpected: true }
}
