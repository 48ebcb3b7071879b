import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, isNewest, legacyEnv, Project, sampled, short } from '../support/harness.ts'

const engines = sampled(
  availableEngines().filter((engine) => engine.version === '20.10' || isNewest(engine)),
  isNewest
)

/** What the output `tests` says: kind and status of each. */
function testsOf({ outputs }: Outcome): string[] {
  const tests = JSON.parse(String(outputs.tests)) as { kind?: string; status: string }[]
  return tests.map(({ kind = 'test', status }) => `${kind} ${status}`)
}

describe.each(engines)('Docker $version, $store store', (engine) => {
  const files = (): Record<string, string> => ({
    Dockerfile: [
      `FROM ${base} AS builder`,
      'COPY page.txt /www/index.html',
      `FROM ${base} AS production`,
      'COPY --from=builder /www /www',
      'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]',
      ''
    ].join('\n'),
    'page.txt': 'the page\n'
  })

  it('is tested in its own containers, with a service, and on the runner; nothing is pushed unless all pass', async () => {
    const source = new SourceRepository(bed.folder, files())
    const project = new Project(bed, engine, 'ships', legacyEnv(engine))
    const sha = source.head()
    const outcomes = await project.onAgent(async (agent) => {
      const play = (inputs: Record<string, string>): Promise<Outcome> =>
        project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'))
      // as GitHub starts the services of a job: in a network of their own
      await agent.docker('network', 'create', 'job')
      const service = ['--detach', '--name', 'db', '--network', 'job', base]
      await agent.docker('run', ...service, 'httpd', '-f', '-p', '5432', '-h', '/etc')
      const inputs = {
        tests:
          'test "$MODE" = all\n  --env MODE=all\nwget -q -O - http://db:5432/passwd | grep root\n  --network job\nset -u\n  test -s /www/index.html\n  ! grep MODE /proc/self/environ',
        'production-tests': 'grep "the page" /www/index.html\ntest ! -e /builder',
        checks: [
          'docker run --detach --rm --name app "$IMAGE"',
          '  sleep 1',
          '  docker exec app wget -q -O - http://127.0.0.1:8080/ | grep "the page"',
          '  docker stop --time 0 app',
          'test "$(docker image inspect --format "{{.Config.Cmd}}" "$IMAGE_ID")" = "[httpd -f -p 8080 -h /www]"',
          'docker run --rm "$BUILDER_IMAGE" test -s /www/index.html'
        ].join('\n')
      }
      const failing = [
        await play({ ...inputs, 'production-tests': 'exit 3' }),
        await play({ ...inputs, checks: 'true\necho scanned; exit 4' })
      ]
      const tags = await project.imageTags()
      const passing = await play(inputs)
      const left = (await agent.docker('ps', '--all', '--format', '{{.Names}}')).split('\n')
      return { failing, tags, passing, left }
    })
    const [badTest, badCheck] = outcomes.failing as [Outcome, Outcome]
    expect(badTest.exitCode).toBe(1)
    expect(badTest.log).toContain(
      '::error title=Production test exit 3::The production test "exit 3" did not pass: exit code 3'
    )
    expect(testsOf(badTest)).toContain('production-test failed')
    expect(badCheck.exitCode).toBe(1)
    expect(badCheck.log).toMatch(
      /::error title=Check echo scanned.*::The check "echo scanned; exit 4" did not pass: exit code 4%0Ascanned/
    )
    expect(outcomes.tags).toEqual([])

    expect(ending(outcomes.passing)).toEqual({ exitCode: 0, log: '' })
    expect(testsOf(outcomes.passing)).toEqual([
      ...Array(3).fill('test passed'),
      ...Array(2).fill('production-test passed'),
      ...Array(3).fill('check passed')
    ])
    expect(await project.imageTags()).toEqual(expect.arrayContaining(['builder', 'latest', short(sha)]))
    expect(outcomes.left).toEqual(['db'])
  })

  it('is not pushed if a check sets or removes the name of an image', async () => {
    const source = new SourceRepository(bed.folder, files())
    const project = new Project(bed, engine, 'taken', legacyEnv(engine))
    const sha = source.head()
    const checks = [
      `docker tag ${base} "$IMAGE"`,
      // with the labels of the image that it is built on
      'echo "FROM $IMAGE" > Dockerfile.more\n  echo "RUN echo > /more" >> Dockerfile.more\n  docker build --tag "$IMAGE" --file Dockerfile.more .',
      `docker tag ${base} "$BUILDER_IMAGE"`,
      'docker image rm "$IMAGE"'
    ]
    const errors = await project.onAgent(async (agent) => {
      await agent.docker('pull', base)
      const found: string[][] = []
      for (const one of checks) {
        const outcome = await project.runOn(agent, source.checkout(sha), { checks: one }, pushEvent(sha, 'feature'))
        found.push([String(outcome.exitCode), ...testsOf(outcome), ...annotations(outcome, 'error')])
      }
      return found
    })
    const taken = (tag: string): unknown =>
      expect.stringContaining(
        `:${tag} names another image than the one that this run built, so nothing is pushed: a check`
      )
    const gone = expect.stringMatching(/are not in the engine any more .*; let no check remove them/)
    expect(errors).toEqual(
      [taken(short(sha)), taken(short(sha)), taken(`builder-${short(sha)}`), gone].map((error) => [
        '1',
        'check passed',
        error
      ])
    )
    expect(await project.tags()).toEqual([])
  })

  it('may be the very stage that was tested', async () => {
    const source = new SourceRepository(bed.folder, {
      Dockerfile: `FROM ${base}\nRUN echo made > /made\nCOPY page.txt /\nCMD ["cat", "/page.txt"]\n`,
      'page.txt': 'one\n'
    })
    const project = new Project(bed, engine, 'one-stage', legacyEnv(engine))
    const skip = { checks: 'docker run --rm "$IMAGE" | grep one', 'skip-unchanged-tests': 'true' }
    const inputs = { 'builder-target': '0', tests: 'test -s /page.txt' }
    const first = await project.play(source, source.head(), { ...inputs, ...skip })
    expect(ending(first)).toEqual({ exitCode: 0, log: '' })
    expect(testsOf(first)).toEqual(['test passed', 'check passed'])
    expect(new Set(await project.imageTags())).toEqual(new Set(['latest', short(source.head())]))
    // checks always run, but the tests have passed in the same image
    const same = await project.play(source, source.commit({ other: 'x\n' }), { ...inputs, ...skip })
    expect(ending(same)).toEqual({ exitCode: 0, log: '' })
    expect(testsOf(same)).toEqual(['test unchanged', 'check passed'])
    const sha = source.commit({ 'page.txt': 'two\n' })
    const second = await project.play(source, sha, inputs)
    const { production } = second.report as { production: { steps: { instruction: string; cached: boolean }[] } }
    expect(production.steps.filter(({ cached, instruction }) => !cached && /^(RUN|COPY)/.test(instruction))).toEqual([
      expect.objectContaining({ instruction: 'COPY page.txt /' })
    ])
    const failed = await project.play(source, source.commit({ 'page.txt': '' }), inputs)
    expect(failed.exitCode).toBe(1)
    expect(await project.digest('latest')).toBe(second.outputs.digest)
    expect(await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`))).toBe('two')
  })
})

const [newest] = engines.slice(-1)

it('has no shell: production-tests say so, and point to checks', async () => {
  if (!newest) throw new Error('There is no engine')
  const source = new SourceRepository(bed.folder, {
    Dockerfile: `FROM ${base} AS builder\nRUN mkdir /out && echo x > /out/file\nFROM scratch\nCOPY --from=builder /out /\nCMD ["/file"]\n`
  })
  const project = new Project(bed, newest, 'no-shell')
  const outcome = await project.play(source, source.head(), { 'production-tests': 'true' })
  expect(outcome.exitCode).toBe(1)
  expect(outcome.log).toContain('the image has no shell (sh) to run it in; test such an image with the input checks')
  expect(await project.imageTags()).toEqual([])
})

it('is of another platform than its builder, which runs the tests', async () => {
  if (!newest) throw new Error('There is no engine')
  const source = new SourceRepository(bed.folder, {
    Dockerfile: [
      `FROM --platform=$BUILDPLATFORM ${base} AS builder`,
      'ARG TARGETARCH',
      'RUN echo $TARGETARCH > /out',
      'FROM scratch',
      'COPY --from=builder /out /',
      ''
    ].join('\n')
  })
  const project = new Project(bed, newest, 'cross')
  const outcome = await project.play(source, source.head(), { platform: 'linux/arm64', tests: 'grep arm64 /out' })
  expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
  expect(testsOf(outcome)).toEqual(['test passed'])
  expect(await bed.registry.config(project.repository, 'latest')).toMatchObject({ architecture: 'arm64' })
})
