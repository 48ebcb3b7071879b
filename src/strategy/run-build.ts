import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replayable } from '../docker/command-line.ts'
import { lastLine } from '../docker/errors.ts'
import { distinctWarnings } from '../docker/progress/build-warnings.ts'
import type { PrintedStep, ProgressReader } from '../docker/progress/reader.ts'
import type { Stage, StageInstruction } from '../dockerfile/model.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { firstFolderIn } from '../dockerfile/steps.ts'
import { describeLateness } from '../lib/bounds.ts'
import { CancelledError } from '../lib/errors.ts'
import type { Stream } from '../lib/exec.ts'
import { retry } from '../lib/retry.ts'
import { secondsSince } from '../lib/timeline.ts'
import { type Run, retryOf } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { failureOfWords, transientFailure } from '../registry/client-words.ts'
import type { RegistryFailure } from '../registry/failure.ts'
import type { Build, Step } from '../result/result.ts'
import { BuildWatch } from './build-watch.ts'

/** A call of docker that builds an image. */
export interface BuildCommand {
  /** Title in the log: `Build octo/app:latest`. */
  title: string
  /** Arguments of docker, which writes the ID of the image to `idFile`. */
  args: (idFile: string) => string[]
  env?: Record<string, string>
  /** Variables that the log does not show. */
  secretEnv?: Record<string, string>
  input?: string
  reader: (print: (text: string) => void) => ProgressReader
  /** Finds the instruction of the Dockerfile for a step. */
  locate: (step: PrintedStep) => { stage: Stage; instruction?: StageInstruction | undefined } | undefined
  /** Whether docker builds the user's own Dockerfile: warnings about lines of a generated one would tell nobody anything. */
  isUsersFile?: boolean
  /** Receives the steps of each attempt; the result has only those of the last. */
  onSteps?: (steps: readonly Step[]) => void
}

/** Runs one docker build with its output in a section of the log, and retries it after a transient error of a registry. */
export async function runBuild(
  run: Pick<Run, 'plan' | 'docker' | 'log' | 'timeline' | 'folder' | 'signal'>,
  stage: StageBuild,
  cacheSource: string,
  command: BuildCommand
): Promise<Build> {
  let attempts = 0
  const { isStepFailure: _, ...built } = await retry(
    retryOf(run),
    command.title,
    () => buildOnce(run, stage, cacheSource, command, attempts++ < run.plan.inputs.retries),
    whyAgain
  )
  return built
}

/** Returns the transient error of a registry in the build or its cache; a failed command of the Dockerfile does not count. */
function whyAgain({ failure, isStepFailure, unreadableCaches }: Attempt): RegistryFailure | undefined {
  const ofCache = unreadableCaches.map((cache) => transientFailure(cache.failure))
  const ofBuild = failure === undefined || isStepFailure ? undefined : transientFailure(failureOfWords(failure, ''))
  return ofCache.find((one) => one !== undefined) ?? ofBuild
}

/**
 * Messages of BuildKit and the legacy builder about a failed command (executor/runcexecutor, dockerfile/dispatchers.go), a
 * missing file or image, and an invalid Dockerfile. Names in a message may contain anything.
 */
const OWN_FAILURE =
  /did not complete successfully|returned a non-zero code|failed to calculate checksum|parse error|: not found(?: \(line \d+\))?$/

interface Attempt extends Build {
  /** Whether the cause is the Dockerfile, or something that it reads. */
  isStepFailure: boolean
}

/** How docker ended, and its progress until then. */
interface Ended {
  /** null if the action stopped docker before it had built anything. */
  exitCode: number | null
  reader: ProgressReader
  /** Cache sources that did not answer in time. */
  lateCaches: string[]
  /** Why the action stopped docker because it reached a bound. */
  why: string | undefined
  isDiskFull: boolean
}

