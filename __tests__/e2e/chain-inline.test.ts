import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from '../support/chain.ts'
import { sharesWithBuildKit } from '../support/harness.ts'

describeChains(
  availableEngines()
    .filter(sharesWithBuildKit)
    .map((engine) => ({ engine, strategy: 'inline' }))
)
