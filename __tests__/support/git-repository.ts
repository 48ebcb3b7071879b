import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach } from '@jest/globals'

/** A scratch folder of the test that imports this, and an empty git repository in it. */
export let top: string
export let repository: string

/** Nothing of this machine's own configuration. */
export const env = { PATH: process.env.PATH ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'git-'))
  repository = join(top, 'repository')
  mkdirSync(repository)
  run('init', '--quiet')
})
afterEach(() => rmSync(top, { recursive: true }))

/** The other functions work in this repository from now on. */
export function goTo(folder: string): void {
  repository = folder
}

export function run(...args: string[]): string {
  const identity = ['-c', 'user.name=octocat', '-c', 'user.email=octocat@example.com']
  return execFileSync('git', [...identity, ...args], { cwd: repository, env, encoding: 'utf8', stdio: 'pipe' }).trim()
}

export function write(name: string, text = name): void {
  const path = join(repository, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** Commits these files, each with its name as its text, and whatever else has changed. */
export function commit(...names: string[]): string {
  for (const name of names) write(name)
  run('add', '--all')
  run('commit', '--quiet', '--allow-empty', '--message', 'Commit')
  return run('rev-parse', 'HEAD')
}
