import { judgeCache } from '../cache/verdict.ts'
import type { Plan } from '../plan.ts'
import type { Miss, RunResult } from '../run.ts'

/** The outputs of action.yml, a field each. */
export interface Outputs {
  image: string
  'short-sha': string
  branch: string
  'builder-image': string
  'image-id': string
  digest: string
  tags: string
  pushed: string
  published: string
  'publish-reason': string
  'cache-hit': string
  'cached-steps': string
  'total-steps': string
  cache: string
  tests: string
  engine: string
  report: string
}

/**
 * The value of every output, whatever happened: an output that we left unset could be set by a forged workflow command.
 *
 * @param plan undefined if the run ended before there was one
 * @param report path of the JSON report, '' if there is none
 */
export function makeOutputs(plan: Plan | undefined, result: RunResult, report: string): Outputs {
  const { builder, production, publication, tests, unchanged } = result
  const verdict = judgeCache(result)
  return {
    image: production?.imageId ? production.image : unchanged ? (publication?.pushed[0] ?? unchanged.image) : '',
    'short-sha': plan?.build.shortSha ?? '',
    branch: plan?.build.branch ?? '',
    'builder-image': builder?.imageId ? builder.image : '',
    'image-id': production?.imageId ?? '',
    digest: publication?.digest ?? '',
    tags: publication?.pushed.join('\n') ?? '',
    pushed: String((publication?.pushed.length ?? 0) > 0),
    published: String(publication?.published ?? false),
    'publish-reason': publishReason(plan, result),
    'cache-hit': verdict.hit,
    'cached-steps': String(verdict.cached),
    'total-steps': String(verdict.total),
    cache: JSON.stringify(
      verdict.stages.map(({ miss, ...stage }) => ({ ...stage, ...(miss && { miss: withoutStage(miss) }) }))
    ),
    tests: JSON.stringify(
      tests.map(({ command, status, exitCode, seconds, passedFor }) => ({
        ...{ command, status, exitCode, seconds },
        ...(passedFor !== undefined && { passedFor })
      }))
    ),
    engine: plan
      ? JSON.stringify({ version: plan.engine.version, store: plan.engine.store, strategy: plan.strategy.name })
      : '{}',
    report
  }
}

function withoutStage({ stage: _, ...miss }: Miss): Omit<Miss, 'stage'> {
  return miss
}

/** One sentence: why it was published, or why not. */
export function publishReason(plan: Plan | undefined, { failures, cancelled, publication }: RunResult): string {
  const held = (publication?.held ?? []).map(({ reason }) => ` ${reason}.`).join('')
  if (plan && failures.length === 0) {
    return publication?.stays === undefined ? `${plan.decision.reason}${held}` : `${publication.stays}.${held}`
  }
  const cause = cancelled ? 'the run was cancelled' : publication ? 'a push failed' : 'the run failed'
  const pushed = publication?.pushed ?? []
  if (pushed.length === 0) return `Nothing was pushed, because ${cause}.`
  return `Only ${pushed.join(', ')} ${pushed.length === 1 ? 'was' : 'were'} pushed, because ${cause}.`
}
