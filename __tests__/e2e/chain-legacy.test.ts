import { availableEngines } from '../../testbed/index.ts'
import { describeChains, sharesWithBuildKit } from './chain.ts'

describeChains(
  availableEngines().map((engine) => ({
    engine,
    strategy: 'legacy',
    ...(sharesWithBuildKit(engine) ? { env: { DOCKER_BUILDKIT: '0' } } : {})
  }))
)
