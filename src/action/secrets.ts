import { shellQuoted } from '../docker/command-line.ts'
import { splitAtEquals } from '../lib/text.ts'
import type { Inputs, Secret } from './inputs.ts'

/** What must not be shown, and what only the build may get: made of the inputs once, and handed on. */
export class Secrets {
  /** The input `secrets`. */
  readonly values: readonly Secret[]
  /** What must not be shown, line by line: the runner masks within lines only. */
  readonly lines: readonly string[]

  constructor(inputs: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | 'testOptions'>) {
    this.values = inputs.secrets
    this.lines = hiddenLines(inputs)
  }

  /** The runner masks what is logged, but not what is written to a file. */
  redact(text: string): string {
    // the longest first: one may be a part of another
    const longestFirst = this.lines.toSorted((a, b) => b.length - a.length)
    return longestFirst.reduce((shown, line) => shown.replaceAll(line, '***'), text)
  }

  /** A copy of plain data whose texts hold nothing hidden. */
  redactTexts<T>(data: T): T {
    const shown = (value: unknown): unknown => (typeof value === 'string' ? this.redact(value) : value)
    return JSON.parse(JSON.stringify(data), (key, value: unknown) => {
      if (!TEXTS.has(key)) return value
      return Array.isArray(value) ? value.map(shown) : shown(value)
    }) as T
  }
}

/** Fields of a result and of a report that hold what others wrote; all others are names and numbers that programs read. */
const TEXTS = new Set(
  'command commands error failure instruction lastLines message name publishReason reason stays'.split(' ')
)

/** The inputs without the values of secrets: what a plan may hold. */
export interface PublicInputs extends Omit<Inputs, 'secrets' | 'githubToken'> {
  /** Ids. */
  secrets: string[]
}

export function publicInputs({ githubToken: _, ...inputs }: Inputs): PublicInputs {
  return { ...inputs, secrets: inputs.secrets.map(({ id }) => id) }
}

function hiddenLines({
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

/** Words of a name that stand for a secret, and one that says it is none: BuildKit's own check SecretsUsedInArgOrEnv (frontend/dockerfile/dockerfile2llb/convert.go). */
const SECRET_WORDS = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i
const PUBLIC_WORD = /(?:^|_)public(?:_|$)/i

/** What secrets of widely used services begin with (GitHub, GitLab, npm, AWS, Slack, Docker Hub, PyPI, Stripe), JWTs, and private keys. */
const SECRET_VALUES =
  /^(?:gh[pousr]_|github_pat_|glpat-|npm_|AKIA|ASIA|xox[abprs]-|dckr_pat_|pypi-|sk_live_|eyJ[\w-]+\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY)/

/** Shorter values are words, and masking a word makes a log unreadable. */
const SHORTEST_SECRET = 8

/** A build argument that looks like a secret, by its name or by its value. */
export interface SecretLike {
  name: string
  /** undefined where it should not be masked: it is in the environment, or too short. */
  value: string | undefined
}

/** @param buildArgs NAME=value, or NAME alone */
export function findSecretLike(buildArgs: readonly string[]): SecretLike[] {
  return buildArgs.flatMap((arg) => {
    const [name, value] = arg.includes('=') ? splitAtEquals(arg) : [arg, '']
    const isNamedSo = SECRET_WORDS.test(name) && !PUBLIC_WORD.test(name) && (value !== '' || !arg.includes('='))
    if (!isNamedSo && !SECRET_VALUES.test(value)) return []
    return [{ name, value: value.length >= SHORTEST_SECRET ? value : undefined }]
  })
}
