import { splitAtEquals } from '../lib/text.ts'

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