/** @param mayBeAgain whether to stop, for a retry, as soon as a transient error makes the cache unreadable */
async function buildOnce(
  run: Pick<Run, 'docker' | 'log' | 'timeline' | 'folder' | 'signal'>,
  stage: StageBuild,
  cacheSource: string,
  command: BuildCommand,
  mayBeAgain: boolean
): Promise<Attempt> {
  const idFile = join(run.folder, `id-${randomUUID()}`)
  const start = performance.now()
  const ended = await callBuild(run, command, idFile, mayBeAgain)
  const { exitCode, reader, lateCaches } = ended
  const steps = reader.steps().map((step) => located(step, command.locate(step)))
  command.onSteps?.(steps)
  const warnings = command.isUsersFile ? distinctWarnings(reader.warnings()) : []
  const outcome = {
    kind: stage.kind,
    stage: stage.name,
    image: stage.reference,
    cacheSource,
    seconds: secondsSince(start),
    steps,
    bases: reader.bases(),
    ...(warnings.length > 0 && { warnings }),
    unreadableCaches: [
      ...reader.unreadableCaches(),
      ...lateCaches.map((reference) => ({ reference, error: describeLateness('build-question') }))
    ].map(({ reference, error }) => ({ reference, failure: failureOfWords(error, reference) })),
    isStepFailure: false
  }
  // docker may exit with 0 although a signal stopped it
  if (exitCode === 0 && run.signal.aborted && !existsSync(idFile)) throw new CancelledError()
  if (exitCode !== 0) return { ...outcome, imageId: '', ...whyFailed(ended, steps) }
  const imageId = (await readFile(idFile, 'utf8')).trim()
  await rm(idFile)
  return { ...outcome, imageId }
}

/** Calls docker with its output in a section of the log, and stops it if it cannot read its cache, or reaches a bound. */
async function callBuild(
  run: Pick<Run, 'docker' | 'log' | 'timeline' | 'signal'>,
  command: BuildCommand,
  idFile: string,
  mayBeAgain: boolean
): Promise<Ended> {
  const args = command.args(idFile)
  const section = run.log.section(command.title)
  section.write(`${replayable(args, command.env, command.input)}\n`)
  let isDiskFull = false
  const reader = command.reader((text) => {
    isDiskFull ||= /no space left on device/i.test(text)
    section.write(text)
  })
  const inVain = new AbortController()
  const watch = new BuildWatch(reader, inVain)
  const options = {
    bound: 'build' as const,
    env: { ...command.env, ...command.secretEnv },
    ...(command.input === undefined ? {} : { input: command.input }),
    signal: AbortSignal.any([run.signal, inVain.signal]),
    capture: false,
    onOutput: (chunk: Buffer, stream: Stream) => {
      reader.write(chunk, stream)
      watch.look()
      const caches = mayBeAgain ? reader.unreadableCaches() : []
      // without its cache the build would execute every step
      if (caches.some(({ reference, error }) => transientFailure(failureOfWords(error, reference)))) inVain.abort()
    }
  }
  let exitCode: number | null = null
  try {
    exitCode = (await run.timeline.measure('build', command.title, () => run.docker.call(args, options))).exitCode
  } catch (error) {
    if (!(error instanceof CancelledError) || run.signal.aborted) throw error
  } finally {
    watch.end()
    reader.end()
    section.end()
  }
  return { exitCode, reader, lateCaches: watch.lateCaches, why: watch.why, isDiskFull }
}

function whyFailed(
  { exitCode, reader, why: late, isDiskFull }: Ended,
  steps: readonly Step[]
): Pick<Attempt, 'isStepFailure'> & { failure: string } {
  const failed = steps.find(({ error }) => error !== undefined)
  const why = late || lastLine(reader.failure()) || `docker ended with exit code ${exitCode}`
  const failure = failed ? `${failed.instruction}: ${failed.error}` : why
  return {
    isStepFailure: OWN_FAILURE.test(failure),
    failure: isDiskFull ? `${failure}; no space is left on the disk, the engine's or the runner's` : failure
  }
}

function located({ number: _, ...step }: PrintedStep, place: ReturnType<BuildCommand['locate']>): Step {
  return {
    ...step,
    // BuildKit makes the first folder on scratch each time, and never reports it as cached
    ...(place && isFirstFolderOnScratch(place) && { cached: true }),
    ...(place && { stage: nameOf(place.stage) }),
    ...(place?.instruction && { line: place.instruction.line })
  }
}

function isFirstFolderOnScratch({ stage, instruction }: NonNullable<ReturnType<BuildCommand['locate']>>): boolean {
  return stage.base === 'scratch' && instruction !== undefined && firstFolderIn(stage.instructions) === instruction
}
