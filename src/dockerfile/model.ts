/**
 * The stages of a Dockerfile and what each needs of the others, by the parser library dockerfile-ast.
 *
 * In this folder, what docker does is cited as `bk:` github.com/moby/buildkit at 73ed682, folder frontend/dockerfile, and
 * as `legacy:` github.com/moby/moby at v20.10.24, folder builder/dockerfile and the parser vendored with it.
 */

/** A Dockerfile without stages, or a stage that cannot be replaced. The message is one sentence. */
export class DockerfileError extends Error {
  override name = 'DockerfileError'
}

/** A stage of a multi-stage Dockerfile. */
export interface Stage {
  /** As in `COPY --from=0`. */
  index: number
  /** As written after AS, lower-cased: docker compares stage names without case (bk: instructions/parse.go). */
  name?: string
  /** What FROM names, verbatim; it may hold variables. */
  base: string
  /** Set if FROM holds a variable whose value only the engine knows (`FROM base-$TARGETARCH`). */
  baseUnknown?: true
  /** The earlier stage that FROM names, if it does. */
  baseStage?: number
  /** Set if FROM has a --platform of its own. */
  hasPlatform?: true
  /** The earlier stages that COPY --from and RUN --mount=from= name in this stage; sorted, each once. */
  copiesFrom: number[]
  /** The image outside the Dockerfile that FROM names, variables filled in; undefined for a stage, `scratch`, and what only the engine knows. */
  baseImage?: string
  /** What follows FROM, in order. */
  instructions: StageInstruction[]
  /** The line of FROM; lines count from 1. */
  startLine: number
  /** The last line of the stage's last instruction. */
  endLine: number
}

/** An instruction of a stage. FROM is none. */
export interface StageInstruction {
  /** In capitals: RUN, COPY, … */
  keyword: string
  /** On one line, single blanks between the words, without comments and the text of heredocs. */
  text: string
  /** Its first line; lines count from 1. */
  line: number
  /**
   * Paths that it reads from the build context, as written: the sources of COPY and ADD without --from, that of a
   * RUN --mount=type=bind without from. No URL and no heredoc.
   */
  contextSources: string[]
  /** Patterns of --exclude. */
  excludes: string[]
  /** The earlier stages that it copies from or mounts; sorted, each once. */
  copiesFrom: number[]
  /** The images outside the Dockerfile, or contexts, that it copies from or mounts, as written. */
  imagesFrom: string[]
  /** Whether it may hold a variable. */
  hasVariable: boolean
}

export interface Dockerfile {
  text: string
  /** How many ARGs come before the first FROM. */
  globalArgs: number
  stages: Stage[]
  /** The image that `# syntax=` names. */
  syntax?: string
  /** What the legacy builder cannot do, in words and with its line: `RUN --mount (line 7)`. */
  buildKitFeatures: string[]
}

/**
 * The last stage of that name, in any case, or the stage of that number. (To be built, a stage must have a name or be
 * the last: `docker build --target` takes no numbers; bk: resolveTarget, legacy: instructions/commands.go, HasStage.)
 */
export function findStage(dockerfile: Dockerfile, nameOrIndex: string): Stage | undefined {
  const index = findEarlier(dockerfile.stages, nameOrIndex)
  return index === undefined ? undefined : dockerfile.stages[index]
}

export function findEarlier(stages: Stage[], nameOrIndex: string): number | undefined {
  if (/^\d+$/.test(nameOrIndex)) return stages[Number(nameOrIndex)]?.index
  return stages.findLast(({ name }) => name !== undefined && name === nameOrIndex.toLowerCase())?.index
}

/** The names of the stages for people, in order; a number where there is none. */
export function listStages({ stages }: Dockerfile): string {
  return stages.map(({ name, index }) => name ?? String(index)).join(', ')
}

export function ascending(numbers: Iterable<number>): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}
