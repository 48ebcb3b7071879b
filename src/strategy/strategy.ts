import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replayable } from '../docker/args.ts'
import { lastLine } from '../docker/errors.ts'
import type { PrintedStep, ProgressReader } from '../docker/progress/reader.ts'
import type { Dockerfile, Stage, StageInstruction } from '../dockerfile/model.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { rewriteDockerfile } from '../dockerfile/rewrite.ts'
import { nameOf, stagesNeededFor } from '../dockerfile/stage-graph.ts'
import { CancelledError } from '../lib/errors.ts'
import { retry } from '../lib/retry.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { failureOfWords, transientFailure } from '../registry/client-words.ts'
import type { RegistryFailure } from '../registry/failure.ts'
import type { ReadImage } from '../registry/image.ts'
import { type Build, type Run, retryOf, type Step, secondsSince } from '../result/run.ts'

/** A way to share layers through the registry on one kind of engine. A build that fails is a result, not an error. */
export interface Strategy {
  /** Builds a stage from its one cache source and the images built before. */
  build(stage: StageBuild): Promise<Build>
  /** Reads what a build made, without what was put on top for its labels. */
  readBuilt(build: Build): Promise<ReadImage>
  /** Stops what still runs and waits for its end. Nothing is asked of the strategy after that. */
  end(): Promise<void>
}

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
export async function build(run: Run, stage: StageBuild, cacheSource: string, command: BuildCommand): Promise<Build> {
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

/** @param mayBeAgain whether to give up as soon as the cache cannot be read for the moment */
async function buildOnce(
  run: Run,
  stage: StageBuild,
  cacheSource: string,
  command: BuildCommand,
  mayBeAgain: boolean
): Promise<Attempt> {
  const idFile = join(run.folder, `id-${randomUUID()}`)
  const args = command.args(idFile)
  const section = run.log.section(command.title)
  section.write(`${replayable(args, command.env, command.input)}\n`)
  let isDiskFull = false
  const reader = command.reader((text) => {
    isDiskFull ||= /no space left on device/i.test(text)
    section.write(text)
  })
  const start = performance.now()
  const inVain = new AbortController()
  let late: string[] = []
  const looks = new Map<string, number>()
  const timer = setInterval(() => {
    if (late.length > 0) return
    const pending = reader.pendingCaches()
    for (const cache of pending) looks.set(cache, (looks.get(cache) ?? 0) + 1)
    late = pending.filter((cache) => (looks.get(cache) ?? 0) * LOOK_AT_CACHES_EVERY > CACHE_PATIENCE)
    if (late.length > 0) inVain.abort()
  }, LOOK_AT_CACHES_EVERY)
  let exitCode: number | null
  try {
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
    exitCode = (await run.timeline.measure('build', command.title, () => run.docker.call(args, options))).exitCode
  } catch (error) {
    if (!(error instanceof CancelledError) || run.signal.aborted) throw error
    exitCode = null
  } finally {
    clearInterval(timer)
    reader.end()
    section.end()
  }
  const silence = `no answer within ${CACHE_PATIENCE / 1_000} seconds`
  const outcome = {
    kind: stage.kind,
    stage: stage.name,
    image: stage.reference,
    cacheSource,
    seconds: secondsSince(start),
    steps: reader.steps().map((step) => located(step, command.locate(step))),
    bases: reader.bases(),
    unreadableCaches: [...reader.unreadableCaches(), ...late.map((reference) => ({ reference, error: silence }))].map(
      ({ reference, error }) => ({ reference, failure: failureOfWords(error, reference) })
    ),
    isStepFailure: false
  }
  // docker may end with 0 although it was told to stop
  if (exitCode === 0 && run.signal.aborted && !existsSync(idFile)) throw new CancelledError()
  if (exitCode === 0) {
    const imageId = (await readFile(idFile, 'utf8')).trim()
    await rm(idFile)
    return { ...outcome, imageId }
  }
  const failed = outcome.steps.find(({ error }) => error !== undefined)
  const why =
    (late[0] && `${late[0]}: ${silence}`) || lastLine(reader.failure()) || `docker ended with exit code ${exitCode}`
  const failure = failed ? `${failed.instruction}: ${failed.error}` : why
  return {
    ...outcome,
    imageId: '',
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

/** What is built: a Dockerfile, its path, and what `--target` gets. */
export interface Source {
  file: string
  dockerfile: Dockerfile
  /** undefined for the last stage, which may have no name: --target takes names only. */
  target: string | undefined
  /** The text of a Dockerfile of ours, which is still to be written. */
  text?: string
}

/**
 * The user's own Dockerfile where it will do, else one of ours whose last stage is the one to build.
 *
 * @param images references to the images that stand for other stages
 * @param buildsAll whether the builder builds all stages before the target, needed or not
 */
export function chooseSource(
  { dockerfile, file }: Plan,
  folder: string,
  { stage, name }: StageBuild,
  images: StageBuild['images'],
  buildsAll = false
): Source {
  const needed = stagesNeededFor(dockerfile, stage)
  const isLast = stage.index === dockerfile.stages.length - 1
  const canBeTarget = isLast || stage.name !== undefined
  const isAllNeeded = !buildsAll || needed.length === stage.index + 1
  if (canBeTarget && isAllNeeded && !needed.some((index) => images.has(index))) {
    return { file, dockerfile, target: isLast ? undefined : stage.name }
  }
  const text = rewriteDockerfile(dockerfile, stage, images)
  return { file: join(folder, `Dockerfile-${name}`), dockerfile: parseDockerfile(text), target: undefined, text }
}

/** As `chooseSource`, with the Dockerfile of ours written. */
export async function prepareSource(
  { plan, folder }: Run,
  stage: StageBuild,
  images: StageBuild['images'],
  buildsAll = false
): Promise<Source> {
  const source = chooseSource(plan, folder, stage, images, buildsAll)
  if (source.text === undefined) return source
  await writeFile(source.file, source.text)
  // BuildKit looks for it beside the Dockerfile
  const ignored = `${plan.file}.dockerignore`
  if (existsSync(ignored)) await copyFile(ignored, `${source.file}.dockerignore`)
  return source
}
