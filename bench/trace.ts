import { join } from 'node:path'
import { filesIn } from './files.ts'

const MODULES = 150

/** The kind of a run: what its commit changes, or what else starts it. */
export type Kind =
  | 'cold'
  | 'source'
  | 'dependencies'
  | 'documentation'
  | 'tail'
  | 'revert'
  | 'merge'
  | 'squash'
  | 're-run'
  | 'release'
  | 'nightly'

/** What happens in the repository before a run. */
export type Change =
  /** Content of the changed files, by path. */
  | { files: Record<string, string> }
  /** A branch whose pull request is merged to master, with a merge commit or squashed. */
  | { merge: string }
  | { squash: string }
  /** The last commit of master is reverted. */
  | { revert: true }
  /** The tip of master gets a tag. */
  | { tag: string }
  /** Nothing: the run before is repeated, or a schedule starts a run of master. */
  | { nothing: 're-run' | 'schedule' }

/** A run of the workflow. */
export interface Commit {
  kind: Kind
  /** The version that the server of master prints from then on. */
  version: string
  change: Change
  /** The branch of the pull request that the run is about; without one, it is about master or a tag. */
  branch?: string
}

/**
 * Makes twelve commits of master: the application; seven changes of its source, one each of its dependencies, of documentation that no
 * image contains and of the Dockerfile's last lines; and a revert of the commit before it.
 */
export function makeStraightTrace(): Commit[] {
  const { dockerfile, cold, dependencies } = startOfTrace()
  const source = (version: number): Commit => ({
    kind: 'source',
    version: `1.0.${version}`,
    change: {
      files: { ...versionFile(`1.0.${version}`), ...moduleFile((version * 37) % MODULES, `version 1.0.${version}`) }
    }
  })
  const withTail = dockerfile.replace('--version\n', '--version && node --check dist/bundle/index.js\n')
  if (withTail === dockerfile) throw new Error('bench/application/Dockerfile does not end as expected.')
  const reverted = { ...versionFile('1.0.6'), ...moduleFile((7 * 37) % MODULES) }
  return [
    { kind: 'cold', version: '1.0.0', change: { files: cold } },
    source(1),
    source(2),
    source(3),
    { kind: 'documentation', version: '1.0.3', change: { files: DOCUMENTATION } },
    source(4),
    { kind: 'dependencies', version: '1.0.4', change: { files: dependencies } },
    source(5),
    source(6),
    { kind: 'tail', version: '1.0.6', change: { files: { Dockerfile: withTail } } },
    source(7),
    {
      kind: 'revert',
      version: '1.0.6',
      change: { files: { ...moduleFile((6 * 37) % MODULES, 'version 1.0.6'), ...reverted } }
    }
  ]
}

/**
 * Makes twenty runs of a team: a pull request that changes a dependency and then source three times, merged; one that changes source only,
 * squashed onto a master that has moved meanwhile; a short one; changes of master, one of them documentation alone, one reverted; a
 * repeated run, a release of the tip, and a nightly run with nothing new.
 */
export function makeTeamTrace(): Commit[] {
  const { cold, dependencies } = startOfTrace()
  let version = '1.0.0'
  let changes = 0
  // every change is in another module: the branches merge without conflicts
  const source = (branch?: string): Commit => {
    changes++
    const [[path, text] = ['', '']] = Object.entries(moduleFile((changes * 37) % MODULES))
    // no comment: the compiler would drop it, and production would be the same
    const files = { [path]: `${text}\nexport const change = ${changes}\n` }
    return { kind: 'source', version, change: { files }, ...(branch === undefined ? {} : { branch }) }
  }
  const release = (next: string): Commit => {
    const { kind, change } = source()
    version = next
    return { kind, version, change: { files: { ...versionFile(next), ...('files' in change ? change.files : {}) } } }
  }
  const parser = 'parse-arguments'
  const cleaner = 'clean-up'
  const faster = 'faster'
  return [
    { kind: 'cold', version, change: { files: cold } },
    source(),
    { kind: 'dependencies', version, change: { files: dependencies }, branch: parser },
    source(parser),
    source(cleaner),
    source(parser),
    source(cleaner),
    source(parser),
    { kind: 're-run', version, change: { nothing: 're-run' }, branch: parser },
    { kind: 'merge', version, change: { merge: parser } },
    { kind: 'documentation', version, change: { files: DOCUMENTATION } },
    { kind: 'squash', version, change: { squash: cleaner } },
    source(),
    { kind: 'revert', version, change: { revert: true } },
    source(faster),
    source(faster),
    { kind: 'merge', version, change: { merge: faster } },
    release('1.1.0'),
    { kind: 'release', version, change: { tag: 'v1.1.0' } },
    { kind: 'nightly', version, change: { nothing: 'schedule' } }
  ]
}

const DOCUMENTATION = { 'docs/index.md': '# How to use it\n' }

/** The Dockerfile, the files of the first commit, and those of a change that adds a dependency. */
function startOfTrace(): { dockerfile: string; cold: Record<string, string>; dependencies: Record<string, string> } {
  const files = filesIn(join(import.meta.dirname, 'application'))
  const { 'package.json': manifest = '', 'package-lock.json': lock = '', Dockerfile: dockerfile = '' } = files
  return {
    dockerfile,
    cold: { ...files, ...sourceFiles(), ...withoutDependency(manifest, lock) },
    dependencies: { 'package.json': manifest, 'package-lock.json': lock }
  }
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
