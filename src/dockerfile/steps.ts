// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import type { Dockerfile, Stage, StageInstruction } from './model.ts'

/** Returns whether an instruction makes a layer that is of use as a cache: that of WORKDIR is an empty folder. */
export function makesLayer({ keyword }: Pick<StageInstruction, 'keyword'>): boolean {
  return ['ADD', 'COPY', 'RUN'].includes(keyword)
}

/** Returns whether BuildKit executes an instruction: all others change only the image's config (bk: dockerfile2llb/convert.go, dispatch). */
export function isExecuted(instruction: Pick<StageInstruction, 'keyword'>): boolean {
  return makesLayer(instruction) || instruction.keyword === 'WORKDIR'
}

/** Returns the first executed instruction if it is a WORKDIR. */
export function firstFolderIn<I extends Pick<StageInstruction, 'keyword'>>(instructions: readonly I[]): I | undefined {
  const first = instructions.find(isExecuted)
  return first?.keyword === 'WORKDIR' ? first : undefined
}

/**
 * Finds the instruction of a BuildKit step. In a stage, BuildKit counts FROM, unless it names a stage or scratch, and then
 * each ADD, COPY, RUN and WORKDIR except `WORKDIR /` (bk: dockerfile2llb/convert.go, prefixCommand and dispatchWorkdir).
 * Triggers of the base image come before them, and a named context has no FROM: if the number belongs to another
 * instruction, the text identifies the right one, provided that it is unique.
 *
 * @param text the step without its number: `RUN npm ci`
 */
export function instructionOfBuildKitStep(stage: Stage, number: number, text: string): StageInstruction | undefined {
  const executed = stage.instructions.filter(
    (instruction) => isExecuted(instruction) && bare(instruction.text) !== 'WORKDIR/'
  )
  const isFromCounted = stage.baseImage !== undefined || stage.baseUnknown === true
  const instruction = executed[number - (isFromCounted ? 2 : 1)]
  if (instruction && isStep(instruction, text)) return instruction
  const alike = executed.filter((other) => isStep(other, text))
  return alike.length === 1 && !alike[0]?.hasVariable ? alike[0] : undefined
}

/**
 * Finds the instruction of a step of the legacy builder, which counts every instruction of the file, including FROM and
 * the ARGs before the first FROM (legacy: builder.go, printCommand).
 *
 * @param dockerfile the Dockerfile that the builder received
 * @param text the step without its number: `RUN npm ci`
 */
export function instructionOfLegacyStep(
  dockerfile: Dockerfile,
  number: number,
  text: string
): { stage: Stage; instruction: StageInstruction } | undefined {
  let next = dockerfile.globalArgs + 1
  for (const stage of dockerfile.stages) {
    const instruction = stage.instructions[number - next - 1]
    if (number > next && instruction) return isStep(instruction, text) ? { stage, instruction } : undefined
    next += stage.instructions.length + 1
  }
  return undefined
}

/** Compares an instruction with a step: a builder expands variables, drops quotes and escapes, and appends the beginning of a heredoc. */
function isStep({ keyword, text }: StageInstruction, step: string): boolean {
  const [word = ''] = step.trim().split(/\s/)
  if (word.toUpperCase() !== keyword) return false
  const own = bare(text.slice(keyword.length))
  const other = bare(step.trim().slice(word.length))
  const [known = ''] = own.split('$')
  return own.includes('$') || own.includes('<<') ? other.startsWith(known) : other === own
}

function bare(text: string): string {
  return text.replaceAll(/[\s'"\\`]/g, '')
}
