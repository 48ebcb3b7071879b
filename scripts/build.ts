// Compiles the sources once, and bundles the entries of the actions into dist/, or into the folder given as the first argument.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

/** Below the root, where the bundler finds packages; its name is in the comments of the bundles. */
const COMPILED = '.build'

const dist = process.argv[2] ?? 'dist'
execFileSync('tsc', ['--outDir', COMPILED], { stdio: 'inherit' })
rmSync(dist, { recursive: true, force: true })
bundle('main', dist)
bundle('post', join(dist, 'cleanup'))
for (const part of ['build', 'test', 'publish']) bundle(part, join(dist, part))
rmSync(COMPILED, { recursive: true })

function bundle(entry: string, folder: string): void {
  const args = [
    'build',
    join(COMPILED, `src/entries/${entry}.js`),
    '--out',
    folder,
    '--license',
    'licenses.txt',
    '--no-cache'
  ]
  execFileSync('ncc', args, { stdio: 'inherit' })
}
