import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { bed, base as busybox } from '../support/bed.ts'
import {
  annotations,
  ending,
  isNewest,
  legacyEnv,
  missesOf,
  Project,
  sampled,
  startInside
} from '../support/harness.ts'

/** One engine for each way to read an image: the reasons are the same on others. */
const settings = sampled(availableEngines(), isNewest).flatMap((engine) => {
  if (engine.version === '20.10') return [{ engine, strategy: 'legacy', env: legacyEnv(engine) }]
  const isLike = engine.version === '26.1' || (engine.version === '28.5' && engine.store === 'overlay2')
  return isLike ? [] : [{ engine, strategy: 'inline', env: {} }]
})

function dockerfile(base: string, { tail = 'one', prepare = 'true' } = {}): string {
  return `FROM ${base} AS builder
ARG VERSION=0
WORKDIR /app
COPY package.json ./
RUN ${prepare}
COPY src ./src
RUN cat src/* > app.txt

FROM ${base}
COPY --from=builder /app/app.txt ./
RUN echo ${tail}
CMD ["cat", "app.txt"]
`
}

function files(base: string): Files {
  return {
    Dockerfile: dockerfile(base),
    '.dockerignore': '.git\ndocs\n',
    'package.json': '{}\n',
    'docs/index.txt': 'none\n',
    'src/a.txt': 'a\n',
    'src/b.txt': 'b\n'
  }
}

/** Gives `base/REPOSITORY:1` another image; returns its reference and digest. */
async function moveBase(
  project: Project,
  repository: string,
  content: string
): Promise<{ base: string; digest: string }> {
  const base = `${bed.registry.host}/base/${repository}:1`
  await project.onAgent(async (agent) => {
    await agent.run('docker', ['build', '--tag', base, '-'], {
      input: `FROM ${busybox}\nRUN echo ${content} > /base\n`
    })
    await agent.docker('push', base)
  })
  return { base, digest: (await bed.registry.manifest(`base/${repository}`, '1'))?.digest ?? '' }
}

describe.each(process.env.CASES === 'long' ? settings : settings.slice(-1))(
  'Docker $engine.version, $engine.store store, strategy $strategy',
  ({ engine, strategy, env }) => {
    it('says of each commit why a step was executed', async () => {
      const project = new Project(bed, engine, `why-${strategy}`, env)
      const before = await moveBase(project, `why-${engine.version}-${engine.store}-${strategy}`, 'first')
      const { base } = before
      const source = new SourceRepository(bed.folder, files(base))
      const play = async (
        changed: Files,
        inputs: Record<string, string> = {}
      ): Promise<ReturnType<typeof missesOf>> => {
        const outcome = await project.play(source, source.commit(changed), inputs)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(annotations(outcome, 'warning')).toEqual([])
        return missesOf(outcome)
      }
      const fromBuilder = { line: 10, kind: 'stage-changed', reason: expect.stringContaining('from stage builder') }

      expect(await play({})).toMatchObject({
        builder: { line: strategy === 'legacy' ? 2 : 3, kind: 'not-published', unexpected: false },
        'stage-1': { line: 10, kind: 'not-published', unexpected: false }
      })
      expect(await play({ 'docs/index.txt': 'ignored\n' })).toEqual({})
      expect(await play({ 'src/a.txt': 'new\n', 'src/c.txt': 'c\n', 'docs/index.txt': 'more\n' })).toMatchObject({
        builder: {
          instruction: 'COPY src ./src',
          line: 6,
          kind: 'files-changed',
          reason: 'src/a.txt, src/c.txt changed since the commit of the published image.',
          unexpected: false
        },
        'stage-1': fromBuilder
      })
      expect(await play({ Dockerfile: dockerfile(base, { tail: 'two' }) })).toEqual({
        'stage-1': expect.objectContaining({ line: 11, kind: 'instruction-changed', unexpected: false })
      })
      expect(await play({ Dockerfile: dockerfile(base, { tail: 'two', prepare: 'test -e /base' }) })).toMatchObject({
        builder: { instruction: 'RUN test -e /base', line: 5, kind: 'instruction-changed' }
      })
      expect(await play({}, { 'build-args': 'VERSION=7' })).toMatchObject({
        builder: {
          // the legacy builder calls ARG a step, too, but not an executed one
          line: 5,
          kind: 'build-arg-changed',
          reason: 'The value of the build argument VERSION changed.'
        }
      })
      const after = await moveBase(project, `why-${engine.version}-${engine.store}-${strategy}`, 'second')
      const moved = {
        kind: 'base-changed',
        reason: `The base image ${base} moved from ${before.digest} to ${after.digest}.`,
        unexpected: false
      }
      expect(await play({}, { 'build-args': 'VERSION=7' })).toMatchObject({ builder: moved, 'stage-1': moved })
    })

    it('tells an image that somebody else pushed', async () => {
      const project = new Project(bed, engine, `foreign-${strategy}`, env)
      const source = new SourceRepository(bed.folder, files(busybox))
      // with cache tags, a run would find its own image
      const inputs = { 'cache-tags': 'none' }
      expect(ending(await project.play(source, source.head(), inputs))).toEqual({ exitCode: 0, log: '' })
      const other = strategy === 'legacy' ? '1' : '0'
      await project.onAgent(async (agent) => {
        const args = [
          'build',
          '--target',
          'builder',
          '--tag',
          `${project.image}:builder`,
          source.checkout(source.head())
        ]
        await agent.run('docker', args, { env: { DOCKER_BUILDKIT: other } })
        await agent.docker('push', `${project.image}:builder`)
      })
      const outcome = await project.play(source, source.head(), inputs)
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(missesOf(outcome).builder).toMatchObject({ kind: 'no-metadata', unexpected: false })
    })
  }
)

