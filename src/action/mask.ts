import { shellQuoted } from '../docker/command-line.ts'
import type { Inputs } from './inputs.ts'
import { findSecretLike } from './secret-like.ts'

/** What must not be shown, line by line: the runner masks within lines only. */
export function hiddenLines({
  secrets,
  githubToken,
  buildArgs,
  testOptions
}: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | 'testOptions'>): string[] {
  // `--env NAME=value`, in one word or two
  const variables = testOptions.map((word) => word.replace(/^(--env=|-e)/, ''))
  const likely = findSecretLike([...buildArgs, ...variables]).map(({ value }) => value ?? '')
  const lines = [...secrets.map((secret) => secret.value), ...likely, githubToken ?? '']
    .flatMap((value) => value.split(/\r?\n/))
    .filter((line) => line.trim() !== '')
  // as it is within a command that can be pasted
  const quoted = lines.filter((line) => line.includes("'")).map((line) => shellQuoted(line).slice(1, -1))
  return [...new Set([...lines, ...quoted])]
}

/** The runner masks what is logged, but not what is written to a file. */
export function redact(text: string, hidden: readonly string[]): string {
  // the longest first: one may be a part of another
  return hidden.toSorted((a, b) => b.length - a.length).reduce((shown, line) => shown.replaceAll(line, '***'), text)
}

/** Fields of a result and of a report that hold what others wrote; all others are names and numbers that programs read. */
const TEXTS = new Set(
  'command commands error failure failures instruction lastLines message name publishReason reason stays'.split(' ')
)

/** A copy of plain data whose texts hold nothing hidden. */
export function redactTexts<T>(data: T, hidden: readonly string[]): T {
  const shown = (value: unknown): unknown => (typeof value === 'string' ? redact(value, hidden) : value)
  return JSON.parse(JSON.stringify(data), (key, value: unknown) => {
    if (!TEXTS.has(key)) return value
    return Array.isArray(value) ? value.map(shown) : shown(value)
  }) as T
}
