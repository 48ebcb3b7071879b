import type { Inputs } from './inputs.ts'
import { allRunOptions } from './tests.ts'

/** Returns the names of environment variables that the user's inputs pass by name only. */
export function variablesAskedFor(inputs: Inputs): string[] {
  const fromOptions = allRunOptions(inputs).flatMap((word, index, words) => {
    if (/^(--env|-e)$/.test(word)) return words[index + 1] ?? []
    const [, value] = /^(?:--env=|-e)(.+)$/.exec(word) ?? []
    return value ?? []
  })
  return [...inputs.buildArgs, ...fromOptions].filter((text) => !text.includes('='))
}
