import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec } from '../../testbed/index.ts'
import { type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { ending, short, stepsOf } from '../support/harness.ts'

interface Setting {
  engine: EngineSpec
  needsBuildKit: boolean
  /** Whether the client has its buildx plugin. */
  buildx: boolean
  strategy: string
  warning: RegExp
}

/** Engines that cannot be relied on to share layers for a Dockerfile, and are used all the same. */
const settings: Setting[] = [
  {
    engine: { version: '20.10', store: 'overlay2' },
    needsBuildKit: true,
    buildx: false,
    strategy: 'inline',
    warning:
      /may be rebuilt: Docker 20\.10\S* has no buildx, and the Dockerfile needs BuildKit \(RUN --mount \(line 7\)\)/
  },
  {
    engine: { version: '26.1', store: 'overlay2' },
    needsBuildKit: true,
    buildx: true,
    strategy: 'inline',
    warning: /may be rebuilt: BuildKit in Docker 26\.1\S* with the overlay2 store loses the cache of every second build/
  },
  {
    engine: { version: '26.1', store: 'containerd' },
    needsBuildKit: false,
    buildx: false,
    strategy: 'legacy',
    warning: /may be rebuilt: Docker 26\.1\S* has no buildx, and the legacy builder .* containerd store/
  },
  {
    engine: { version: '28.5', store: 'containerd' },
    needsBuildKit: false,
    buildx: false,
    strategy: 'legacy',
    warning: /may be rebuilt: Docker 28\.5\S* has no buildx, and the legacy builder .* containerd store/
  }
]

function sourceFiles(needsBuildKit: boolean): Files {
  const files = application(base)
  if (!needsBuildKit) return files
  const text = String(files.Dockerfile).replace('RUN cat', '# needs BuildKit\nRUN --mount=type=cache,target=/cache cat')
  return { ...files, Dockerfile: text }
}

const available = availableEngines().map(({ version, store }) => `${version} ${store}`)

/** One for each kind of warning; `npm run long` plays all. */
const played = settings.filter(
  ({ engine, buildx }) =>
    available.includes(`${engine.version} ${engine.store}`) &&
    (process.env.CASES === 'long' || engine.version === '28.5' || buildx)
)

describe.each(played)(
  'Docker $engine.version, $engine.store store, buildx: $buildx, needs BuildKit: $needsBuildKit',
  ({ engine, needsBuildKit, buildx, strategy, warning }) => {
    it('builds, tests and publishes on every commit, with a warning', async () => {
      const repository = `octo/odd-${engine.version}-${engine.store}`
      const source = new SourceRepository(bed.folder, sourceFiles(needsBuildKit))
      const commits = [source.head(), source.commit({ other: 'x' }), source.commit({ 'src/main.txt': 'version 2\n' })]
      for (const sha of commits) {
        const outcome = await play(sha)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        const warnings = outcome.log.split('\n').filter((line) => line.startsWith('::warning'))
        expect(warnings[0]).toMatch(warning)
        // what an engine has forgotten does not replace what it had published
        expect(warnings.slice(1).filter((line) => !line.includes(' a worse cache'))).toEqual([])
        expect(JSON.parse(String(outcome.outputs.engine))).toMatchObject({ strategy })
        expect(stepsOf(outcome).length).toBeGreaterThan(6)
        // production holds what the tested builder holds
        const stamp = /^app is (\w{32})/m.exec(outcome.log)?.[1]
        const agent = await bed.agent(engine)
        const printed = await agent.docker(
          ...['run', '--rm', `127.0.0.1:5000/${repository}:${short(sha)}`, 'md5sum', '/app/app.txt']
        )
        await agent.stop()
        expect(printed.slice(0, 32)).toBe(stamp)
      }
      expect(await bed.registry.tags(repository)).toEqual(
        expect.arrayContaining([...commits.map(short), 'builder', 'latest'])
      )

      async function play(sha: string): Promise<Outcome> {
        const agent = await bed.agent(engine)
        const config = join(agent.folder, 'no-plugins')
        await mkdir(config)
        const outcome = await runAction(agent, {
          workspace: source.checkout(sha),
          event: pushEvent(sha, 'master'),
          inputs: { image: `127.0.0.1:5000/${repository}`, tests: 'echo "app is $(md5sum app.txt)"' },
          env: buildx ? {} : { DOCKER_CONFIG: config }
        })
        await agent.stop()
        return outcome
      }
    })
  }
)
