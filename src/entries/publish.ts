import { publishHanded } from '../pipeline/publish-handed.ts'
import { openHandOff, readPlatformResults, readResults } from './handed-files.ts'
import { runAction } from './lifecycle.ts'
import { handPlatformOn, joinHanded } from './platforms.ts'
import { makePlan, runWith } from './run.ts'

/**
 * Runs the step of the action `publish`: builds production from the images of the hand-off, and publishes it if all tests passed; or
 * joins the images of all platforms.
 */
await runAction(
  async (action) => {
    const { platform, platforms } = action.inputs
    if (platforms.length > 0 && platform === undefined) return joinHanded(action, await readPlatformResults())
    const { handOff, folder } = await openHandOff()
    const results = await readResults()
    const planned = await makePlan(action)
    const runId = process.env.GITHUB_RUN_ID ?? ''
    const result = await runWith(action, planned, (run) => publishHanded(run, { handOff, results, folder, runId }))
    return handPlatformOn(action, planned.plan, result)
  },
  { part: 'publish' }
)
