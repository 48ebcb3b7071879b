import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const APPLICATION = join(import.meta.dirname, 'application')
const MODULES = 150

/** The kind of change in a commit. */
export type Kind = 'cold' | 'source' | 'dependencies' | 'documentation' | 'tail' | 'revert'

/** A commit of the trace. */
export interface Commit {
  kind: Kind
  /** The version that the server prints. */
  version: string
  /** Content of the changed files, by path. */
  files: Record<string, string>
}

/**
 * Makes twelve commits: the application; seven changes of its source, one each of its dependencies, of documentation that no image
 * contains and of the Dockerfile's last lines; and a revert of the commit before it.
 */
export function makeTrace(): Commit[] {
  const files = applicationFiles()
  const { 'package.json': manifest = '', 'package-lock.json': lock = '', Dockerfile: dockerfile = '' } = files
  const source = (version: number): Commit => ({
    kind: 'source',
    version: `1.0.${version}`,
    files: {
      ...versionFile(`1.0.${version}`),
      ...moduleFile((version * 37) % MODULES, `version 1.0.${version}`)
    }
  })
  const withTail = dockerfile.replace('--version\n', '--version && node --check dist/bundle/index.js\n')
  if (withTail === dockerfile) throw new Error('bench/application/Dockerfile does not end as expected.')
  return [
    { kind: 'cold', version: '1.0.0', files: { ...files, ...sourceFiles(), ...withoutDependency(manifest, lock) } },
    source(1),
    source(2),
    source(3),
    { kind: 'documentation', version: '1.0.3', files: { 'docs/index.md': '# How to use it\n' } },
    source(4),
    { kind: 'dependencies', version: '1.0.4', files: { 'package.json': manifest, 'package-lock.json': lock } },
    source(5),
    source(6),
    { kind: 'tail', version: '1.0.6', files: { Dockerfile: withTail } },
    source(7),
    { kind: 'revert', version: '1.0.6', files: { ...source(6).files, ...moduleFile((7 * 37) % MODULES) } }
  ]
}

function applicationFiles(): Record<string, string> {
  const entries = readdirSync(APPLICATION, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(APPLICATION, path), readFileSync(path, 'utf8')])
  )
}

/** The manifest and the lock file without the dependency that a later commit adds. */
function withoutDependency(manifest: string, lock: string): Record<string, string> {
  const name = 'string-argv'
  const [before, locked] = [JSON.parse(manifest), JSON.parse(lock)]
  delete before.devDependencies[name]
  delete locked.packages[''].devDependencies[name]
  delete locked.packages[`node_modules/${name}`]
  return {
    'package.json': `${JSON.stringify(before, undefined, 2)}\n`,
    'package-lock.json': `${JSON.stringify(locked, undefined, 2)}\n`
  }
}

const COUNTER = `export interface Counter {
  readonly name: string
  readonly words: number
  count(text: string): number
}
`

function sourceFiles(): Record<string, string> {
  const numbers = Array.from({ length: MODULES }, (_, number) => number)
  const names = numbers.map(moduleName)
  const index = [
    `import type { Counter } from './counter.js'`,
    ...names.map((name) => `import { module as ${name} } from './${name}.js'`),
    '',
    `export const modules: Counter[] = [${names.join(', ')}]`,
    ''
  ]
  return Object.assign(
    { 'src/modules/index.ts': index.join('\n'), 'src/modules/counter.ts': COUNTER },
    versionFile('1.0.0'),
    ...numbers.map((number) => moduleFile(number))
  )
}

function versionFile(version: string): Record<string, string> {
  return { 'src/version.ts': `export const version = '${version}'\n` }
}

function moduleName(number: number): string {
  return `counter${String(number).padStart(3, '0')}`
}

/** Makes a module of typical length. */
function moduleFile(number: number, note = 'as it was written first'): Record<string, string> {
  const name = moduleName(number)
  const functions = Array.from(
    { length: 12 },
    (_, index) => `
/** Counts what is as long as ${index + 1} characters, or ${number + 2} times that. */
function ofLength${index}(words: readonly string[]): Map<string, number> {
  const lengths = [${index + 1}, ${(index + 1) * (number + 2)}]
  return new Map(
    words
      .filter((word) => lengths.includes(word.length))
      .map((word, place) => [\`\${word}-\${place}\`, word.length * ${number + 1}])
  )
}`
  )
  const text = `// ${note}
import type { Counter } from './counter.js'
${functions.join('\n')}

const counters = [${functions.map((_, index) => `ofLength${index}`).join(', ')}]

export const module: Counter = {
  name: '${name}',
  words: 4,
  count(text) {
    const words = text.split(' ')
    const found = counters.flatMap((counter) => [...counter(words).keys()])
    return Math.max(words.length, new Set(found.map((key) => key.split('-')[0])).size)
  }
}
`
  return { [`src/modules/${name}.ts`]: text }
}
