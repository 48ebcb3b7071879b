import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceStage } from '../dockerfile.ts'
import { replayable } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
import type { ProgressReader } from '../engine/progress.ts'
import { type Build, type Run, secondsSince } from '../run.ts'

/** A way to share layers through the registry on one kind of engine. A build that fails is a result, not an error. */
export interface Strategy {
  /** Builds the builder stage from the cache of the moving builder tag, as `refs.builder`. */
  buildBuilder(): Promise<Build>
  /** Builds the production stage from the builder just built and the cache of the moving production tag. Comes after `buildBuilder`. */
  buildProduction(): Promise<Build>
  /** Stops what still runs and waits for its end. Nothing is asked of the strategy after that. */
  end(): Promise<void>
}

export interface BuildCommand {
  /** Reference of the image. */
  image: string
  /** What is done to it, for the log; the default is Build. */
  verb?: string
  /** Arguments of docker; the image's id goes into `idFile`. */
  args: (idFile: string) => string[]
  env?: Record<string, string>
  /** Variables that are not shown. */
  secretEnv?: Record<string, string>
  input?: string
  reader: (print: (text: string) => void) => ProgressReader
}

/** Runs one docker build with its output in a section of the log. */
export async function build(run: Run, command: BuildCommand): Promise<Build> {
  const idFile = join(run.folder, `id-${randomUUID()}`)
  const args = command.args(idFile)
  const section = run.log.section(`${command.verb ?? 'Build'} ${command.image}`)
  section.write(`${replayable(args, command.env)}\n`)
  const reader = command.reader((text) => section.write(text))
  const start = performance.now()
  let exitCode: number | null
  try {
    const result = await run.docker.call(args, {
      env: { ...command.env, ...command.secretEnv },
      ...(command.input === undefined ? {} : { input: command.input }),
      signal: run.signal,
      capture: false,
      onOutput: (chunk) => reader.write(chunk)
    })
    exitCode = result.exitCode
  } finally {
    reader.end()
    section.end()
  }
  const outcome = {
    image: command.image,
    seconds: secondsSince(start),
    steps: reader.steps(),
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

/** Writes the Dockerfile whose builder stage is `image`; returns its path. */
export async function writeReplaced(run: Run, image: string): Promise<string> {
  const { dockerfile, builderStage, targetStage, file } = run.plan
  const path = join(run.folder, 'Dockerfile')
  await writeFile(path, replaceStage(dockerfile, builderStage, image, targetStage))
  // BuildKit looks for it beside the Dockerfile
  if (existsSync(`${file}.dockerignore`)) await copyFile(`${file}.dockerignore`, `${path}.dockerignore`)
  return path
}
