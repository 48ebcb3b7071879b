import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { bed, base as busybox } from '../support/bed.ts'
import { annotations, ending, Project, sharesWithBuildKit, short } from '../support/harness.ts'

/** Bytes of requests and manifests; a layer of these images is more than that. */
const NO_LAYER = 100_000

const DOCKERFILE = `FROM BASE AS builder
WORKDIR /app
RUN head -c 1000000 /dev/urandom > noise
COPY src ./src
RUN cat src/* > app.txt

FROM BASE
COPY --from=builder /app/app.txt ./
COPY settings ./
CMD ["cat", "app.txt"]
`

/** The newest engine; `e2e/branches` reuses images on another one. */
const engines = availableEngines().filter(sharesWithBuildKit).slice(-1)

describe.each(engines)('Docker $version, $store store, skip-unchanged-tests', (engine) => {
  it('neither tests nor builds again what it has tested and built', async () => {
    const project = new Project(bed, engine, 'reuse')
    const source = new SourceRepository(bed.folder, {
      Dockerfile: DOCKERFILE.replaceAll('BASE', busybox),
      '.dockerignore': '.git\n',
      'src/a.txt': 'a\n',
      settings: '1\n'
    })
    const play = async (
      sha: string,
      inputs: Record<string, string> = {}
    ): Promise<{ outcome: Outcome; traffic: { pulled: number; pushed: number } }> =>
      project.onAgent(async (agent) => {
        const outcome = await runAction(agent, {
          workspace: source.checkout(sha),
          event: pushEvent(sha, 'master'),
          inputs: { image: project.image, 'skip-unchanged-tests': 'true', tests: 'grep a app.txt', ...inputs }
        })
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(annotations(outcome, 'warning')).toEqual([])
        return { outcome, traffic: agent.traffic() }
      })
    const testsOf = ({ outputs }: Outcome): unknown => JSON.parse(String(outputs.tests))
    const passed = [{ status: 'passed' }]

    const first = source.head()
    expect(testsOf((await play(first)).outcome)).toMatchObject(passed)
    const tested = await project.layers('builder')

    // what no image has: its tags are all that is made
    const second = source.commit({ 'docs.txt': 'x\n' })
    const { outcome, traffic } = await play(second, { tags: 'v1' })
    expect(testsOf(outcome)).toMatchObject([{ status: 'unchanged', exitCode: null, passedFor: first }])
    expect(outcome.outputs).toMatchObject({
      image: `${project.image}:${short(second)}`,
      tags: `${project.image}:${short(second)}\n${project.image}:v1`,
      digest: await project.digest('latest'),
      published: 'true',
      'cache-hit': 'full',
      'image-id': ''
    })
    expect(await project.digest(short(second))).toBe(await project.digest(short(first)))
    expect(await project.digest('v1')).toBe(await project.digest(short(first)))
    expect(traffic.pulled).toBeLessThan(NO_LAYER)
    expect(traffic.pushed).toBeLessThan(NO_LAYER)

    // of production alone: the builder is found to be the same
    const third = source.commit({ settings: '2\n' })
    const changed = await play(third)
    expect(testsOf(changed.outcome)).toMatchObject([{ status: 'unchanged', passedFor: first }])
    expect(changed.outcome.outputs).toMatchObject({ published: 'true', 'cache-hit': 'partial' })
    expect(await project.layers('builder')).toEqual(tested)
    expect((await project.labels('latest'))['org.opencontainers.image.revision']).toBe(third)

    // another command, other options, a variable of the runner, the source: all run
    expect(testsOf((await play(third, { tests: 'true' })).outcome)).toMatchObject(passed)
    expect(testsOf((await play(third, { tests: 'true', 'test-options': '--env A=1' })).outcome)).toMatchObject(passed)
    const doubtful = { tests: 'true', 'test-options': '--env HOME' }
    for (let time = 0; time < 2; time++) {
      expect(testsOf((await play(third, doubtful)).outcome)).toMatchObject(passed)
    }
    const fourth = source.commit({ 'src/a.txt': 'aa\n' })
    expect(testsOf((await play(fourth)).outcome)).toMatchObject(passed)
    expect(testsOf((await play(fourth)).outcome)).toMatchObject([{ status: 'unchanged', passedFor: fourth }])
  })
})
