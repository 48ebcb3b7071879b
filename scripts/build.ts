// Bundles both entries of the action into dist/, or into the folder given as the first argument.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const dist = process.argv[2] ?? 'dist'
rmSync(dist, { recursive: true, force: true })
bundle('src/entries/main.ts', dist)
bundle('src/entries/post.ts', join(dist, 'cleanup'))

function bundle(entry: string, folder: string): void {
  execFileSync('ncc', ['build', entry, '--out', folder, '--license', 'licenses.txt', '--no-cache'], {
    stdio: 'inherit'
  })
}
