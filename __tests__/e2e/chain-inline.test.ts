import { availableEngines } from '../../testbed/index.ts'
import { describeChains, sharesWithBuildKit } from './chain.ts'

describeChains(
  availableEngines()
    .filter(sharesWithBuildKit)
    .map((engine) => ({ engine, strategy: 'inline' }))
)
