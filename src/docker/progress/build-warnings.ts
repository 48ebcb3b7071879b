/** A warning of Docker's build checks about a line of the Dockerfile (docs.docker.com, "Build checks"). */
export interface BuildWarning {
  /** Name of the rule, such as `FromAsCasing`; '' if the builder names none. */
  rule: string
  message: string
  /** Line of the Dockerfile; undefined if the warning is about none. */
  line?: number
  /** Page about the rule; '' if there is none. */
  url: string
}

/** A warning in BuildKit's `--progress=rawjson` (moby/buildkit client/graph.go `VertexWarning`); texts are in Base64. */
export interface RawWarning {
  short?: string
  url?: string
  range?: { start?: { line?: number } }[]
}

/** Parses a warning; undefined if it has no text. Its text is `RULE: MESSAGE (line N)` (frontend/dockerfile/linter). */
export function readWarning({ short = '', url = '', range = [] }: RawWarning): BuildWarning | undefined {
  const text = Buffer.from(short, 'base64').toString().trim()
  if (text === '') return undefined
  const [, rule = '', rest = text] = /^([A-Z][A-Za-z]*): (.*)$/s.exec(text) ?? []
  const line = range?.[0]?.start?.line
  return {
    ...{ rule, message: rest.replace(/ \(line \d+\)$/, ''), url: /^https:\/\/\S+$/.test(url) ? url : '' },
    ...(Number.isSafeInteger(line) && Number(line) > 0 && { line: Number(line) })
  }
}

/** Returns each warning once: the builder checks the whole file for each stage that it builds. */
export function distinctWarnings(warnings: readonly BuildWarning[]): BuildWarning[] {
  const byText = new Map(warnings.map((warning) => [JSON.stringify(warning), warning]))
  return [...byText.values()].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
}
