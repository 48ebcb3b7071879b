// Compares the committed dist/ with a fresh build of src/, file by file.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const fresh = mkdtempSync(join(tmpdir(), 'shared-docker-layers-dist-'))

/** Returns path and content of every file in a folder, as one string. */
function filesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.\w+$/.test(name))
    .map((name) => `${name}\n${readFileSync(join(folder, name), 'utf8')}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join('\n')
}

const { status } = spawnSync('node', ['scripts/build.ts', fresh], { cwd: root, stdio: 'inherit' })
const same = status === 0 && filesIn(join(root, 'dist')) === filesIn(fresh)
rmSync(fresh, { recursive: true })
if (status === 0 && !same) console.error('dist/ differs from a build of src/: run `npm run build` and commit dist/')
process.exitCode = same ? 0 : 1
