import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, jest } from '@jest/globals'
import { type Agent, availableEngines, type EngineSpec, GitHubApi } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { ending, isNewest, legacyEnv, Project, sampled, short } from '../support/harness.ts'

jest.setTimeout(900_000)

interface Setting {
  project: Project
  source: SourceRepository
  api: GitHubApi
}

/** Runs a commit on an agent, with the checkout that actions/checkout makes by itself: GitHub alone knows the history. */
function play({ project, source, api }: Setting, agent: Agent, sha: string): Promise<Outcome> {
  const inputs = { ...api.job.inputs, tests: 'true' }
  const env = { ...api.job.env, ...legacyEnv(agent.spec) }
  return project.runOn(agent, source.shallowCheckout(sha), inputs, pushEvent(sha, 'master'), env)
}

async function withSetting<T>(engine: EngineSpec, name: string, use: (setting: Setting) => Promise<T>): Promise<T> {
  const source = new SourceRepository(bed.folder, application(base))
  const api = await GitHubApi.start(source.origin, new URL(bed.registry.url).hostname)
  try {
    return await use({ project: new Project(bed, engine, name), source, api })
  } finally {
    await api.stop()
  }
}

/** The commits of the two moving tags. */
async function revisions(project: Project): Promise<{ latest: string | undefined; builder: string | undefined }> {
  const [latest, builder] = await Promise.all(['latest', 'builder'].map((tag) => project.labels(tag)))
  const label = 'org.opencontainers.image.revision'
  return { latest: latest?.[label], builder: builder?.[label] }
}

/** One without buildx, and the newest with both stores: what is asked is the same on others. */
const engines = sampled(
  availableEngines().filter(({ version }) => version !== '26.1'),
  (engine) => engine.version === '20.10' || isNewest(engine)
)

describe.each(engines)('Docker $version, $store store', (engine) => {
  it('a late run pushes its commit and leaves the moving tags; after a force-push the tip has them', async () => {
    await withSetting(engine, 'late', async (setting) => {
      const { project, source } = setting
      const first = source.head()
      const second = source.commit({ 'src/main.txt': 'version 2\n' })
      await project.onAgent(async (agent) => {
        const newer = await play(setting, agent, second)
        expect(ending(newer)).toEqual({ exitCode: 0, log: '' })
        expect(newer.outputs.published).toBe('true')

        const late = await play(setting, agent, first)
        expect(ending(late)).toEqual({ exitCode: 0, log: '' })
        expect(late.outputs).toMatchObject({ pushed: 'true', published: 'false' })
        expect(late.outputs.tags).toBe(`${project.image}:${short(first)}`)
        expect(late.log).toMatch(/^::notice::The moving tags are not updated: .* already names the newer commit/m)
        expect(await revisions(project)).toEqual({ latest: second, builder: second })

        source.branch('other', first)
        const third = source.commit({ 'src/main.txt': 'version 3\n' })
        source.moveBranch('master', third)
        const forced = await play(setting, agent, third)
        expect(forced.outputs.published).toBe('true')
        expect(await revisions(project)).toEqual({ latest: third, builder: third })
        const dropped = await play(setting, agent, second)
        expect(dropped.outputs).toMatchObject({ pushed: 'true', published: 'false' })
        expect(await revisions(project)).toEqual({ latest: third, builder: third })
      })
    })
  })
})

describe('Two agents at once', () => {
  const rounds = process.env.CASES === 'long' ? 50 : 4

  it(`leave the moving tag with the newest commit, ${rounds} times`, async () => {
    const engine = availableEngines().at(-1) as EngineSpec
    await withSetting(engine, 'race', async (setting) => {
      const { project, source } = setting
      const ends = { both: 0, late: 0, overtaken: 0 }
      await project.onAgent((one) =>
        project.onAgent(async (other) => {
          for (let round = 0; round < rounds; round++) {
            const older = source.commit({ 'src/main.txt': `older ${round}\n` })
            const newer = source.commit({ 'src/main.txt': `newer ${round}\n` })
            // from the newer one far ahead to the older one far ahead, and all between
            const lead = 3_000 * ((round * 0.618 + 0.5) % 1) - 1_500
            const outcomes = await Promise.all([
              sleep(Math.max(0, -lead)).then(() => play(setting, one, older)),
              sleep(Math.max(0, lead)).then(() => play(setting, other, newer))
            ])
            for (const outcome of outcomes) expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
            expect({ round, latest: (await revisions(project)).latest }).toEqual({ round, latest: newer })
            expect(outcomes[1].outputs.published).toBe('true')
            const { log, outputs } = outcomes[0]
            if (outputs.published === 'true') ends.both++
            else if (log.includes('The moving tags are not updated')) ends.late++
            else if (log.includes('was published at the same time')) ends.overtaken++
          }
        })
      )
      // every older one has ended in one of the three ways
      expect(ends.both + ends.late + ends.overtaken).toBe(rounds)
      if (rounds > 4) console.log(`Of ${rounds} older runs: ${JSON.stringify(ends)}`)
    })
  })
})
