/**
 * The stages of a Dockerfile and their dependencies, from the parser library dockerfile-ast.
 *
 * In this folder, these prefixes cite docker's behaviour: `bk:` github.com/moby/buildkit at 73ed682, folder
 * frontend/dockerfile; `legacy:` github.com/moby/moby at v20.10.24, folder builder/dockerfile and its vendored parser.
 */

/** A Dockerfile has no stages, or a stage cannot be replaced. The message is one sentence. */
export class DockerfileError extends Error {
  override name = 'DockerfileError'
}

/** A stage of a Dockerfile. */
export interface Stage {
  /** As in `COPY --from=0`. */
  index: number
  /** The name after AS in lower case: docker ignores the case of stage names (bk: instructions/parse.go). */
  name?: string
  /** The base in FROM, verbatim; it may contain variables. */
  base: string
  /** Set if FROM contains a variable whose value only the engine knows (`FROM base-$TARGETARCH`). */
  baseUnknown?: true
  /** The earlier stage that FROM names, if any. */
  baseStage?: number
  /** Set if FROM has --platform. */
  hasPlatform?: true
  /** The earlier stages that COPY --from and RUN --mount=from= in this stage name; sorted, without duplicates. */
  copiesFrom: number[]
  /** The base image that FROM names, with expanded variables; undefined for a stage, for `scratch`, and if only the engine knows it. */
  baseImage?: string
  /** The instructions after FROM, in order. */
  instructions: StageInstruction[]
  /** The line of FROM; lines count from 1. */
  startLine: number
  /** The last line of the stage's last instruction. */
  endLine: number
}

/** An instruction of a stage, except FROM. */
export interface StageInstruction {
  /** In upper case: RUN, COPY, … */
  keyword: string
  /** The instruction on one line, with single blanks between words, without comments and the content of heredocs. */
  text: string
  /** Its first line; lines count from 1. */
  line: number
  /** The earlier stages that it copies from or mounts; sorted, without duplicates. */
  copiesFrom: number[]
  /** The images outside the Dockerfile or the named contexts that it copies from or mounts, verbatim. */
  imagesFrom: string[]
  /** Whether it may contain a variable. */
  hasVariable: boolean
}

export interface Dockerfile {
  text: string
  /** Number of ARGs before the first FROM. */
  globalArgs: number
  stages: Stage[]
  /** The image that `# syntax=` names. */
  syntax?: string
  /** Features that the legacy builder lacks, each with its line: `RUN --mount (line 7)`. */
  buildKitFeatures: string[]
}

/**
 * Finds the last stage with this name, ignoring case, or the stage with this number. (A stage that docker can build has a
 * name or is the last: `docker build --target` accepts no numbers; bk: resolveTarget, legacy: instructions/commands.go, HasStage.)
 */
export function findStage(dockerfile: Dockerfile, nameOrIndex: string): Stage | undefined {
  const index = findEarlier(dockerfile.stages, nameOrIndex)
  return index === undefined ? undefined : dockerfile.stages[index]
}

export function findEarlier(stages: Stage[], nameOrIndex: string): number | undefined {
  if (/^\d+$/.test(nameOrIndex)) return stages[Number(nameOrIndex)]?.index
  return stages.findLast(({ name }) => name !== undefined && name === nameOrIndex.toLowerCase())?.index
}

/** Lists the stages in order for a message, by name or, for a stage without a name, by number. */
export function listStages({ stages }: Dockerfile): string {
  return stages.map(({ name, index }) => name ?? String(index)).join(', ')
}

export function ascending(numbers: Iterable<number>): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
