import { InlineStrategy } from './inline.ts'
import { LegacyStrategy } from './legacy.ts'
import type { Strategy, StrategyRun } from './strategy.ts'

/** Creates the strategy that the plan names. */
export function createStrategy(run: StrategyRun): Strategy {
  return run.plan.strategy.name === 'legacy' ? new LegacyStrategy(run) : new InlineStrategy(run)
}
