import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadImage } from '../cache/image.ts'
import {
  type Dockerfile,
  parseDockerfile,
  rewriteDockerfile,
  type Stage,
  type StageInstruction,
  stagesNeededFor
} from '../dockerfile.ts'
import { replayable } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
import type { PrintedStep, ProgressReader } from '../engine/progress.ts'
import { type Build, type Run, type Step, secondsSince } from '../run.ts'
import { nameOf, type StageBuild } from '../stage-build.ts'

/** A way to share layers through the registry on one kind of engine. A build that fails is a result, not an error. */
export interface Strategy {
  /** Builds a stage from its one cache source and the images built before. */
  build(stage: StageBuild): Promise<Build>
  /** Reads what earlier runs published under a reference, as far as this engine can. */
  readPublished(reference: string): Promise<ReadImage>
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

/** Runs one docker build with its output in a section of the log. */
export async function build(run: Run, stage: StageBuild, cacheSource: string, command: BuildCommand): Promise<Build> {
  const idFile = join(run.folder, `id-${randomUUID()}`)
  const args = command.args(idFile)
  const section = run.log.section(command.title)
  section.write(`${replayable(args, command.env)}\n`)
  const reader = command.reader((text) => section.write(text))
  const start = performance.now()
  let exitCode: number | null
  try {
    const options = {
      env: { ...command.env, ...command.secretEnv },
      ...(command.input === undefined ? {} : { input: command.input }),
      signal: run.signal,
      capture: false,
      onOutput: (chunk: Buffer) => reader.write(chunk)
    }
    exitCode = (await run.timeline.measure(command.title, () => run.docker.call(args, options))).exitCode
  } finally {
    reader.end()
    section.end()
  }
  const outcome = {
    kind: stage.kind,
    stage: stage.name,
    image: stage.reference,
    cacheSource,
    seconds: secondsSince(start),
    steps: reader.steps().map((step) => located(step, command.locate(step))),
    bases: reader.bases(),
    unreadableCaches: reader.unreadableCaches()
  }
  if (exitCode === 0) {
    const imageId = (await readFile(idFile, 'utf8')).trim()
    await rm(idFile)
    return { ...outcome, imageId }
  }
  const failed = outcome.steps.find(({ error }) => error !== undefined)
  const why = lastLine(reader.failure()) || `docker ended with exit code ${exitCode}`
  return { ...outcome, imageId: '', failure: failed ? `${failed.instruction}: ${failed.error}` : why }
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
}

/**
 * The user's own Dockerfile where it will do, else one of ours whose last stage is the one to build.
 *
 * @param images references to the images that stand for other stages
 * @param buildsAll whether the builder builds all stages before the target, needed or not
 */
export async function prepareSource(
  { plan, folder }: Run,
  { stage, name }: StageBuild,
  images: StageBuild['images'],
  buildsAll = false
): Promise<Source> {
  const { dockerfile, file } = plan
  const needed = stagesNeededFor(dockerfile, stage)
  const isLast = stage.index === dockerfile.stages.length - 1
  const canBeTarget = isLast || stage.name !== undefined
  const isAllNeeded = !buildsAll || needed.length === stage.index + 1
  if (canBeTarget && isAllNeeded && !needed.some((index) => images.has(index))) {
    return { file, dockerfile, target: isLast ? undefined : stage.name }
  }
  const text = rewriteDockerfile(dockerfile, stage, images)
  const path = join(folder, `Dockerfile-${name}`)
  await writeFile(path, text)
  // BuildKit looks for it beside the Dockerfile
  if (existsSync(`${file}.dockerignore`)) await copyFile(`${file}.dockerignore`, `${path}.dockerignore`)
  return { file: path, dockerfile: parseDockerfile(text), target: undefined }
}
