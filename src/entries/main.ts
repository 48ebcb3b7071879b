import type { Secrets } from '../action/secrets.ts'
import { UserError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { previewCommands } from '../pipeline/dry-run.ts'
import { runPipeline } from '../pipeline/pipeline.ts'
import type { Plan } from '../plan/plan.ts'
import { emptyResult, type RunResult } from '../result/result.ts'
import { runAction } from './lifecycle.ts'
import { handPlatformOn, runPlatforms } from './platforms.ts'
import { makePlan, runWith } from './run.ts'

/** Runs the main step: plans, then builds, tests and publishes. */
await runAction(async (action) => {
  const { platform, platforms, dryRun } = action.inputs
  if (platforms.length > 0 && platform === undefined) {
    if (!dryRun) return runPlatforms(action)
    throw new UserError('Input dry-run shows one platform only; set the input platform to one of the input platforms')
  }
  const planned = await makePlan(action)
  if (dryRun) return preview(planned.plan, action)
  return handPlatformOn(action, planned.plan, await runWith(action, planned, runPipeline))
})

function preview(plan: Plan, { log, secrets }: { log: Log; secrets: Secrets }): RunResult {
  const commands = previewCommands(plan, secrets)
  const section = log.section('What would be run')
  section.write(`${commands.join('\n')}\n`)
  section.end()
  return { ...emptyResult(), commands }
}
