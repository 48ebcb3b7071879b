import { createHash } from 'node:crypto'

type Files = Record<string, string>

/**
 * Computes a key for each step of the application's Dockerfile, by `stage instruction`: equal if and only if everything is equal that
 * the step depends on. It knows only the notations of that Dockerfile, and nothing of the action's content keys, which it judges.
 *
 * @param files all files of a commit
 */
export function stepKeys(files: Files): Map<string, string> {
  const { '.dockerignore': ignore = '', Dockerfile: dockerfile = '' } = files
  const ignored = ignore.split('\n')
  const context = Object.fromEntries(
    Object.entries(files).filter(([path]) => !ignored.includes(path.split('/')[0] ?? ''))
  )
  const keys = new Map<string, string>()
  const ends = new Map<string, string>()
  let [stage, key] = ['', '']
  for (const line of dockerfile.split('\n')) {
    const [, base, name] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? []
    if (base !== undefined && name !== undefined) [stage, key] = [name, hash([base])]
    else if (/^(WORKDIR|COPY|RUN) /.test(line)) {
      key = hash([key, line, ...readBy(line, context, ends)])
      keys.set(`${stage} ${line}`, key)
      ends.set(stage, key)
    } else if (!/^(ARG .*|CMD .*|#.*|)$/.test(line)) throw new Error(`The benchmark does not know the line ${line}`)
  }
  return keys
}

function readBy(instruction: string, context: Files, ends: Map<string, string>): string[] {
  if (!instruction.startsWith('COPY ')) return []
  const [, stage] = /^COPY --from=(\S+) /.exec(instruction) ?? []
  if (stage !== undefined) {
    const end = ends.get(stage)
    if (end === undefined) throw new Error(`The benchmark does not know the stage of ${instruction}`)
    return [end]
  }
  const sources = instruction.split(' ').slice(1, -1)
  const paths = sources.includes('.') ? Object.keys(context).sort((a, b) => a.localeCompare(b)) : sources
  return paths.flatMap((path) => {
    const content = context[path]
    if (content === undefined) throw new Error(`The benchmark does not know the file ${path} of ${instruction}`)
    return [path, content]
  })
}

function hash(parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/**
 * @param executed names of steps
 * @param built keys of the steps of all runs before
 * @returns those of the steps that a run before has built
 */
export function unchangedSteps(
  executed: Iterable<string>,
  keys: ReadonlyMap<string, string>,
  built: ReadonlySet<string>
): string[] {
  return [...executed].filter((name) => {
    const key = keys.get(name)
    if (key === undefined) throw new Error(`The benchmark does not know the step ${name}`)
    return built.has(key)
  })
}