describe.each(process.env.CASES === 'long' ? settings : settings.slice(-1))(
  'Docker $engine.version, $engine.store store, strategy $strategy: files',
  ({ engine, strategy, env }) => {
    it('asks GitHub where the checkout does not have the commit of the published image', async () => {
      const project = new Project(bed, engine, `shallow-${strategy}`, env)
      const source = new SourceRepository(bed.folder, files(busybox))
      const first = source.head()
      expect(ending(await project.play(source, first))).toEqual({ exitCode: 0, log: '' })
      const sha = source.commit({ 'src/a.txt': 'new\n' })
      const event = pushEvent(sha, 'feature')

      // with cache tags, the second run of this commit would execute nothing
      const inputs = { 'cache-tags': 'none' }
      const alone = await project.onAgent((agent) => project.runOn(agent, source.shallowCheckout(sha), inputs, event))
      expect(ending(alone)).toEqual({ exitCode: 0, log: '' })
      expect(missesOf(alone).builder).toMatchObject({
        kind: 'files-changed',
        reason: expect.stringContaining('fetch-depth: 0')
      })

      const comparison = {
        status: 'ahead',
        merge_base_commit: { sha: first },
        files: [{ filename: 'src/a.txt', sha: 'x' }]
      }
      const server = `
        require('node:http').createServer((request, response) => {
          const known = request.url.startsWith('/repos/octo/app/compare/${first}...${sha}')
          response.writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' })
          response.end(known ? ${JSON.stringify(JSON.stringify(comparison))} : '{}')
        }).listen(5002, '127.0.0.1', () => console.log('listening'))`
      const asked = await project.onAgent(async (agent) => {
        await startInside(agent, server)
        const asking = { 'github-token': 'a-token', 'publish-branch': 'master' }
        const variables = { GITHUB_API_URL: 'http://127.0.0.1:5002' }
        return project.runOn(agent, source.shallowCheckout(sha), asking, event, variables)
      })
      expect(ending(asked)).toEqual({ exitCode: 0, log: '' })
      expect(missesOf(asked).builder).toMatchObject({
        kind: 'files-changed',
        reason: 'src/a.txt changed since the commit of the published image.'
      })
    })

    it('tells that .git is copied', async () => {
      const project = new Project(bed, engine, `git-${strategy}`, env)
      const text = `FROM ${busybox} AS builder\nCOPY . /app\nFROM ${busybox}\nCOPY --from=builder /app/a /a\n`
      const source = new SourceRepository(bed.folder, { Dockerfile: text, a: 'a\n' })
      await project.play(source, source.head())
      const outcome = await project.play(source, source.head())
      expect(missesOf(outcome).builder).toMatchObject({
        kind: 'files-changed',
        reason: expect.stringContaining('.git')
      })
    })

    /** Plays a commit as a runner with another umask: the checkout and the action. */
    async function playUnder(umask: number, project: Project, source: SourceRepository): Promise<Outcome> {
      const usual = process.umask(umask)
      try {
        return await project.play(source, source.head())
      } finally {
        process.umask(usual)
      }
    }

    it('does not lose the cache to a checkout under umask 002 or 000; of 027 it says so', async () => {
      const project = new Project(bed, engine, `umask-${strategy}`, env)
      const source = new SourceRepository(bed.folder, { ...files(busybox), 'docs/deep/run.sh': 'true\n' })
      expect(ending(await playUnder(0o022, project, source))).toEqual({ exitCode: 0, log: '' })
      for (const umask of [0o002, 0o000]) {
        const outcome = await playUnder(umask, project, source)
        expect(missesOf(outcome)).toEqual({})
        expect(outcome.outputs['cache-hit']).toBe('full')
      }
      const outcome = await playUnder(0o027, project, source)
      expect(missesOf(outcome).builder).toMatchObject({
        instruction: 'COPY package.json ./',
        kind: 'files-changed',
        unexpected: false,
        reason: expect.stringMatching(/modes differ from those of a checkout under umask 022: package\.json \(640\)/)
      })
      expect(annotations(outcome, 'warning')).toEqual([])
    })
  }
)
