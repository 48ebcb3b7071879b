import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type Agent, availableEngines, pushBaseImages } from '../../testbed/index.ts'
import { type Event, type Outcome, pushEvent } from '../../testbed/runner.ts'
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
let busybox: string

beforeAll(async () => {
  const images = await pushBaseImages(bed, ['postgres', 'busybox'])
  postgres = images.postgres
  busybox = images.busybox
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

/**
 * The only step of an example that uses the action, without the name of its image.
 *
 * @param values of the expressions in it
 */
function stepOf(name: string, values: Record<string, string> = {}): ActionStep {
  const evaluate = (expression: string): string => {
    const value = NETWORK_OF.test(expression) ? NETWORK : values[expression]
    if (value === undefined) throw new Error(`The value of ${expression} is not known here`)
    return value
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

/** A service with tests of its own, in a folder. */
function service(folder: string): Record<string, string> {
  return {
    [`${folder}Dockerfile`]: [
      `FROM ${busybox} AS builder`,
      'WORKDIR /app',
      'COPY npm /usr/local/bin/',
      'RUN chmod +x /usr/local/bin/npm',
      'COPY main .',
      `FROM ${busybox}`,
      'COPY --from=builder /app/main /main',
      'CMD ["cat", "/main"]',
      ''
    ].join('\n'),
    [`${folder}npm`]: '#!/bin/sh -e\ntest "$1" = test\ntest -s main\n',
    [`${folder}main`]: 'one\n'
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

  it('publish only the changed images of a monorepo', async () => {
    const source = new SourceRepository(bed.folder, { ...service('services/api/'), ...service('services/web/') })
    const commits = [source.head(), source.commit({ 'services/api/main': 'two\n' })]
    const [api, web] = ['api', 'web'].map((name) => new Project(bed, engine, name)) as [Project, Project]
    const play = async (agent: Agent, project: Project, name: string, sha: string): Promise<string[]> => {
      const { inputs } = stepOf('monorepo.yml', { 'matrix.service': name })
      const outcome = await project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'))
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      return testsOf(outcome)
    }
    const tests = await api.onAgent(async (agent) => {
      const ofCommits: string[][][] = []
      for (const sha of commits)
        ofCommits.push([await play(agent, api, 'api', sha), await play(agent, web, 'web', sha)])
      return ofCommits
    })
    const [passed, unchanged] = [['npm test: passed'], ['npm test: unchanged']]
    expect(tests).toEqual([
      [passed, passed],
      [passed, unchanged]
    ])
    const tags = commits.map(short)
    const digests = async (project: Project): Promise<(string | undefined)[]> =>
      Promise.all([...tags, 'latest'].map((tag) => project.digest(tag)))
    const [first, second, latest] = await digests(api)
    expect(first).toMatch(/^sha256:/)
    expect(second).not.toBe(first)
    expect(latest).toBe(second)
    const [digest, ...others] = await digests(web)
    expect(digest).toMatch(/^sha256:/)
    expect(others).toEqual([digest, digest])
  })

  it('release the very image that the main branch has tested', async () => {
    const project = new Project(bed, engine, 'release-tags')
    const source = new SourceRepository(bed.folder, service(''))
    const sha = source.head()
    const ref = 'refs/tags/v1.2.3'
    const ofTag = { name: 'push', sha, ref, payload: { ref, after: sha, repository: { default_branch: 'master' } } }
    // as docker/metadata-action makes them of this git tag
    const tags = ['1.2.3', '1.2', 'latest'].map((tag) => `${project.image}:${tag}`).join('\n')
    const play = async (agent: Agent, event: Event, made: string): Promise<Outcome> => {
      const { inputs } = stepOf('release-tags.yml', { 'steps.meta.outputs.tags': made })
      return project.runOn(agent, source.checkout(sha), inputs, event)
    }
    const { main, release } = await project.onAgent(async (agent) => ({
      main: await play(agent, pushEvent(sha, 'master'), ''),
      release: await play(agent, ofTag, tags)
    }))
    for (const outcome of [main, release]) expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(main.outputs.tags).not.toMatch(/:(1\.2.*|latest)$/m)
    expect(release.outputs.tags?.split('\n')).toEqual(expect.arrayContaining(tags.split('\n')))
    expect(testsOf(release)).toEqual(['npm test: unchanged'])
    const digests = await Promise.all([short(sha), 'edge', '1.2.3', '1.2', 'latest'].map((tag) => project.digest(tag)))
    expect(new Set(digests)).toEqual(new Set([main.outputs.digest]))
  })
})
