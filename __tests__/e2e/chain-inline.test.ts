import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from '../support/chain.ts'
import { sampled, sharesWithBuildKit } from '../support/harness.ts'

describeChains(
  sampled(availableEngines().filter(sharesWithBuildKit), ({ version }) => version !== '26.1').map((engine) => ({
    engine,
    strategy: 'inline'
  }))
)
