import { shellQuoted } from '../docker/command-line.ts'
import { splitAtEquals } from '../lib/text.ts'
import type { Inputs } from './inputs.ts'
import type { Secret } from './secret-inputs.ts'
import { allRunOptions, type TestInputs } from './tests.ts'

/** The secrets in the inputs: values to redact, and values that only the build may receive. */
export class Secrets {
  /** The inputs `secrets` and `secret-envs`. */
  readonly values: readonly Secret[]
  /** The texts to redact, line by line: the runner masks only within lines. */
  readonly lines: readonly string[]
  /** Ids of the secrets of which at least one line is not redacted, and names of such variables. */
  readonly shown: readonly string[]

  /**
   * @param names that people and workflows must be able to read: the runner drops an output with a masked text in it
   * @param env the environment of the step: the inputs may name its variables
   * @param known a text that is no secret: the Dockerfile
   * @param files the content of the input `secret-files`, which docker reads itself
   */
  constructor(
    inputs: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | keyof TestInputs>,
    names: readonly string[] = [],
    env: Readonly<Record<string, string | undefined>> = {},
    known = '',
    files: readonly Secret[] = []
  ) {
    this.values = inputs.secrets
    const all = hiddenTexts({ ...inputs, secrets: [...inputs.secrets, ...files] }, env, known)
    const isShown = (line: string): boolean => [...names, OUTPUT_WORDS].some((name) => name.includes(line))
    const lines = all.flatMap(({ text }) => linesOf(text)).filter((line) => !isTooShort(line) && !isShown(line))
    // the quoted form in a command line for users to paste
    const quoted = lines.filter((line) => line.includes("'")).map((line) => shellQuoted(line).slice(1, -1))
    this.lines = [...new Set([...lines, ...quoted])]
    this.shown = all
      // a brace on a line of its own tells nothing, but a short secret does
      .filter(({ text }) => linesOf(text).some(isShown) || linesOf(text).every(isTooShort))
      .map(({ name }) => name)
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
  'command commands error failure instruction lastLines message name publishReason reason stays url'.split(' ')
)

/** The inputs without the values of secrets, for the plan. */
export interface PublicInputs extends Omit<Inputs, 'secrets' | 'githubToken'> {
  /** Ids only. */
  secrets: string[]
}

export function publicInputs({ githubToken: _, ...inputs }: Inputs): PublicInputs {
  return { ...inputs, secrets: inputs.secrets.map(({ id }) => id) }
}

/** Words in the outputs that other steps and jobs read. */
const OUTPUT_WORDS = [
  'true false full partial none passed failed timed-out error unchanged inline legacy overlay2 containerd',
  'stage cached total miss instruction line kind reason unexpected command status exitCode seconds passedFor',
  'version store strategy sha256: shared-docker-layers-report .json cache- tested- -next kind production-test check'
].join(' ')

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '')
}

/** Returns whether a line is so short that it occurs in ordinary texts: a brace, a number, a few digits of a digest. */
function isTooShort(line: string): boolean {
  const { length } = line.trim()
  return length < 4 || (length < 6 && /^[0-9a-f]+$/i.test(line.trim()))
}

/** A text that must not be shown, by the id of its secret or the name of its variable. */
interface HiddenText {
  name: string
  text: string
}

function hiddenTexts(
  inputs: Pick<Inputs, 'secrets' | 'githubToken' | 'buildArgs' | keyof TestInputs>,
  env: Readonly<Record<string, string | undefined>>,
  known: string
): HiddenText[] {
  const { secrets, githubToken, buildArgs } = inputs
  // `--env NAME=value`, in one word or two
  const withValue = (word: string): string => (env[word] === undefined ? word : `${word}=${env[word]}`)
  // a guess by the name alone: the same word elsewhere is none, as a user of a database that is its password
  const isPublic = (value: string): boolean =>
    !SECRET_VALUES.test(value) && (known.includes(value) || ordinary.some((other) => other.endsWith(`=${value}`)))
  const variables = allRunOptions(inputs).map((word) => word.replace(/^(--env=|-e)/, ''))
  const all = [...buildArgs, ...variables].map(withValue)
  const ordinary = all.filter((word) => findSecretLike([word]).length === 0)
  return [
    ...secrets.map(({ id, value }) => ({ name: id, text: value })),
    ...findSecretLike(all).flatMap(({ name, value }) =>
      value === undefined || isPublic(value) ? [] : [{ name, text: value }]
    ),
    { name: 'github-token', text: githubToken ?? '' }
  ].filter(({ text }) => text.trim() !== '')
}

/** Words in a name that indicate a secret, and those that exclude it: BuildKit's SecretsUsedInArgOrEnv (frontend/dockerfile/dockerfile2llb/convert.go). */
const SECRET_WORDS = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i
const PUBLIC_WORDS = /(?:^|_)(?:file|public|version)(?:_|$)/i

/** A version number: two or more numbers, perhaps with a short suffix such as `-rc.1` or `-alpine3.20`. */
const VERSION = /^v?\d+(?:\.\d+)+(?:[-+.][\w.]{1,16}){0,2}$/i

/** A path: it begins like one or ends in a file extension. */
const PATH = /^(?:(?:~|\.{1,2})?(?:\/[\w.@-]+)+\/?|(?:[\w.@-]+\/)+[\w@-]+\.[a-z]{1,5}|[A-Za-z]:\\[\w.@\\ -]+)$/

/** Returns whether a value, whatever its name, is a version number or a path; a part of a path is no random text. */
function isVersionOrPath(value: string): boolean {
  const isRandom = (part: string): boolean => /[a-z]/.test(part) && /[A-Z]/.test(part) && /\d/.test(part)
  return VERSION.test(value) || (PATH.test(value) && !value.split(/[\\/]/).some(isRandom))
}

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
    const isNamedSo = SECRET_WORDS.test(name) && !PUBLIC_WORDS.test(name) && (value !== '' || !arg.includes('='))
    if (!(isNamedSo && !isVersionOrPath(value)) && !SECRET_VALUES.test(value)) return []
    return [{ name, value: value.length >= SHORTEST_SECRET ? value : undefined }]
  })
}
