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
}

/** The commits of the demo. The first one is the application in its folder, unchanged. */
export const COMMITS: Commit[] = [
  { subject: 'Convert units of measurement', branch: 'master', edits: [] },
  {
    subject: 'Round to ten significant digits',
    branch: 'master',
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
    subject: 'Know nautical miles',
    branch: 'feature/nautical-miles',
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
  }
]

/** The final request to `IMAGE:latest`, and the answer of the last commit of master, which rounds. */
export const QUESTION = '/convert?value=42&from=km&to=mi'
export const ANSWER = '{"value":42,"from":"km","to":"mi","result":26.09759007}'

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
