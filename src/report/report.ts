import type { Plan } from '../plan.ts'
import type { RunResult } from '../run.ts'
import type { Span } from '../timeline.ts'

/** The JSON report of a run. A field once published keeps its meaning. */
export function makeReport(plan: Plan | undefined, result: RunResult, timeline: readonly Span[]): string {
  const known = plan && {
    commit: plan.build.sha,
    branch: plan.build.branch,
    engine: { version: plan.engine.version, store: plan.engine.store, strategy: plan.strategy.name },
    references: plan.refs,
    decision: plan.decision
  }
  return `${JSON.stringify({ version: 1, ...known, ...result, timeline }, undefined, 2)}\n`
}
