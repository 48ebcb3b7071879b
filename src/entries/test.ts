import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { readHandOffFolder, readTestIndices } from '../action/hand-off-inputs.ts'
import { publicInputs } from '../action/secrets.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { handOver } from '../pipeline/collect-reports.ts'
import { failuresOf } from '../pipeline/phases.ts'
import { testHanded } from '../pipeline/test-handed.ts'
import { fingerprintOfTest } from '../plan/fingerprints.ts'
import { sameRepository } from '../registry/image-reference.ts'
import { testOutputs } from '../report/part-outputs.ts'
import { HAND_OFF_FILE, type HandedResult, type HandOff, readHandOff } from '../result/hand-off.ts'
import { emptyResult } from '../result/result.ts'
import { readInput, runAction } from './lifecycle.ts'
import { recordingDocker, removeOwnContainers } from './run.ts'

/** Inputs of the action itself; the others come with the hand-off. */
const OWN = ['test-parallelism', 'reports-directory', 'retries']

let handOff: HandOff | undefined
let folder = ''
const results = join(process.env.RUNNER_TEMP || tmpdir(), `shared-docker-layers-results-${randomUUID()}`)

/** Runs the step of the action `test`: runs tests of a hand-off, and writes their results for the action `publish`. */
await runAction(
  async (action) => {
    const { inputs, log, timeline, runId, secrets, signal } = action
    const docker = recordingDocker(action, (name) => sameRepository(inputs.image, name))
    if (handOff === undefined) throw new Error('There is no hand-off')
    const { commit, digest } = handOff
    const indices = readTestIndices(readInput, inputs.tests.length)
    await mkdir(results, { recursive: true })
    const run = { ...action, docker, plan: { inputs: publicInputs(inputs) } }
    const result = emptyResult()
    try {
      const ended = await testHanded(run, handOff, indices, folder)
      result.tests = ended.map((one) => one.result)
      const timelineOfTests = secrets.redactTexts(timeline.spans())
      for (const { index, result: test } of ended) {
        const { imageId: _, kind: __, ...told } = secrets.redactTexts(test)
        const handed: HandedResult = {
          ...{
            version: 1,
            runId: process.env.GITHUB_RUN_ID ?? '',
            attempt: Number(process.env.GITHUB_RUN_ATTEMPT) || 1
          },
          ...{ commit, digest, index, fingerprint: fingerprintOfTest(run.plan.inputs, index) },
          startedAt: performance.timeOrigin,
          result: { ...told, machine: process.env.RUNNER_NAME || hostname() },
          timeline: timelineOfTests
        }
        await writeFile(join(results, `test-${index}.json`), `${JSON.stringify(handed)}\n`)
      }
      result.failures.push(...failuresOf(result.tests))
      result.cancelled = signal.aborted
      if (signal.aborted) result.failures.push({ kind: 'cancelled' })
      return result
    } finally {
      await handOver({ ...run, log, folder: action.folder })
      await removeOwnContainers(docker, runId, log, signal)
    }
  },
  {
    part: 'test',
    outputs: (report, path) => testOutputs(report, path, results),
    openInputs: async () => {
      folder = readHandOffFolder(readInput)
      const file = join(folder, HAND_OFF_FILE)
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        throw new UserError(
          `Input hand-off: ${JSON.stringify(file)} cannot be read (${messageOf(error)}); give the folder of the output hand-off of build`
        )
      })
      const read = readHandOff(text, file)
      handOff = read
      return (name) =>
        OWN.includes(name) ? readInput(name) : name === 'image' ? read.image : (read.inputs[name] ?? '')
    }
  }
)
