import { availableEngines } from '../../testbed/index.ts'
import { describeChains } from './chain.ts'
import { sharesWithBuildKit } from './harness.ts'

describeChains(
  availableEngines()
    .filter(sharesWithBuildKit)
    .map((engine) => ({ engine, strategy: 'inline' }))
)
