/**
 * Formats a command line that users can paste into a POSIX shell.
 *
 * @param input lines for its standard input, written by the action
 */
export function replayable(args: readonly string[], env: Record<string, string> = {}, input?: string): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  const line = [...variables, 'docker', ...args.map(quoted)].join(' ')
  return input === undefined ? line : `${line} <<'EOF'\n${input}EOF`
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word)
}

/** Encloses a word in single quotes for a POSIX shell. */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** Returns the words of a repeatable option. */
export function option(name: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [name, value])
}

/** Returns zero or one value, for `option`. */
export function optional(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}
