import { describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec } from '../../testbed/index.ts'
import { type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, isNewest, Project, sampled, short, startInside } from '../support/harness.ts'

/** A registry that answers every request as one that wants another login. */
const REFUSING = `
require('node:http').createServer((request, response) => {
  response.writeHead(401, { 'Www-Authenticate': 'Basic realm="test"', 'Content-Type': 'application/json' })
  response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
}).listen(5001, '127.0.0.1', () => console.log('listening'))`

async function play(engine: EngineSpec, inputs: Record<string, string>): Promise<Outcome> {
  const agent = await bed.agent(engine)
  const source = new SourceRepository(bed.folder, application(base))
  try {
    await startInside(agent, REFUSING)
    return await runAction(agent, {
      workspace: source.checkout(source.head()),
      event: pushEvent(source.head(), 'master'),
      inputs
    })
  } finally {
    await agent.stop()
  }
}

describe.each(sampled(availableEngines(), isNewest))('Docker $version, $store store', (engine) => {
  it('builds without a cache where nothing was published yet, and says nothing alarming', async () => {
    const outcome = await play(engine, { image: `127.0.0.1:5000/octo/new-${engine.version}`, push: 'never' })
    expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(outcome.log).toMatch(/:builder does not exist yet/)
    expect(outcome.log).toMatch(/:latest does not exist yet/)
    expect(annotations(outcome, 'warning')).toEqual([])
    expect(outcome.outputs).toMatchObject({ pushed: 'false', tags: '' })
  })

  it('builds production from the tested image, whatever the registry has under its name', async () => {
    const project = new Project(bed, engine, 'decoy')
    const source = new SourceRepository(bed.folder, application(base))
    const sha = source.head()
    await project.onAgent(async (agent) => {
      const decoy = `${project.image}:builder-${short(sha)}`
      const input = `FROM ${base}\nWORKDIR /app\nRUN echo DECOY > app.txt\n`
      await agent.run('docker', ['build', '--tag', decoy, '-'], { input })
      await agent.docker('push', decoy)
    })
    const outcome = await project.play(source, sha, { tests: 'grep "version 0" app.txt' })
    expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    const printed = await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`))
    expect(printed.split('\n')[0]).toBe('version 0')
  })
})

/** The words are docker's, and differ from version to version. */
const engines = sampled(
  availableEngines().filter(({ version, store }) => version !== '28.5' || store === 'containerd'),
  (engine) => engine.version === '20.10' || isNewest(engine)
)

describe.each(engines)('What the registry says, Docker $version, $store store', (engine) => {
  it('tells a refused login', async () => {
    const outcome = await play(engine, { image: '127.0.0.1:5001/octo/app' })
    const warnings = annotations(outcome, 'warning')
    expect(warnings).toHaveLength(2)
    for (const warning of warnings) {
      expect(warning).toMatch(
        /^::warning::Access denied to 127.0.0.1:5001\/octo\/app:(builder|latest); continuing without its cache/
      )
    }
    expect(outcome.exitCode).toBe(1)
    expect(annotations(outcome, 'error')).toEqual([
      expect.stringMatching(/^::error::Access denied to push 127.0.0.1:5001\/octo\/app:[0-9a-f]{7}: log in/)
    ])
    expect(outcome.outputs).toMatchObject({ pushed: 'false', published: 'false', tags: '', digest: '' })
  })

  it('tells a registry that cannot be reached', async () => {
    const outcome = await play(engine, { image: '127.0.0.1:5999/octo/app', retries: '1' })
    const warnings = annotations(outcome, 'warning')
    expect(warnings).toHaveLength(2)
    for (const warning of warnings) {
      expect(warning).toMatch(
        /^::warning::The registry of 127.0.0.1:5999\/octo\/app:(builder|latest) could not be reached/
      )
    }
    expect(outcome.exitCode).toBe(1)
    expect(annotations(outcome, 'error')).toEqual([
      expect.stringMatching(/^::error::The registry could not be reached to push 127.0.0.1:5999\/octo\/app:/)
    ])
  })
})
