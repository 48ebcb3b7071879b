import type { Run } from '../plan/run-context.ts'
import { InlineStrategy } from './inline.ts'
import { LegacyStrategy } from './legacy.ts'
import type { Strategy } from './strategy.ts'

/** The strategy that the plan names. */
export function createStrategy(run: Run): Strategy {
  return run.plan.strategy.name === 'legacy' ? new LegacyStrategy(run) : new InlineStrategy(run)
}
