import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import { argument, type Get } from './input-values.ts'

/**
 * Reads the inputs `platform` and `platforms`: one a line, or with commas between, as in docker/build-push-action. A list of one
 * platform is the same as that platform.
 *
 * @throws UserError
 */
export function readPlatforms(get: Get): { platform: string | undefined; platforms: string[] } {
  const value = argument(get, 'platform')
  const platform = value === undefined ? undefined : onePlatform('Input platform', value)
  const platforms = listOf(get('platforms'))
  if (platform !== undefined && platforms.length > 0 && !platforms.includes(platform.toLowerCase())) {
    throw new UserError(
      `Input platform is ${quote(platform)}, which is not in the input platforms (${platforms.join(', ')}); add it there`
    )
  }
  return platforms.length > 1 ? { platform, platforms } : { platform: platform ?? platforms[0], platforms: [] }
}

/**
 * Returns a platform that the user gave.
 *
 * @param what where the user gave it
 * @throws UserError
 */
export function onePlatform(what: string, value: string): string {
  if (isPlatform(value)) return value
  throw new UserError(
    `${what} is ${quote(value)}; it must be one platform, because tests run on it, for example linux/amd64; for several, use the input platforms`
  )
}

function listOf(text: string): string[] {
  const items = text
    .split(/[\n,]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
  const wrong = items.find((item) => !isPlatform(item) || !item.includes('/'))
  if (wrong !== undefined) {
    throw new UserError(
      `Input platforms has ${quote(wrong)}; each item must be a platform, for example linux/amd64 or linux/arm64`
    )
  }
  return [...new Set(items.map((item) => item.toLowerCase()))]
}

function isPlatform(value: string): boolean {
  return /^[a-z0-9]+(\/[a-z0-9_]+){0,2}$/i.test(value)
}
