/** One challenge in a WWW-Authenticate header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string
  /** By name in lower case. */
  parameters: Partial<Record<string, string>>
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const PARAMETER = new RegExp(`^\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 's')
/** A scheme, which stands alone or before its first parameter. */
const SCHEME = new RegExp(`^(${TOKEN})(?=\\s+${TOKEN}\\s*=|\\s*(?:,|$))`)

/** Maximum length to read of a header, in characters. */
const LONGEST = 8_192

/** Parses the challenges in a header. Never fails, but skips everything that is not a challenge. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = []
  let rest = header.slice(0, LONGEST)
  while (rest !== '') {
    rest = rest.replace(/^[\s,]+/, '')
    const parameter = challenges.length === 0 ? null : PARAMETER.exec(rest)
    if (parameter) {
      const [all, name = '', quoted, plain] = parameter
      const parameters = challenges.at(-1)?.parameters
      const key = name.toLowerCase()
      // the first value applies: a registry has no reason to send two
      if (parameters && !Object.hasOwn(parameters, key)) {
        Object.defineProperty(parameters, key, {
          value: plain ?? (quoted ?? '').replaceAll(/\\(.)/gs, '$1'),
          enumerable: true
        })
      }
      rest = rest.slice(all.length)
      continue
    }
    const [scheme] = SCHEME.exec(rest) ?? []
    if (scheme !== undefined) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: {} })
      rest = rest.slice(scheme.length)
      continue
    }
    // not a challenge: continue after the next comma
    rest = rest.includes(',') ? rest.slice(rest.indexOf(',') + 1) : ''
  }
  return challenges
}
