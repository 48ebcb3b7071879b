import type { Stream } from '../../lib/exec.ts'
import type { BuildWarning } from './build-warnings.ts'

/** A step in the output of the builder. FROM is not a step: the builder fetches it and never executes it. */
export interface PrintedStep {
  /** Name of the stage, or `stage-N` if it has none. */
  stage: string
  /** The builder's number: BuildKit counts what it executes in a stage, the legacy builder every instruction of the file. */
  number: number
  instruction: string
  cached: boolean
  /** Duration of the step; for a cached step, of fetching its layer from the registry, if the builder reports it. */
  seconds: number
  /** The builder's message, if the step failed. */
  error?: string
}

/** A base image of a stage, as the builder resolved it. */
export interface Base {
  /** In the builder's notation: `docker.io/library/node:24`. */
  reference: string
  /** sha256:… */
  digest: string
}

/** Reads the output of a builder during a build. */
export interface ProgressReader {
  write(chunk: Buffer, stream: Stream): void
  /** Ends the output. The methods below return results only after this. */
  end(): void
  /** Returns the executed and cached steps, in the order of the output. */
  steps(): PrintedStep[]
  /** Returns the base images of the stages whose digests the builder reports. */
  bases(): Base[]
  /** Returns the warnings of Docker's build checks, as often as the builder reported them. */
  warnings(): BuildWarning[]
  /** Returns the cache sources that the builder has not finished reading. */
  pendingCaches(): string[]
  /** Returns what else the builder has asked a registry for, without an answer: the manifest of an image. */
  pendingMetadata(): string[]
  /** Returns a number that changes whenever the output shows that the builder has done something. */
  news(): number
  /** Returns whether a command of the Dockerfile is running. */
  isRunning(): boolean
  /** Returns the cache sources that the builder could not read, with its messages. */
  unreadableCaches(): { reference: string; error: string }[]
  /** Returns the builder's last message about its failure, or '' if it printed none. */
  failure(): string
}

/** Returns whether an instruction executes a command of the user; an instruction may be a trigger of the base image. */
export function isCommand(instruction: string): boolean {
  return /^(ONBUILD\s+)?RUN\s/i.test(instruction)
}
