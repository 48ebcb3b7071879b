import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from './chain.ts'
import { canBeLegacy, legacyEnv } from './harness.ts'

describeChains(
  availableEngines()
    .filter(canBeLegacy)
    .map((engine) => ({ engine, strategy: 'legacy', env: legacyEnv(engine) }))
)
