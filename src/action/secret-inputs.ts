import { readFile } from 'node:fs/promises'
import { UserError } from '../lib/errors.ts'
import { type Get, records, words } from './input-values.ts'

/** A build secret: docker receives its value by id in the environment, never in an argument. */
export interface Secret {
  id: string
  value: string
}

/** A build secret in a file, which docker reads itself: it may be of any bytes. */
export interface SecretFile {
  id: string
  path: string
}

/** A build secret in a variable of the workflow step. */
export interface SecretEnv {
  id: string
  variable: string
}

/** The characters of an id: it is a part of an argument of docker with commas between the parts. */
const ID = /^[A-Za-z0-9_.-]+$/

/** The limit of BuildKit for a secret (moby/buildkit session/secrets). */
const LONGEST_SECRET = 500 * 1_024

/**
 * Returns the secrets, and the ids of those without a value: GitHub gives no secrets to forks and Dependabot.
 *
 * @throws UserError
 */
export function readSecrets(get: Get): [Secret[], string[]] {
  const all = records(get, 'secrets').map(secret)
  const secrets = all.filter(({ value }) => value.trim() !== '')
  const ids = all.map(({ id }) => id).filter((id) => !secrets.some((other) => other.id === id))
  return [secrets, [...new Set(ids)]]
}

function secret(item: string): Secret {
  const equals = item.indexOf('=')
  const id = item.slice(0, Math.max(equals, 0))
  if (!ID.test(id)) {
    // the line may be the secret itself, so the message omits it
    throw new UserError(
      'Input secrets has a line that is not id=value; each line must be, for example npm_token=abc, and a secret of several lines must be in double quotes: "key=first line", next line"'
    )
  }
  if (/^id=[^,]+,(src|source|env|type)=/.test(item)) {
    throw new UserError(
      'Input secrets has a line in the notation of docker build --secret; each line must be id=value, for example npm_token=abc'
    )
  }
  return { id, value: item.slice(equals + 1) }
}

/** @throws UserError */
export function readSecretFiles(get: Get): SecretFile[] {
  // a path may have commas
  return words(get, 'secret-files', () => false).map((item) => {
    const [, id = '', path = ''] = /^([^=]*)=(.+)$/s.exec(item) ?? []
    if (ID.test(id) && !path.includes('\0')) return { id, path }
    // the line may be a secret, so the message omits it
    throw new UserError(
      'Input secret-files has a line that is not id=path; each line must be, for example npmrc=.npmrc, with an id of letters, digits, dots, dashes and underscores'
    )
  })
}

/** @throws UserError */
export function readSecretEnvs(get: Get): SecretEnv[] {
  return words(get, 'secret-envs', () => false).map((item) => {
    const [, id = '', variable = ''] = /^([^=]*)=([A-Za-z_]\w*)$/.exec(item) ?? []
    if (ID.test(id)) return { id, variable }
    throw new UserError(
      'Input secret-envs has a line that is not id=NAME; each line must be, for example npm_token=NPM_TOKEN, with the name of an environment variable'
    )
  })
}

/** The inputs with secrets. */
export interface SecretInputs {
  secrets: readonly Pick<Secret, 'id'>[]
  secretFiles: readonly SecretFile[]
  secretEnvs: readonly SecretEnv[]
}

/**
 * Validates that each id stands for one secret.
 *
 * @throws UserError
 */
export function checkSecretIds({ secrets, secretFiles, secretEnvs }: SecretInputs): void {
  // the last of two in the same input counts, as for docker
  const lists: [string, readonly Pick<Secret, 'id'>[]][] = [
    ['secrets', secrets],
    ['secret-files', secretFiles],
    ['secret-envs', secretEnvs]
  ]
  const seen = new Map<string, string>()
  for (const [name, items] of lists) {
    for (const { id } of items) {
      const other = seen.get(id) ?? name
      if (other !== name) {
        throw new UserError(`Inputs ${other} and ${name} both have the id "${id}"; give each secret an id of its own`)
      }
      seen.set(id, name)
    }
  }
}

/** Returns the secrets in the environment, and the ids of those without a value. */
export function secretsInEnvironment(
  secretEnvs: readonly SecretEnv[],
  env: Readonly<Record<string, string | undefined>>
): [Secret[], string[]] {
  const all = secretEnvs.map(({ id, variable }) => ({ id, value: env[variable] ?? '' }))
  const isSet = ({ value }: Secret): boolean => value.trim() !== ''
  return [all.filter(isSet), all.filter((one) => !isSet(one)).map(({ id }) => id)]
}

/**
 * Returns the text of the secrets in files, to redact it; of a file that is no text there is nothing to redact.
 *
 * @throws UserError if a file cannot be read; without its path, which may be a secret in the wrong input
 */
export async function secretsInFiles(secretFiles: readonly SecretFile[]): Promise<Secret[]> {
  const all = await Promise.all(
    secretFiles.map(async ({ id, path }): Promise<Secret[]> => {
      const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        throw new UserError(
          `Input secret-files: the file of the secret "${id}" cannot be read (${error.code}); give the path of a file, absolute or relative to the working directory`
        )
      })
      if (bytes.length > LONGEST_SECRET) {
        throw new UserError(
          `Input secret-files: the file of the secret "${id}" has ${bytes.length} bytes; docker takes at most ${LONGEST_SECRET}`
        )
      }
      const value = bytes.toString()
      return Buffer.from(value).equals(bytes) ? [{ id, value }] : []
    })
  )
  return all.flat()
}
