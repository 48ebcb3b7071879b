import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readHandOffFolder, readResultsFolder } from '../action/hand-off-inputs.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { HAND_OFF_FILE, type HandOff, readHandedPlatform, readHandedResult, readHandOff } from '../result/hand-off.ts'
import type { ReadPlatform } from '../result/judge-platforms.ts'
import type { ReadResult } from '../result/judge-results.ts'
import { readInput } from './lifecycle.ts'

/**
 * Reads the hand-off in the folder of the input `hand-off`.
 *
 * @throws UserError
 */
export async function openHandOff(): Promise<{ handOff: HandOff; folder: string }> {
  const folder = readHandOffFolder(readInput)
  const file = join(folder, HAND_OFF_FILE)
  return { handOff: readHandOff(await readHanded(file, 'hand-off'), file), folder }
}

/**
 * Reads the result files in the folder of the input `results`, at any depth; a folder that does not exist has none.
 *
 * @throws UserError
 */
export async function readResults(): Promise<ReadResult[]> {
  const files = await findResults(/(^|[\\/])test-\d+\.json$/)
  return Promise.all(
    files.map(async (file) => ({ file, handed: readHandedResult(await readHanded(file, 'results'), file) }))
  )
}

/**
 * Reads the result files of single platforms, likewise.
 *
 * @throws UserError
 */
export async function readPlatformResults(): Promise<ReadPlatform[]> {
  const files = await findResults(/(^|[\\/])platform-[\w-]+\.json$/)
  return Promise.all(
    files.map(async (file) => ({ file, handed: readHandedPlatform(await readHanded(file, 'results'), file) }))
  )
}

async function findResults(names: RegExp): Promise<string[]> {
  const folder = readResultsFolder(readInput)
  if (folder === undefined) return []
  const found = await readdir(folder, { recursive: true }).catch(() => [])
  return found.filter((name) => names.test(name)).map((name) => join(folder, name))
}

async function readHanded(file: string, input: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(
      `Input ${input}: ${JSON.stringify(file)} cannot be read (${messageOf(error)}); download the artifact with what the other machines have handed on`
    )
  })
}
