import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const APPLICATION = join(import.meta.dirname, 'application')
const IGNORED = ['dist', 'node_modules']

/** A commit that the demo makes. */
export interface Commit {
  subject: string
  branch: string
  /** In each file, the text to replace and its replacement. */
  edits: { file: string; old: string; new: string }[]
  /** The branch that it merges. */
  merges?: string
  /** The steps that the action may execute for it: the others do not depend on what it changes, or an earlier run has built them. */
  executes: 'all' | readonly string[]
}

/** The steps that depend on the source. */
const AFTER_SOURCE = [
  'builder: COPY . .',
  'builder: RUN npm run build',
  'production: COPY --from=builder /app/dist ./dist'
]

/** The steps that depend on package.json, its lock file or the packages; production begins like the builder stage, so it has those steps already. */
const AFTER_DEPENDENCIES = [
  'builder: COPY package.json package-lock.json ./',
  'builder: COPY packages ./packages',
  'builder: RUN npm ci',
  'builder: COPY . .',
  'builder: RUN npm run build',
  'production: RUN npm ci --omit=dev',
  'production: COPY --from=builder /app/dist ./dist'
]

const BRANCH = 'feature/nautical-miles'

/** The commits of the demo. The first one is the application in its folder, unchanged. */
export const COMMITS: Commit[] = [
  { subject: 'Convert units of measurement', branch: 'master', edits: [], executes: 'all' },
  {
    subject: 'Round to ten significant digits',
    branch: 'master',
    executes: AFTER_SOURCE,
    edits: [
      {
        file: 'src/convert.js',
        old: 'return (value * source.size) / target.size',
        new: 'return Number(((value * source.size) / target.size).toPrecision(10))'
      },
      {
        file: 'test/unit/convert.test.js',
        old: "test('goes there",
        new: "test('rounds', () => {\n  assert.equal(convert(42, 'km', 'mi'), 26.09759007)\n})\n\ntest('goes there"
      }
    ]
  },
  {
    subject: 'Update the router to 1.1.0',
    branch: BRANCH,
    executes: AFTER_DEPENDENCIES,
    edits: [
      {
        file: 'packages/router/index.js',
        old: "  return { status, headers: { 'content-type': 'application/json' }, body",
        new: "  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }\n  return { status, headers, body"
      },
      {
        file: 'packages/router/package.json',
        old: '"version": "1.0.0"',
        new: '"version": "1.1.0"'
      },
      {
        file: 'package-lock.json',
        old: '"name": "@pocket/router",\n      "version": "1.0.0"',
        new: '"name": "@pocket/router",\n      "version": "1.1.0"'
      }
    ]
  },
  {
    subject: 'Know nautical miles',
    branch: BRANCH,
    executes: AFTER_SOURCE,
    edits: [
      {
        file: 'src/units.js',
        old: "  kg: { quantity: 'mass'",
        new: "  nmi: { quantity: 'length', size: 1_852 },\n  kg: { quantity: 'mass'"
      },
      {
        file: 'test/unit/convert.test.js',
        old: "  assert.equal(convert(5_280, 'ft', 'mi'), 1)\n",
        new: "  assert.equal(convert(5_280, 'ft', 'mi'), 1)\n  assert.equal(convert(2, 'nmi', 'm'), 3_704)\n"
      }
    ]
  },
  { subject: 'Know nautical miles', branch: 'master', edits: [], merges: BRANCH, executes: [] }
]

/** The final request to `IMAGE:latest`, and the answer of the last commit of master, which knows nautical miles and rounds. */
export const QUESTION = '/convert?value=42&from=km&to=nmi'
export const ANSWER = '{"value":42,"from":"km","to":"nmi","result":22.67818575}'

/** Reads the files of the application from its folder, by path. */
export function applicationFiles(): Record<string, string> {
  const entries = readdirSync(APPLICATION, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    paths
      .map((path) => relative(APPLICATION, path))
      // build output is not part of the source
      .filter((path) => !path.split('/').some((name) => IGNORED.includes(name)))
      .map((path) => [path, readFileSync(join(APPLICATION, path), 'utf8')])
  )
}

/** Returns the files that a commit changes, with their new content. */
export function changedFiles(files: Record<string, string>, { edits }: Commit): Record<string, string> {
  return Object.fromEntries(
    edits.map((edit) => {
      const text = files[edit.file]
      if (!text?.includes(edit.old)) throw new Error(`demo/application/${edit.file} does not contain ${edit.old}`)
      return [edit.file, text.replace(edit.old, () => edit.new)]
    })
  )
}
