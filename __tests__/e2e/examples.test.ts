import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type Agent, availableEngines, pushBaseImages } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { bed } from '../support/bed.ts'
import { type ActionStep, actionSteps, readExample, servicesOf } from '../support/examples.ts'
import { ending, isNewest, Project, short } from '../support/harness.ts'

const engines = availableEngines().filter(isNewest)

/** The network of a job's services. */
const NETWORK = 'github_network_1'
/** As GitHub's runner gives it to the job, by the name of each service. */
const NETWORK_OF = /^job\.services\.\w+\.network$/

let postgres: string

beforeAll(async () => {
  postgres = (await pushBaseImages(bed, ['postgres'])).postgres
})

/** An application with a database: its builder image has the scripts of package.json, its production image serves /health. */
function files(start: string): Record<string, string> {
  return {
    Dockerfile: [
      `FROM ${postgres} AS builder`,
      'COPY npm /usr/local/bin/',
      'RUN chmod +x /usr/local/bin/npm',
      `FROM ${postgres}`,
      'COPY start.sh /',
      'CMD ["sh", "-e", "/start.sh"]',
      ''
    ].join('\n'),
    npm: [
      '#!/bin/sh -e',
      'case "$*" in',
      '  test) test -z "$DATABASE_URL" ;;',
      '  "run test:integration") psql "$DATABASE_URL" --command "CREATE TABLE visits (at date)" ;;',
      '  *) exit 9 ;;',
      'esac',
      ''
    ].join('\n'),
    'start.sh': start,
    'compose.test.yml': readExample('compose.test.yml').replace(/image: postgres:.*/, `image: ${postgres}`)
  }
}

const START = 'mkdir /www\npsql "$DATABASE_URL" --command "SELECT 1" > /www/health\nexec httpd -f -p 8080 -h /www\n'

/** The only step of an example that uses the action, without the name of its image. */
function stepOf(name: string): ActionStep {
  const evaluate = (expression: string): string => {
    if (NETWORK_OF.test(expression)) return NETWORK
    throw new Error(`The value of ${expression} is not known here`)
  }
  const [step] = actionSteps(readExample(name), evaluate)
  if (step === undefined) throw new Error(`${name} does not use the action`)
  const { image: _, ...inputs } = step.inputs
  return { ...step, inputs }
}

/** Starts the services of an example as GitHub's runner does (actions/runner ContainerOperationProvider.cs), and waits until they are healthy. */
async function startServices(agent: Agent, name: string): Promise<void> {
  await agent.docker('network', 'create', NETWORK)
  for (const [alias, { env = {}, options = '' }] of Object.entries(servicesOf(readExample(name)))) {
    const variables = Object.entries(env).map(([key, value]) => `--env ${key}=${value}`)
    const place = `--detach --network ${NETWORK} --network-alias ${alias}`
    const command = `docker run ${place} ${options} ${variables.join(' ')} ${postgres}`
    const id = (await agent.run('sh', ['-c', command])).stdout.trim()
    for (let tries = 0; tries < 100; tries++) {
      if ((await agent.docker('inspect', '--format', '{{.State.Health.Status}}', id)) === 'healthy') break
      await sleep(200)
    }
  }
}

/** What the output `tests` says: command and status of each. */
function testsOf({ outputs }: Outcome): string[] {
  const tests = JSON.parse(String(outputs.tests)) as { command: string; status: string }[]
  return tests.map(({ command, status }) => `${command}: ${status}`)
}

describe.each(engines)('The examples on Docker $version, $store store', (engine) => {
  it('give a test its Postgres server, and try the production image beside its database', async () => {
    const project = new Project(bed, engine, 'examples')
    const source = new SourceRepository(bed.folder, files('echo "has no database"\nexit 3\n'))
    const broken = source.head()
    const mended = source.commit({ 'start.sh': START })
    const { outcomes, left } = await project.onAgent(async (agent) => {
      const play = (name: string, sha: string): Promise<Outcome> => {
        const { inputs, env } = stepOf(name)
        return project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'), env)
      }
      await agent.addCompose()
      const both = [await play('compose.yml', broken), await play('compose.yml', mended)]
      const kinds = [
        ['ps', '--all', '--quiet'],
        ['network', 'ls', '--quiet', '--filter', 'type=custom'],
        ['volume', 'ls', '--quiet']
      ]
      const remaining = await Promise.all(kinds.map((args) => agent.docker(...args)))
      await startServices(agent, 'services.yml')
      return { outcomes: [...both, await play('services.yml', mended)], left: remaining }
    })
    const [failed, passed, services] = outcomes as [Outcome, Outcome, Outcome]
    expect(failed.exitCode).toBe(1)
    expect(failed.log).toMatch(/app-1 +\| has no database$/m)
    expect(failed.log).toContain('database system is ready to accept connections')
    expect(failed.log).toMatch(/::error title=Check trap .*::The check .* did not pass: exit code 1/)
    expect(ending(passed)).toEqual({ exitCode: 0, log: '' })
    expect(passed.log).not.toContain('database system is ready')
    expect(left).toEqual(['', '', ''])
    const tags = await project.imageTags()
    expect(tags).toEqual(expect.arrayContaining([short(mended), 'latest']))
    expect(tags).not.toContain(short(broken))
    expect(ending(services)).toEqual({ exitCode: 0, log: '' })
    expect(testsOf(services)).toEqual(['npm test: passed', 'npm run test:integration: passed'])
    expect(services.log).toContain('CREATE TABLE')
  })
})
