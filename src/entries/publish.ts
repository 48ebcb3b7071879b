import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readHandOffFolder, readResultsFolder } from '../action/hand-off-inputs.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { publishHanded } from '../pipeline/publish-handed.ts'
import { HAND_OFF_FILE, readHandedResult, readHandOff } from '../result/hand-off.ts'
import type { ReadResult } from '../result/judge-results.ts'
import { readInput, runAction } from './lifecycle.ts'
import { makePlan, runWith } from './run.ts'

/** Runs the step of the action `publish`: builds production from the images of the hand-off, and publishes it if all tests passed. */
await runAction(
  async (action) => {
    const folder = readHandOffFolder(readInput)
    const file = join(folder, HAND_OFF_FILE)
    const handOff = readHandOff(await readHanded(file, 'hand-off'), file)
    const results = await readResults(readResultsFolder(readInput))
    const planned = await makePlan(action)
    const runId = process.env.GITHUB_RUN_ID ?? ''
    return runWith(action, planned, (run) => publishHanded(run, { handOff, results, folder, runId }))
  },
  { part: 'publish' }
)

async function readHanded(file: string, input: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(
      `Input ${input}: ${JSON.stringify(file)} cannot be read (${messageOf(error)}); download the artifact with what the other machines have handed on`
    )
  })
}

/** Reads the result files in a folder, at any depth; a folder that does not exist has none. */
async function readResults(folder: string | undefined): Promise<ReadResult[]> {
  if (folder === undefined) return []
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = names.filter((name) => /(^|[\\/])test-\d+\.json$/.test(name)).map((name) => join(folder, name))
  return Promise.all(
    files.map(async (file) => ({ file, handed: readHandedResult(await readHanded(file, 'results'), file) }))
  )
}
