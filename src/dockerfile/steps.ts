// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import type { Dockerfile, Stage, StageInstruction } from './model.ts'

/**
 * The instruction that a step of BuildKit is. Of a stage it counts FROM, unless that names a stage or scratch, and then
 * each ADD, COPY, RUN and WORKDIR but `WORKDIR /` (bk: dockerfile2llb/convert.go, prefixCommand and dispatchWorkdir).
 * Triggers of the base image come before them and a named context has no FROM: where the number is that of another
 * instruction, the text tells, if it is one of a kind.
 *
 * @param text the step without its number: `RUN npm ci`
 */
export function instructionOfBuildKitStep(stage: Stage, number: number, text: string): StageInstruction | undefined {
  const executed = stage.instructions.filter(
    ({ keyword, text }) => ['ADD', 'COPY', 'RUN', 'WORKDIR'].includes(keyword) && bare(text) !== 'WORKDIR/'
  )
  const isFromCounted = stage.baseImage !== undefined || stage.baseUnknown === true
  const instruction = executed[number - (isFromCounted ? 2 : 1)]
  if (instruction && isStep(instruction, text)) return instruction
  const alike = executed.filter((other) => isStep(other, text))
  return alike.length === 1 && !alike[0]?.hasVariable ? alike[0] : undefined
}

/**
 * The instruction that a step of the legacy builder is. It counts every instruction of the file, FROM and the ARGs before
 * the first one included (legacy: builder.go, printCommand).
 *
 * @param dockerfile what was built, as it was given to the builder
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

/** A builder fills variables in, drops quotes and escapes, and shows the beginning of a heredoc after the instruction. */
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
