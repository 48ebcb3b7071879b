import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pushFiles, type TestBed } from '../testbed/index.ts'
import { run } from '../testbed/process.ts'
import { makeStraightTrace } from './trace.ts'

/** Pushes an image with npm's cache of every package in the application's lock file. It replaces the internet for builds. */
export async function pushPackages(bed: TestBed): Promise<void> {
  const files = Object.fromEntries(
    makeStraightTrace().flatMap(({ change }) => ('files' in change ? Object.entries(change.files) : []))
  )
  const hash = createHash('sha256')
    .update(files['package-lock.json'] ?? '')
    .digest('hex')
    .slice(0, 16)
  await pushFiles(bed, 'base/packages', `packages-${hash}`, async (root) => {
    const folder = await mkdtemp(join(tmpdir(), 'packages-'))
    try {
      for (const name of ['package.json', 'package-lock.json']) writeFileSync(join(folder, name), files[name] ?? '')
      const install = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', join(folder, 'cache')]
      await run('npm', install, { cwd: folder, env: { ...(process.env as Record<string, string>) } })
      await cp(join(folder, 'cache', '_cacache'), join(root, '_cacache'), { recursive: true })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
}
