import { shellQuoted } from '../docker/command-line.ts'
import { splitAtEquals } from '../lib/text.ts'
import type { Inputs, Secret } from './inputs.ts'
import { allRunOptions, type TestInputs } from './tests.ts'

/** The secrets in the inputs: values to redact, and values that only the build may receive. */
export class Secrets {
  /** The input `secrets`. */
  readonly values: readonly Secret[]
  /** The texts to redact, line by line: the runner masks only within lines. */
  readonly lines: readonly string[]

  constructor(inputs: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | keyof TestInputs>) {
    this.values = inputs.secrets
    this.lines = hiddenLines(inputs)
  }

  /** Redacts a text for a file: the runner masks only its log. */
  redact(text: string): string {
    // the longest first, because one may be a part of another
    const longestFirst = this.lines.toSorted((a, b) => b.length - a.length)
    return longestFirst.reduce((shown, line) => shown.replaceAll(line, '***'), text)
  }

  /** Returns a copy of plain data with redacted texts. */
  redactTexts<T>(data: T): T {
    const shown = (value: unknown): unknown => (typeof value === 'string' ? this.redact(value) : value)
    return JSON.parse(JSON.stringify(data), (key, value: unknown) => {
      if (!TEXTS.has(key)) return value
      return Array.isArray(value) ? value.map(shown) : shown(value)
    }) as T
  }
}

/** Fields of a result and of a report that may contain external text; all others are names and numbers for programs. */
const TEXTS = new Set(
  'command commands error failure instruction lastLines message name publishReason reason stays'.split(' ')
)

/** The inputs without the values of secrets, for the plan. */
export interface PublicInputs extends Omit<Inputs, 'secrets' | 'githubToken'> {
  /** Ids only. */
  secrets: string[]
}

export function publicInputs({ githubToken: _, ...inputs }: Inputs): PublicInputs {
  return { ...inputs, secrets: inputs.secrets.map(({ id }) => id) }
}

function hiddenLines(inputs: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | keyof TestInputs>): string[] {
  const { secrets, githubToken, buildArgs } = inputs
  // `--env NAME=value`, in one word or two
  const variables = allRunOptions(inputs).map((word) => word.replace(/^(--env=|-e)/, ''))
  const likely = findSecretLike([...buildArgs, ...variables]).map(({ value }) => value ?? '')
  const lines = [...secrets.map((secret) => secret.value), ...likely, githubToken ?? '']
    .flatMap((value) => value.split(/\r?\n/))
    .filter((line) => line.trim() !== '')
  // the quoted form in a command line for users to paste
  const quoted = lines.filter((line) => line.includes("'")).map((line) => shellQuoted(line).slice(1, -1))
  return [...new Set([...lines, ...quoted])]
}

/** Words in a name that indicate a secret, and one that excludes it: BuildKit's SecretsUsedInArgOrEnv (frontend/dockerfile/dockerfile2llb/convert.go). */
const SECRET_WORDS = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i
const PUBLIC_WORD = /(?:^|_)public(?:_|$)/i

/** Prefixes of secrets of common services (GitHub, GitLab, npm, AWS, Slack, Docker Hub, PyPI, Stripe), JWTs, and private keys. */
const SECRET_VALUES =
  /^(?:gh[pousr]_|github_pat_|glpat-|npm_|AKIA|ASIA|xox[abprs]-|dckr_pat_|pypi-|sk_live_|eyJ[\w-]+\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY)/

/** Minimum length: shorter values may be ordinary words, and masking these would make the log unreadable. */
const SHORTEST_SECRET = 8

/** A build argument whose name or value indicates a secret. */
export interface SecretLike {
  name: string
  /** undefined if the action should not mask it, because it is in the environment or too short. */
  value: string | undefined
}

/** @param buildArgs NAME=value, or only NAME */
export function findSecretLike(buildArgs: readonly string[]): SecretLike[] {
  return buildArgs.flatMap((arg) => {
    const [name, value] = arg.includes('=') ? splitAtEquals(arg) : [arg, '']
    const isNamedSo = SECRET_WORDS.test(name) && !PUBLIC_WORD.test(name) && (value !== '' || !arg.includes('='))
    if (!isNamedSo && !SECRET_VALUES.test(value)) return []
    return [{ name, value: value.length >= SHORTEST_SECRET ? value : undefined }]
  })
}
