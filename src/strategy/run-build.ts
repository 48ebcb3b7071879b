import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replayable } from '../docker/command-line.ts'
import { lastLine } from '../docker/errors.ts'
import type { PrintedStep, ProgressReader } from '../docker/progress/reader.ts'
import type { Stage, StageInstruction } from '../dockerfile/model.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { CancelledError } from '../lib/errors.ts'
import { retry } from '../lib/retry.ts'
import { secondsSince } from '../lib/timeline.ts'
import { type Run, retryOf } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { failureOfWords, transientFailure } from '../registry/client-words.ts'
import type { RegistryFailure } from '../registry/failure.ts'
import type { Build, Step } from '../result/result.ts'

/** One call of docker that builds an image. */
export interface BuildCommand {
  /** What is done, for the log: `Build octo/app:latest`. */
  title: string
  /** Arguments of docker; the image's id goes into `idFile`. */
  args: (idFile: string) => string[]
  env?: Record<string, string>
  /** Variables that are not shown. */
  secretEnv?: Record<string, string>
  input?: string
  reader: (print: (text: string) => void) => ProgressReader
  /** The instruction of the Dockerfile that a step is. */
  locate: (step: PrintedStep) => { stage: Stage; instruction?: StageInstruction | undefined } | undefined
}

/** Runs one docker build with its output in a section of the log, and again if a registry failed it for the moment. */
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

/** A transient failure of a registry, of the build itself or of its cache: that of a command in the Dockerfile is none. */
function whyAgain({ failure, isStepFailure, unreadableCaches }: Attempt): RegistryFailure | undefined {
  const ofCache = unreadableCaches.map((cache) => transientFailure(cache.failure))
  const ofBuild = failure === undefined || isStepFailure ? undefined : transientFailure(failureOfWords(failure, ''))
  return ofCache.find((one) => one !== undefined) ?? ofBuild
}

/**
 * How BuildKit and the legacy builder tell of a command that failed (executor/runcexecutor, dockerfile/dispatchers.go), of a
 * missing file or image, and of what is no Dockerfile. Names in it may say anything.
 */
const OWN_FAILURE =
  /did not complete successfully|returned a non-zero code|failed to calculate checksum|parse error|: not found$/

interface Attempt extends Build {
  /** Whether it failed by the Dockerfile, or by what that reads. */
  isStepFailure: boolean
}

/** Milliseconds in which BuildKit must have read what a registry says of a cache, a few kilobytes: it waits for ever itself. */
const CACHE_PATIENCE = 120_000
const LOOK_AT_CACHES_EVERY = 5_000
const SILENCE = `no answer within ${CACHE_PATIENCE / 1_000} seconds`

/** How docker ended, and what was seen of it. */
interface Ended {
  /** null if docker was ended before it had built anything. */
  exitCode: number | null
  reader: ProgressReader
  /** Cache sources that gave no answer in time. */
  late: string[]
  isDiskFull: boolean
}

/** @param mayBeAgain whether to give up as soon as the cache cannot be read because of a transient error */
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
  const { exitCode, reader, late } = ended
  const outcome = {
    kind: stage.kind,
    stage: stage.name,
    image: stage.reference,
    cacheSource,
    seconds: secondsSince(start),
    steps: reader.steps().map((step) => located(step, command.locate(step))),
    bases: reader.bases(),
    unreadableCaches: [...reader.unreadableCaches(), ...late.map((reference) => ({ reference, error: SILENCE }))].map(
      ({ reference, error }) => ({ reference, failure: failureOfWords(error, reference) })
    ),
    isStepFailure: false
  }
  // docker may end with 0 although it was told to stop
  if (exitCode === 0 && run.signal.aborted && !existsSync(idFile)) throw new CancelledError()
  if (exitCode !== 0) return { ...outcome, imageId: '', ...whyFailed(ended, outcome.steps) }
  const imageId = (await readFile(idFile, 'utf8')).trim()
  await rm(idFile)
  return { ...outcome, imageId }
}

/** Calls docker with its output in a section of the log, and ends it where its cache will not be read. */
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
  const watch = new CacheWatch(reader, inVain)
  const options = {
    env: { ...command.env, ...command.secretEnv },
    ...(command.input === undefined ? {} : { input: command.input }),
    signal: AbortSignal.any([run.signal, inVain.signal]),
    capture: false,
    onOutput: (chunk: Buffer) => {
      reader.write(chunk)
      const caches = mayBeAgain ? reader.unreadableCaches() : []
      // without its cache it would execute everything
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
  return { exitCode, reader, late: watch.late, isDiskFull }
}

/** Gives a build up whose cache sources are not read in time. */
class CacheWatch {
  /** Cache sources that gave no answer in time. */
  late: string[] = []
  readonly #looks = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  constructor(reader: ProgressReader, inVain: AbortController) {
    this.#timer = setInterval(() => this.#look(reader, inVain), LOOK_AT_CACHES_EVERY)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #look(reader: ProgressReader, inVain: AbortController): void {
    if (this.late.length > 0) return
    const pending = reader.pendingCaches()
    for (const cache of pending) this.#looks.set(cache, (this.#looks.get(cache) ?? 0) + 1)
    this.late = pending.filter((cache) => (this.#looks.get(cache) ?? 0) * LOOK_AT_CACHES_EVERY > CACHE_PATIENCE)
    if (this.late.length > 0) inVain.abort()
  }
}

function whyFailed(
  { exitCode, reader, late, isDiskFull }: Ended,
  steps: readonly Step[]
): Pick<Attempt, 'isStepFailure'> & { failure: string } {
  const failed = steps.find(({ error }) => error !== undefined)
  const why =
    (late[0] && `${late[0]}: ${SILENCE}`) || lastLine(reader.failure()) || `docker ended with exit code ${exitCode}`
  const failure = failed ? `${failed.instruction}: ${failed.error}` : why
  return {
    isStepFailure: OWN_FAILURE.test(failure),
    failure: isDiskFull ? `${failure}; no space is left on the disk, the engine's or the runner's` : failure
  }
}

function located({ number: _, ...step }: PrintedStep, place: ReturnType<BuildCommand['locate']>): Step {
  return {
    ...step,
    ...(place && { stage: nameOf(place.stage) }),
    ...(place?.instruction && { line: place.instruction.line })
  }
}
