import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from '../support/chain.ts'
import { canBeLegacy, legacyEnv } from '../support/harness.ts'

describeChains(
  availableEngines()
    // 28.5 takes this builder only if it is told to
    .filter((engine) => canBeLegacy(engine) && engine.version !== '28.5')
    .map((engine) => ({ engine, strategy: 'legacy', env: legacyEnv(engine) }))
)
