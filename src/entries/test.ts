import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { OF_TESTS, readTestIndices } from '../action/hand-off-inputs.ts'
import { publicInputs } from '../action/secrets.ts'
import { handOver } from '../pipeline/collect-reports.ts'
import { failuresOf } from '../pipeline/phases.ts'
import { type IndexedResult, testHanded } from '../pipeline/test-handed.ts'
import { fingerprintOfTest } from '../plan/fingerprints.ts'
import { sameRepository } from '../registry/image-reference.ts'
import { testOutputs } from '../report/part-outputs.ts'
import { type HandedResult, type HandOff, imagesOf } from '../result/hand-off.ts'
import { emptyResult } from '../result/result.ts'
import { openHandOff } from './handed-files.ts'
import { type Action, readInput, runAction } from './lifecycle.ts'
import { recordingDocker, removeOwnContainers } from './run.ts'

/** Inputs of the action itself; those of the tests come with the hand-off, and no other input does. */
const OWN = ['test-parallelism', 'reports-directory', 'retries', 'remove-images']

let opened: { handOff: HandOff; folder: string } | undefined
const results = join(process.env.RUNNER_TEMP || tmpdir(), `shared-docker-layers-results-${randomUUID()}`)
let written = 0

/** Runs the step of the action `test`: runs tests of a hand-off, and writes their results for the action `publish`. */
await runAction(
  async (action) => {
    const { inputs, log, runId, signal } = action
    if (opened === undefined) throw new Error('There is no hand-off')
    const { handOff, folder } = opened
    const docker = recordingDocker(action, (name) => sameRepository(inputs.image, name))
    const indices = readTestIndices(readInput, inputs.tests.length)
    await mkdir(results, { recursive: true })
    const run = { ...action, docker, plan: { inputs: publicInputs(inputs) } }
    const result = emptyResult()
    try {
      const onResult = (one: IndexedResult): Promise<void> => writeResult(action, handOff, one)
      result.tests = await testHanded(run, handOff, { indices, folder, onResult })
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
    outputs: (report, path) => testOutputs(report, path, written === 0 ? '' : results),
    openInputs: async () => {
      opened = await openHandOff()
      const { image, inputs } = opened.handOff
      const handed = (name: string): string => (OF_TESTS.includes(name) ? (inputs[name] ?? '') : '')
      return (name) => (OWN.includes(name) ? readInput(name) : name === 'image' ? image : handed(name))
    }
  }
)

async function writeResult(
  { inputs, secrets, timeline }: Action,
  handOff: HandOff,
  { index, result }: IndexedResult
): Promise<void> {
  const { imageId: _, kind: __, ...told } = secrets.redactTexts(result)
  const handed: HandedResult = {
    version: 1,
    runId: process.env.GITHUB_RUN_ID ?? '',
    attempt: Number(process.env.GITHUB_RUN_ATTEMPT) || 1,
    commit: handOff.commit,
    images: imagesOf(handOff),
    index,
    fingerprint: fingerprintOfTest(inputs, index),
    startedAt: performance.timeOrigin,
    result: { ...told, machine: process.env.RUNNER_NAME || hostname() },
    timeline: secrets.redactTexts(timeline.spans())
  }
  await writeFile(join(results, `test-${index}.json`), `${JSON.stringify(handed)}\n`)
  written += 1
}
