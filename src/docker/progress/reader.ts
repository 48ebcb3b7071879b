/** One instruction of a Dockerfile, as the builder printed it. FROM is none: it is fetched, never executed. */
export interface PrintedStep {
  /** Name of the stage, `stage-N` where it has none. */
  stage: string
  /** As the builder counts: BuildKit what it executes in a stage, the legacy builder every instruction of the file. */
  number: number
  instruction: string
  cached: boolean
  /** How long it took; for a cached step, how long its layer took to come from the registry, where the builder says so. */
  seconds: number
  /** What the builder said, if the step failed. */
  error?: string
}

/** An image that a stage is built on, as the builder found it. */
export interface Base {
  /** As the builder names it: `docker.io/library/node:24`. */
  reference: string
  /** sha256:… */
  digest: string
}

/** Reads what a builder prints while it builds. */
export interface ProgressReader {
  write(chunk: Buffer): void
  /** No more output; the other methods answer only after this. */
  end(): void
  /** The steps that were executed or found in the cache, in the order of their appearance. */
  steps(): PrintedStep[]
  /** The images outside the Dockerfile that its stages are built on, where the builder tells their digests. */
  bases(): Base[]
  /** Cache sources that are being read. */
  pendingCaches(): string[]
  /** Cache sources that could not be read, with what the builder said. */
  unreadableCaches(): { reference: string; error: string }[]
  /** The builder's own last word on why it failed; '' if it said nothing. */
  failure(): string
}
