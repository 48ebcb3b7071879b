// This repository, as the release scripts see it. They need no packages: publish-release.ts runs with a token that can write.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VersionFiles } from './versions.ts'

export const ROOT = join(import.meta.dirname, '..')

export const HOMEPAGE = 'https://github.com/shared-docker-layers/shared-docker-layers'

/** What a program answered. */
export interface Git {
  ok: boolean
  output: string
  error: string
}

export function git(...args: string[]): Git {
  return run('git', args)
}

/** Runs a program in the repository. */
export function run(program: string, args: string[], input = ''): Git {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', input })
  return { ok: status === 0, output: (stdout ?? '').trim(), error: (stderr ?? '').trim() }
}

/** The commits of all branches and tags of origin, by their full names. */
export function remoteRefs(): Map<string, string> {
  const { ok, output, error } = git('ls-remote', '--heads', '--tags', 'origin')
  if (!ok) throw new Error(`git cannot read origin: ${error}`)
  const refs = new Map<string, string>()
  // an annotated tag has a second line, `refs/tags/v1^{}`, with its commit
  for (const [, sha = '', name = ''] of output.matchAll(/^(\S+)\t(\S+?)(?:\^\{\})?$/gm)) refs.set(name, sha)
  return refs
}

/** The files that name the version. The changelog names all versions. */
export function readFiles(): VersionFiles {
  const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
  const paths = git('ls-files', '*.md', 'docs', 'examples').output.split('\n')
  const documents = paths.filter((path) => /\.(md|ya?ml)$/.test(path) && path !== 'CHANGELOG.md')
  return {
    packageJson: read('package.json'),
    packageLock: read('package-lock.json'),
    changelog: read('CHANGELOG.md'),
    documents: Object.fromEntries(documents.map((path) => [path, read(path)]))
  }
}
