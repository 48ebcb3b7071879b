import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from '../support/chain.ts'
import { canBeLegacy, legacyEnv, sampled } from '../support/harness.ts'

describeChains(
  sampled(
    // 28.5 takes this builder only if it is told to
    availableEngines().filter((engine) => canBeLegacy(engine) && engine.version !== '28.5'),
    ({ version }) => version === '20.10'
  ).map((engine) => ({ engine, strategy: 'legacy', env: legacyEnv(engine) }))
)
