import { splitAtEquals } from '../lib/text.ts'
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

/** Returns the values of build arguments as docker does: one that is given by name alone has that of the environment, or does not exist. */
export function valuesOfBuildArgs(
  buildArgs: readonly string[],
  env: Readonly<Record<string, string | undefined>>
): Map<string, string> {
  return new Map(
    buildArgs.flatMap((arg): [string, string][] => {
      if (arg.includes('=')) return [splitAtEquals(arg)]
      const value = env[arg]
      return value === undefined ? [] : [[arg, value]]
    })
  )
}
