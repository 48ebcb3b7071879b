import { describe, expect, it } from '@jest/globals'
import { type Agent, availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, executedRuns, isNewest, missesOf, Project, short } from '../support/harness.ts'

const RANDOM = 'head -c 16 /dev/urandom | md5sum >'

/** Production copies from the builder stage, or is built on it, with steps that have another result each time. */
const SHAPES = {
  copies: () =>
    `FROM ${base} AS builder\nRUN ${RANDOM} /made\nFROM ${base}\nRUN ${RANDOM} /own\nCOPY --from=builder /made /made\n`,
  'is built': () =>
    `FROM ${base} AS builder\nRUN ${RANDOM} /made\nFROM builder AS app\nRUN ${RANDOM} /own\nRUN cat /made > /copy\n`
}

const LEGACY = { pull: 'true', ulimit: 'nofile=1000:1000' }
const refreshed = availableEngines().flatMap((engine) => {
  const shapes = process.env.CASES === 'long' ? (['copies', 'is built'] as const) : (['copies'] as const)
  if (isNewest(engine)) return shapes.map((shape) => ({ engine, shape, more: {} }))
  return engine.version === '20.10' ? [{ engine, shape: 'copies' as const, more: LEGACY }] : []
})

describe.each(refreshed)('Docker $engine.version, production $shape from builder: no-cache', (world) => {
  const { engine, shape, more } = world
  it('replaces what is published, and the next fresh agent executes nothing', async () => {
    const source = new SourceRepository(bed.folder, { Dockerfile: SHAPES[shape](), '.dockerignore': '*\n' })
    const project = new Project(bed, engine, `no-cache-${shape.replace(' ', '-')}`)
    const inputs = { tests: 'cat /made', 'skip-unchanged-tests': 'true', ...more }
    const playOn = async (agent: Agent, sha: string, input: Record<string, string> = {}): Promise<Outcome> => {
      const all = { ...inputs, ...input }
      const outcome = await project.runOn(agent, source.checkout(sha), all, pushEvent(sha, 'master'))
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(annotations(outcome, 'warning')).toEqual([])
      return outcome
    }
    const sha = source.head()
    let before: string[] = []
    let after: string[] = []
    await project.onAgent(async (agent) => {
      const first = await playOn(agent, sha)
      before = await project.layers('latest')
      // an engine that is kept has the older results, too
      const second = await playOn(agent, sha, { 'no-cache': 'true' })
      expect(executedRuns(second)).toEqual(executedRuns(first))
      expect(missesOf(second).builder).toMatchObject({ kind: 'no-cache', unexpected: false })
      const { image, 'builder-image': builder } = second.outputs
      const made = (name: unknown): Promise<string> => agent.docker('run', '--rm', String(name), 'cat', '/made')
      expect(await made(image)).toBe(await made(builder))
      after = await project.layers('latest')
      expect(after.filter((layer) => before.includes(layer))).toHaveLength(1)
    })
    await project.onAgent(async (agent) => {
      const third = await playOn(agent, source.commit({ 'ignored.txt': 'x\n' }), { tests: 'true' })
      expect(executedRuns(third)).toEqual([])
      expect(await project.layers('latest')).toEqual(after)
      if (!isNewest(engine)) return
      // nor does what was tested before take its place
      const fourth = await playOn(agent, source.commit({ 'ignored.txt': 'y\n' }))
      expect(fourth.outputs).toMatchObject({ 'image-id': '', 'cache-hit': 'full' })
      expect(await project.layers('latest')).toEqual(after)
    })
  })
})

const [newest] = availableEngines().filter(isNewest)

it('builds with named contexts, secrets of files and of the environment, limits and attestations', async () => {
  if (!newest) throw new Error('There is no engine')
  const source = new SourceRepository(bed.folder, {
    Dockerfile: [
      `FROM ${base} AS builder`,
      'RUN --mount=type=secret,id=file --mount=type=secret,id=env grep -q 0p-file /run/secrets/file && grep -q 0p-env /run/secrets/env && ulimit -n > /limit',
      'COPY --from=assets *.txt /assets/',
      'FROM runtime',
      'COPY --from=builder /assets/ /limit /',
      ''
    ].join('\n'),
    '.dockerignore': '*\n',
    'assets/a.txt': 'one\n',
    'assets/.dockerignore': '*.md\n',
    'assets/b.md': 'no\n',
    'secrets, all/npm': 't0p-file\n'
  })
  const project = new Project(bed, newest, 'inputs')
  const playOn = async (agent: Agent, sha: string): Promise<Outcome> => {
    const inputs = {
      'build-contexts': `assets=assets\nruntime=docker-image://${base}`,
      'secret-files': 'file=secrets, all/npm',
      'secret-envs': 'env=MY_TOKEN',
      ulimit: 'nofile=1234:1234',
      provenance: 'mode=max',
      annotations: 'org.example.team=a, b',
      tests: 'grep 1234 /limit',
      'production-tests': 'grep 1234 /limit',
      'skip-unchanged-tests': 'true'
    }
    const env = { MY_TOKEN: 't0p-env' }
    const outcome = await project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'), env)
    expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(annotations(outcome, 'warning')).toEqual([])
    const [masks, shown] = [true, false].map((isMask) =>
      outcome.log.split('\n').filter((line) => line.startsWith('::add-mask::') === isMask)
    )
    expect(masks).toEqual(expect.arrayContaining(['::add-mask::t0p-file', '::add-mask::t0p-env']))
    expect(shown?.filter((line) => /t0p-(file|env)/.test(line))).toEqual([])
    return outcome
  }
  const manifest = (reference: string): ReturnType<typeof bed.registry.manifest> =>
    bed.registry.manifest(project.repository, reference)
  await project.onAgent(async (agent) => {
    const first = source.head()
    const { outputs } = await playOn(agent, first)
    const [index, latest] = await Promise.all([manifest(short(first)), manifest('latest')])
    expect(outputs).toMatchObject({ digest: index?.digest, published: 'true' })
    expect(latest?.digest).toBe(index?.digest)
    expect(Number(outputs['pull-bytes-full'])).toBeGreaterThan(100_000)
    expect(index?.body.manifests).toMatchObject([{ platform: { os: 'linux' } }, { platform: { os: 'unknown' } }])
    const image = manifest(index?.body.manifests[0].digest)
    await expect(image).resolves.toMatchObject({ body: { annotations: { 'org.example.team': 'a, b' } } })

    // what the named context excludes is not read, and all the rest is known: nothing is built
    const same = await playOn(agent, source.commit({ 'assets/b.md': 'other\n' }))
    expect(same.outputs).toMatchObject({ digest: index?.digest, 'image-id': '', 'cache-hit': 'full' })
  })
  await project.onAgent(async (agent) => {
    const changed = await playOn(agent, source.commit({ 'assets/a.txt': 'two\n' }))
    expect(executedRuns(changed)).toEqual([])
    const reason = 'The files that it takes from the build context assets changed.'
    expect(missesOf(changed).builder).toMatchObject({ kind: 'files-changed', reason })
    const published = `${project.image}@${changed.outputs.digest}`
    expect(await agent.docker('run', '--rm', published, 'cat', '/a.txt')).toBe('two')
  })
})
