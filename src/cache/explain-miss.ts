import type { StageInstruction } from '../dockerfile/model.ts'
import { TRIGGER_LINE } from '../dockerfile/stage-graph.ts'
import type { Miss, Step } from '../result/result.ts'
import { ownHistoryStart } from './cached-layers.ts'
import { whyOtherInputs } from './changed-inputs.ts'
import { whyOtherBase, whyOtherInstruction } from './compare-images.ts'
import type { Evidence, Reason } from './evidence.ts'

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
  return whyNoSource(evidence) ?? whyNotInImage(evidence, step) ?? compare(evidence, step)
}

/** Returns the reason if the build could not reuse anything at all. */
function whyNoSource({ build, published, cacheMetadata, reusesLayers }: Evidence): Reason | undefined {
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
  if (!cacheMetadata && published.image?.history.some(({ createdBy }) => createdBy.endsWith('# buildkit'))) {
    return {
      kind: 'no-metadata',
      reason: `${cacheSource} was built by BuildKit, whose images are no cache for the legacy builder.`
    }
  }
  return undefined
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

/** Compares the built image with the published one, from the base image up to the step. */
function compare(evidence: Evidence, step: Step): Reason {
  const { stageBuild, published } = evidence
  const built = evidence.built?.image
  if (evidence.built?.failure) {
    return {
      kind: 'unknown',
      reason: `Unknown: the image that was built could not be inspected (${evidence.built.failure.message}).`
    }
  }
  if (!built) return { kind: 'unknown', reason: 'Unknown: the build failed, so there is nothing to compare.' }
  const own = stageBuild.instructions
  const start = ownHistoryStart(built, stageBuild)
  const index = own.findIndex((instruction) =>
    step.line === undefined ? isTrigger(instruction, step) : instruction.line === step.line
  )
  const instruction = own[index]
  if (start === undefined || !instruction || !published.image) {
    return { kind: 'unknown', reason: 'Unknown: the step cannot be told from the history of the image.' }
  }
  return (
    whyOtherBase(evidence, published.image, built, start) ??
    whyOtherInstruction(evidence, published.image, built, start, own.slice(0, index + 1)) ??
    whyOtherInputs(evidence, published.image, built, start, own.slice(0, index + 1))
  )
}

/** Returns whether a step is a base image's trigger: BuildKit prints it as `ONBUILD COPY a b`, Docker 26.1's as `COPY a b`. */
function isTrigger({ line, text }: StageInstruction, { instruction }: Step): boolean {
  const shown = instruction.trim().replaceAll(/\s+/g, ' ')
  return line === TRIGGER_LINE && shown.replace(/^ONBUILD /, '') === text
}
