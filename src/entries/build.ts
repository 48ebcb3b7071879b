import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { checkMatrix, handedInputs, readTransport } from '../action/hand-off-inputs.ts'
import { UserError } from '../lib/errors.ts'
import { buildForOthers } from '../pipeline/hand-on.ts'
import { buildOutputs } from '../report/part-outputs.ts'
import { HAND_OFF_FILE, type HandOff } from '../result/hand-off.ts'
import { buildsOf } from '../result/result.ts'
import { readInput, runAction } from './lifecycle.ts'
import { makePlan, runWith } from './run.ts'

/** Runs the step of the action `build`: builds the builder image, and hands it to the machines that test and publish. */
await runAction(
  async (action) => {
    const { log, runId, secrets, timeline } = action
    const inputs = handedInputs(readInput, secrets)
    const wanted = readTransport(readInput)
    const { platform, platforms } = action.inputs
    if (platforms.length > 0 && platform === undefined) {
      throw new UserError('Input platform is missing; each job of build makes the image of one of the input platforms')
    }
    checkMatrix(action.inputs.tests.length)
    const planned = await makePlan(action)
    const { plan } = planned
    if (wanted === 'registry' && !plan.decision.push) {
      log.notice('The images are handed on in an archive, because this run may not push')
    }
    const transport = plan.decision.push ? wanted : 'artifact'
    const folder = join(process.env.RUNNER_TEMP || tmpdir(), `shared-docker-layers-hand-off-${runId}`)
    await mkdir(folder)
    const result = await runWith(action, planned, (run) => buildForOthers(run, { transport, folder }))
    if (result.handedOn === undefined || result.failures.length > 0) return result
    const { digest, images, tests } = result.handedOn
    const handOff: HandOff = {
      version: 1,
      runId: process.env.GITHUB_RUN_ID ?? '',
      ...{ commit: plan.commit.sha, image: plan.inputs.image, variant: plan.variant, buildArgs: plan.buildArgs },
      ...{ inputs, tests, transport, digest, images },
      startedAt: performance.timeOrigin,
      builds: secrets.redactTexts(buildsOf(result)),
      timeline: secrets.redactTexts(timeline.spans())
    }
    await writeFile(join(folder, HAND_OFF_FILE), `${JSON.stringify(handOff)}\n`)
    core.info(`The hand-off for the actions test and publish is in ${folder}`)
    return result
  },
  { part: 'build', outputs: buildOutputs }
)
