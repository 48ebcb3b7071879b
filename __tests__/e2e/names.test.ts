import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Event, type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, missesOf, Project, sharesWithBuildKit, short, stepsOf } from '../support/harness.ts'
import { pullRequestEvent } from '../support/workflow-events.ts'

/** The stage `release` has the name of a deployed tag; the last one has no name, but BuildKit calls it as the first is called. */
const STAGES = `FROM BASE AS stage-2
COPY app.txt ./
RUN cat app.txt > built.txt
FROM BASE AS release
COPY --from=stage-2 built.txt /bundle/built.txt
RUN echo bundled >> /bundle/built.txt
FROM BASE
COPY --from=release /bundle/built.txt /built.txt
CMD ["cat", "/built.txt"]
`

const newest = availableEngines().filter(sharesWithBuildKit).slice(-1)
const oldest = process.env.CASES === 'long' ? availableEngines().slice(0, 1) : []

describe.each([...oldest, ...newest])('Docker $version, $store store: a stage that is called release', (engine) => {
  it('leaves the tag release to those who deploy it', async () => {
    const project = new Project(bed, engine, 'names')
    const source = new SourceRepository(bed.folder, {
      ...{ Dockerfile: STAGES.replaceAll('BASE', base), '.dockerignore': '.git\n', 'app.txt': 'app 1\n' }
    })
    const first = source.head()
    const inputs = { 'builder-target': 'stage-2', tests: 'test -s built.txt' }
    const tag: Event = { ...pushEvent(first, 'x'), ref: 'refs/tags/v1.0.0' }
    const deployed = await project.play(source, first, { ...inputs, tags: 'v1.0.0\nrelease' }, tag)
    expect(ending(deployed)).toEqual({ exitCode: 0, log: '' })
    expect(await project.imageTags()).toEqual(expect.arrayContaining([short(first), 'v1.0.0', 'release']))
    const digest = await project.digest(short(first))

    const second = source.commit({ 'app.txt': 'app 2\n' })
    for (const more of [{}, { 'cache-stages': 'none' }]) {
      const outcome = await project.play(source, second, { ...inputs, ...more })
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.log).not.toContain('Skipping')
      expect(await project.digest('release')).toBe(digest)
    }
    expect(await project.imageTags()).toContain('builder-stage-release')
    const printed = await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:release`))
    expect(printed).toBe('app 1\nbundled')
    const next = await project.onAgent((agent) => agent.docker('run', '--rm', `${project.image}:latest`))
    expect(next).toBe('app 2\nbundled')
  })
})

const SECRET = `FROM BASE AS builder
WORKDIR /app
COPY app.txt ./
RUN --mount=type=secret,id=npm_token \\
    if [ -s /run/secrets/npm_token ]; then echo private; else echo public; fi > source.txt && cat app.txt > built.txt
FROM BASE
COPY --from=builder /app/built.txt /built.txt
`

describe.each(newest)('Docker $version, $store store: a secret without a value', (engine) => {
  it('is left out of the build of a fork, which is tested and pushes nothing', async () => {
    const project = new Project(bed, engine, 'no-value')
    const source = new SourceRepository(bed.folder, {
      ...{ Dockerfile: SECRET.replaceAll('BASE', base), '.dockerignore': '.git\n', 'app.txt': 'app 1\n' }
    })
    const inputs = { secrets: 'npm_token=abc123abc123', tests: 'grep -q private source.txt' }
    expect(ending(await project.play(source, source.head(), inputs))).toEqual({ exitCode: 0, log: '' })
    const before = await project.tags()

    const head = source.commit({ 'app.txt': 'app 2\n' })
    const fork = pullRequestEvent(head, { number: 1, head, branch: 'x', fork: true })
    const empty = { secrets: '"npm_token="\r\n"mirror=https://mirror.example?a=b"', tests: 'grep -q public source.txt' }
    const outcome: Outcome = await project.play(source, head, empty, fork)
    expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
    expect(outcome.log.match(/^::notice::.*npm_token/gm)).toHaveLength(1)
    expect(annotations(outcome, 'warning')).toEqual([])
    expect(stepsOf(outcome).filter(({ cached }) => cached)).toMatchObject([{ instruction: 'WORKDIR /app' }])
    expect(missesOf(outcome).builder?.kind).toBe('files-changed')
    expect(await project.tags()).toEqual(before)
  })
})
