/** The value at a path of keys in data of any shape; undefined where the path ends early. */
export function at(value: unknown, ...keys: string[]): unknown {
  let current = value
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Record<string, unknown>)[key]
  }
  return current
}

/** What a text of JSON says; undefined if it is none. */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source) as unknown
  } catch {
    return undefined
  }
}

/** A string as it is, '' for anything else. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** An array as it is, [] for anything else. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
