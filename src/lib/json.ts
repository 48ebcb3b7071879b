/** Returns the value at a path of keys in data of any shape, or undefined if the path does not exist. */
export function at(value: unknown, ...keys: string[]): unknown {
  let current = value
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Record<string, unknown>)[key]
  }
  return current
}

/** Parses JSON; returns undefined if the text is not valid JSON. */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source) as unknown
  } catch {
    return undefined
  }
}

/** Returns a string unchanged, and '' for any other value. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Returns an array unchanged, and [] for any other value. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
