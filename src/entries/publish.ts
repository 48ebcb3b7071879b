import { publishHanded } from '../pipeline/publish-handed.ts'
import { openHandOff, readResults } from './handed-files.ts'
import { runAction } from './lifecycle.ts'
import { makePlan, runWith } from './run.ts'

/** Runs the step of the action `publish`: builds production from the images of the hand-off, and publishes it if all tests passed. */
await runAction(
  async (action) => {
    const { handOff, folder } = await openHandOff()
    const results = await readResults()
    const planned = await makePlan(action)
    const runId = process.env.GITHUB_RUN_ID ?? ''
    return runWith(action, planned, (run) => publishHanded(run, { handOff, results, folder, runId }))
  },
  { part: 'publish' }
)
