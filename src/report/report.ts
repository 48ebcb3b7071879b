import { type BuildWarning, distinctWarnings } from '../docker/progress/build-warnings.ts'
import type { Span } from '../lib/timeline.ts'
import type { Plan } from '../plan/plan.ts'
import type { PublishDecision } from '../plan/publish-policy.ts'
import type { Refs } from '../plan/references.ts'
import { type CacheVerdict, joinVerdicts, judgeCache } from '../result/cache-verdict.ts'
import type { Build, Failure, HandedOn, Machine, PlatformResult, Publication, RunResult } from '../result/result.ts'
import { buildsOf } from '../result/result.ts'
import { describeFailure } from './messages.ts'

/** The part of the job that a machine does, if several machines share the job. */
export type Part = 'build' | 'test' | 'publish'

/**
 * Everything about a run; docs/report-1.schema.json describes it. A published field keeps its meaning.
 * Without `commit`, the run ended before its plan was complete.
 */
export interface Report
  extends Omit<
    RunResult,
    'builder' | 'cacheStages' | 'production' | 'failures' | 'publication' | 'machines' | 'platforms'
  > {
  /** Missing if this machine did the whole job. */
  part?: Part
  /** One sentence for each failure; empty if the run succeeded. */
  failures: string[]
  publication?: Omit<Publication, 'failures'> & { failures: string[] }
  builder?: ReportedBuild
  cacheStages: ReportedBuild[]
  production?: ReportedBuild
  /** The images of single platforms, if this run joined them. */
  platforms?: ReportedPlatform[]
  /** The warnings of Docker's build checks, each once. */
  warnings: BuildWarning[]
  version: 1
  commit?: string
  branch?: string
  /** Whether tracked files in the build context differ from the commit; missing if not, or if git could not tell. */
  dirty?: true
  /** At most 20 of them. */
  dirtyFiles?: string[]
  dirtyFileCount?: number
  /** GITHUB_EVENT_NAME; `local` outside GitHub. */
  event?: string
  engine?: { version: string; store: string; strategy: string; reason: string }
  references?: Refs
  decision?: PublishDecision
  /** Why the run published, or why not, as one sentence. */
  publishReason: string
  cache: CacheVerdict
  timeline: Span[]
}

/** A build; of a failure to read a cache source, the report has only the message. */
export interface ReportedBuild extends Omit<Build, 'unreadableCaches' | 'warnings'> {
  unreadableCaches: { reference: string; error: string }[]
}

/** The image of one platform: its builds and failures, as those of the report. */
export interface ReportedPlatform extends Omit<PlatformResult, 'builder' | 'cacheStages' | 'production' | 'failures'> {
  builder?: ReportedBuild
  cacheStages: ReportedBuild[]
  production?: ReportedBuild
  failures: string[]
  cache: CacheVerdict
}

/**
 * @param plan undefined if the run ended before its plan was complete, and for the machines that only test
 * @param timeline of this machine
 * @param startedAt when this machine began, in milliseconds since 1970
 */
export function makeReport(
  plan: Plan | undefined,
  result: RunResult,
  timeline: Span[],
  { part, startedAt = 0 }: { part?: Part; startedAt?: number } = {}
): Report {
  const { builder, cacheStages, production, failures, publication, machines, ...others } = result
  const { platforms, ...rest } = others
  const describe = (failure: Failure): string => describeFailure(failure, result)
  return {
    version: 1,
    ...(part && { part }),
    ...(plan && {
      commit: plan.commit.sha,
      branch: plan.commit.branch,
      event: plan.commit.event,
      ...(plan.dirty && { dirty: true, dirtyFiles: plan.dirty.files, dirtyFileCount: plan.dirty.count }),
      engine: {
        version: plan.engine.version,
        store: plan.engine.store,
        strategy: plan.strategy.name,
        reason: plan.strategy.reason
      },
      references: plan.refs,
      decision: plan.decision
    }),
    ...rest,
    cacheTags: [result, ...(platforms ?? [])].flatMap((one) => one.cacheTags),
    failures: failures.map(describe),
    ...(publication && { publication: { ...publication, failures: publication.failures.map(describe) } }),
    ...(builder && { builder: reported(builder) }),
    cacheStages: cacheStages.map(reported),
    ...(production && { production: reported(production) }),
    ...(platforms && { platforms: platforms.map(reportedPlatform) }),
    warnings: warningsOf(result),
    publishReason:
      part === 'test' ? '' : result.handedOn ? reasonOfHandOff(result.handedOn) : publishReason(plan, result),
    cache: platforms ? joinVerdicts(platforms) : judgeCache(result),
    timeline: machines ? joined(machines, { name: part ?? 'join', startedAt, timeline }) : timeline
  }
}

/** Returns the timelines of all machines as one, which begins with the first machine. */
function joined(machines: readonly Machine[], own: Machine): Span[] {
  const all = [...machines, own]
  const start = Math.min(...all.map(({ startedAt }) => startedAt))
  return all.flatMap(({ name, startedAt, timeline }) =>
    timeline.map((span) => ({
      ...span,
      start: Math.round(span.start * 1_000 + startedAt - start) / 1_000,
      machine: name
    }))
  )
}

function reasonOfHandOff({ transport, digest }: HandedOn): string {
  if (digest === '')
    return 'Nothing is handed on but that an earlier run has built and tested the same content; publish tags its image.'
  const how = transport === 'registry' ? 'in the registry' : 'in an archive'
  return `The images are handed on ${how}; publish decides what is published.`
}

/** Returns the warnings of Docker's build checks about the Dockerfile of a run. */
export function warningsOf(result: RunResult): BuildWarning[] {
  const builds = [result, ...(result.platforms ?? [])].flatMap(buildsOf)
  return distinctWarnings(builds.flatMap(({ warnings = [] }) => warnings))
}

function reported({ warnings: _, ...build }: Build): ReportedBuild {
  const caches = build.unreadableCaches.map(({ reference, failure }) => ({ reference, error: failure.message }))
  return { ...build, unreadableCaches: caches }
}

function reportedPlatform(one: PlatformResult): ReportedPlatform {
  const { builder, cacheStages, production, failures, ...rest } = one
  return {
    ...rest,
    failures: failures.map((failure) => describeFailure(failure, one)),
    ...(builder && { builder: reported(builder) }),
    cacheStages: cacheStages.map(reported),
    ...(production && { production: reported(production) }),
    cache: judgeCache(one)
  }
}

function publishReason(
  plan: Plan | undefined,
  { failures, cancelled, publication, commands, cacheTags }: RunResult
): string {
  if (plan && commands) return `Nothing was pushed: this is a dry run. Without dry-run: ${plan.decision.reason}`
  const held = (publication?.held ?? []).map(({ reason }) => ` ${reason}.`).join('')
  if (plan && failures.length === 0) {
    return publication?.stays === undefined ? `${plan.decision.reason}${held}` : `${publication.stays}.${held}`
  }
  const cause = cancelled ? 'the run was cancelled' : publication ? 'publishing failed' : 'the run failed'
  const pushed = publication?.pushed ?? []
  if (pushed.length === 0) return `${cacheTags.length > 0 ? 'Only cache tags were' : 'Nothing was'} pushed: ${cause}.`
  return `Only ${pushed.join(', ')} ${pushed.length === 1 ? 'was' : 'were'} pushed, because ${cause}.`
}
