import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import type { Outcome } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, executedRuns, missesOf, Project, short } from '../support/harness.ts'

/** What is asked is the same on every engine. */
const engines = availableEngines().slice(-1)

/** A Dockerfile that copies what a test names into its builder stage, and shows it in production. */
function dockerfile(from: string, copy: string, show: string): string {
  return [
    `FROM ${from} AS builder`,
    'WORKDIR /w',
    copy,
    `RUN ${show} > all.txt`,
    `FROM ${from}`,
    'COPY --from=builder /w/all.txt /all.txt',
    'CMD ["cat", "/all.txt"]',
    ''
  ].join('\n')
}

function git(folder: string, ...args: string[]): void {
  const options = ['protocol.file.allow=always', 'user.name=a', 'user.email=a@b.c'].flatMap((one) => ['-c', one])
  execFileSync('git', [...options, '-C', folder, ...args], { stdio: 'pipe' })
}

/** Plays a commit with `skip-unchanged-tests`: the run must be good, but for a miss that is told. */
async function play(project: Project, source: SourceRepository, sha: string): Promise<Outcome> {
  const inputs = { tests: 'test -s all.txt', 'skip-unchanged-tests': 'true', 'expect-cache': 'fail' }
  const outcome = await project.play(source, sha, inputs)
  expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
  expect(annotations(outcome, 'warning')).toEqual([])
  return outcome
}

function statusOf({ outputs }: Outcome): string[] {
  return (JSON.parse(String(outputs.tests)) as { status: string }[]).map(({ status }) => status)
}

describe.each(engines)('Docker $version, $store store', (engine) => {
  it('builds and tests what an earlier step of the job made, in a folder that git ignores', async () => {
    const project = new Project(bed, engine, 'trait-artifact')
    const files: Files = {
      Dockerfile: dockerfile(base, 'COPY out/*-app.bin ./', 'cat *.bin'),
      // only the artifact is let in
      '.dockerignore': '**\n!out/*-app.bin\n',
      '.gitignore': 'out/\n',
      'main.c': '1\n'
    }
    const source = new SourceRepository(bed.folder, files, (checkout) => {
      mkdirSync(join(checkout, 'out'))
      writeFileSync(join(checkout, 'out/my-app.bin'), `built from ${readFileSync(join(checkout, 'main.c'), 'utf8')}`)
    })
    await play(project, source, source.head())
    const changed = await play(project, source, source.commit({ 'main.c': '2\n' }))
    expect(statusOf(changed)).toEqual(['passed'])
    expect(missesOf(changed).builder).toMatchObject({ line: 3, kind: 'files-changed', unexpected: false })
    expect(executedRuns(changed)).toEqual(['builder: RUN cat *.bin > all.txt'])
    const sha = source.commit({ 'README.md': 'x\n' })
    expect(statusOf(await play(project, source, sha))).toEqual(['unchanged'])
    const shown = await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`))
    expect(shown).toBe('built from 2')
  })

  it('builds and tests a submodule that moved, of which it copies a folder', async () => {
    const project = new Project(bed, engine, 'trait-submodule')
    const library = new SourceRepository(bed.folder, { 'api/version': 'library 1\n' })
    const copy = 'COPY vendor/library/api ./api\nCOPY app ./'
    const source = new SourceRepository(
      bed.folder,
      { Dockerfile: dockerfile(base, copy, 'cat api/version app'), '.dockerignore': '.git\n', app: 'a\n' },
      (checkout) => git(checkout, 'submodule', '--quiet', 'update', '--init')
    )
    git(source.origin, 'submodule', '--quiet', 'add', `file://${library.origin}`, 'vendor/library')
    await play(project, source, source.commit({}))

    const moved = library.commit({ 'api/version': 'library 2\n' })
    git(join(source.origin, 'vendor/library'), 'pull', '--quiet', 'origin', moved)
    const sha = source.commit({})
    const outcome = await play(project, source, sha)
    expect(statusOf(outcome)).toEqual(['passed'])
    expect(missesOf(outcome).builder).toMatchObject({ line: 3, kind: 'files-changed', unexpected: false })
    expect(missesOf(outcome).builder?.reason).toContain('vendor/library')
    expect(await project.digest(short(sha))).toBe(await project.digest('latest'))
    expect((await project.labels('latest'))['org.opencontainers.image.revision']).toBe(sha)
    const shown = await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`))
    expect(shown).toBe('library 2\na')
  })

  it('knows a base image that is pinned by its digest, and skips all that has not changed', async () => {
    const project = new Project(bed, engine, 'trait-pinned')
    const digest = (await bed.registry.manifest('base/busybox', '1'))?.digest
    const source = new SourceRepository(bed.folder, {
      Dockerfile: dockerfile(`${base}@${digest}`, 'COPY app ./', 'cat app'),
      '.dockerignore': '.git\nnotes\n',
      app: 'a\n'
    })
    const first = source.head()
    await play(project, source, first)
    expect(await project.labels('latest')).toMatchObject({
      'org.opencontainers.image.base.name': expect.stringContaining('base/busybox'),
      'org.opencontainers.image.base.digest': digest,
      'shared-docker-layers.bases': `${base}@${digest}`
    })
    const sha = source.commit({ notes: 'x\n' })
    const second = await play(project, source, sha)
    expect(statusOf(second)).toEqual(['unchanged'])
    expect(second.outputs['cache-hit']).toBe('full')
    expect(await project.digest(short(sha))).toBe(await project.digest(short(first)))
  })
})
