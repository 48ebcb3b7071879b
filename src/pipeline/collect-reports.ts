import type { Dirent } from 'node:fs'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path'
import { titleOf } from '../action/tests.ts'
import { failureOf } from '../docker/errors.ts'
import { messageOf } from '../lib/errors.ts'
import { shortened } from '../lib/text.ts'
import type { Run } from '../plan/run-context.ts'
import { readFailedCases } from '../result/junit.ts'
import type { FailedCase } from '../result/result.ts'

/** Limits: bytes of a report that is read for failed cases, failed cases per test, and characters of each. */
const LARGEST_REPORT = 16 * 1_024 * 1_024
const MOST_CASES = 100
const LONGEST_NAME = 300
const LONGEST_MESSAGE = 1_000

/** What of the plan the reports need. */
type ReportsPlan = { plan: Pick<Run['plan'], 'inputs'> }

/** A test whose container has ended. */
export interface Ended {
  number: number
  command: string
  container: string
  /** Working directory of its command: the paths in the input `test-reports` may be relative to it. */
  workingDir: string
}

/**
 * Copies the paths in the input `test-reports` from a test's container to the action's own folder: the build context must not
 * change during the production build. Logs which paths do not exist.
 *
 * @returns the failed cases, as far as the files are JUnit reports; those read so far if the run is cancelled
 */
export async function collect(
  run: Pick<Run, 'docker' | 'secrets' | 'log' | 'folder' | 'signal'> & ReportsPlan,
  test: Ended
): Promise<FailedCase[]> {
  const cases: FailedCase[] = []
  let more = 0
  for (const path of run.plan.inputs.testReports) {
    try {
      for (const one of await collectOne(run, test, path)) {
        if (cases.length < MOST_CASES) cases.push(one)
        else more++
      }
    } catch (error) {
      if (run.signal.aborted) break
      // such an error does not change the result of the test
      run.log.warning(
        `The report ${JSON.stringify(path)} of the test ${JSON.stringify(run.secrets.redact(test.command))} could not be collected: ${messageOf(error)}`
      )
    }
  }
  if (more > 0) cases.push({ name: `… and ${more} more cases`, message: '' })
  return cases.map(({ name, message }) => ({
    name: shortened(run.secrets.redact(name), LONGEST_NAME),
    message: shortened(run.secrets.redact(message), LONGEST_MESSAGE)
  }))
}

async function collectOne(
  run: Pick<Run, 'docker' | 'log' | 'folder' | 'signal'>,
  { number, command, container, workingDir }: Ended,
  path: string
): Promise<FailedCase[]> {
  const source = posix.resolve('/', workingDir, path)
  // docker would write through an existing link; a new folder has none
  const copied = await mkdtemp(join(run.folder, `copied-${number}-`))
  const args = ['cp', `${container}:${source}`, copied]
  const failure = failureOf(await run.docker.call(args, { signal: run.signal, bound: 'reports' }))
  if (failure !== undefined) run.log.info(`No report ${source} of the test ${titleOf(command)}: ${failure}`)
  // below its path in the container: two reports may have the same name
  const place = posix.dirname(
    path.startsWith('/') || source.endsWith(`/${posix.normalize(path)}`) ? posix.normalize(path) : source
  )
  const files = await takeFiles(copied, join(collectedFolder(run), folderName(number, command), place))
  await rm(copied, { recursive: true, force: true })
  const cases: FailedCase[] = []
  for (const file of files) for (const one of await readCases(file)) cases.push(one)
  return cases
}

function collectedFolder({ folder }: Pick<Run, 'folder'>): string {
  return join(folder, 'reports')
}

/** Returns a name like `1-npm-test`; the number makes it unique even for commands without letters. */
function folderName(number: number, command: string): string {
  const words = command.replaceAll(/[^A-Za-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')
  return `${number}-${words.slice(0, 40)}`.replace(/-$/, '')
}

/**
 * Copies the files below a folder into another, with their folders. Omits links, devices and pipes: a link may point to any file
 * of the runner.
 *
 * @returns the paths of the copies
 */
async function takeFiles(from: string, to: string): Promise<string[]> {
  const entries = await readdir(from, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry: Dirent) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const copies: string[] = []
  for (const file of files) {
    const copy = join(to, relative(from, file))
    await mkdir(join(copy, '..'), { recursive: true })
    await copyFile(file, copy)
    copies.push(copy)
  }
  return copies
}

async function readCases(file: string): Promise<FailedCase[]> {
  if (!file.endsWith('.xml') || (await stat(file)).size > LARGEST_REPORT) return []
  return readFailedCases(await readFile(file, 'utf8'))
}

/** Copies the collected reports to the folder in the input `reports-directory`, one folder for each test. */
export async function handOver(run: Pick<Run, 'log' | 'folder'> & ReportsPlan): Promise<void> {
  const directory = run.plan.inputs.reportsDirectory
  const tests = await readdir(collectedFolder(run)).catch(() => [])
  if (tests.length === 0) return
  try {
    const target = resolve(directory)
    // a commit could contain a link with this name, or above it
    if (isBelow('.', target) && !isBelow(await realpath('.'), await realpathOfExisting(target))) {
      throw new Error('it is, or is below, a link that leaves the working directory')
    }
    await mkdir(target, { recursive: true })
    const place = await realpath(target)
    for (const test of tests) {
      await rm(join(place, test), { recursive: true, force: true })
      await cp(join(collectedFolder(run), test), join(place, test), { recursive: true })
    }
    run.log.info(`The reports of ${tests.length} tests are in ${resolve(directory)}`)
  } catch (error) {
    run.log.warning(`The reports of the tests could not be written to ${directory}: ${messageOf(error)}`)
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Returns the real path of the deepest existing folder of a path. */
async function realpathOfExisting(path: string): Promise<string> {
  return realpath(path).catch(() => realpathOfExisting(dirname(path)))
}
