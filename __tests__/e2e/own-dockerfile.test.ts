import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { droppingCache } from '../support/dropping-cache.ts'
import { ending, executedRuns, Project, sharesWithBuildKit, short, stepsOf } from '../support/harness.ts'

/** The newest engine; `e2e/chain-inline` builds from the user's own Dockerfile on all. */
const engines = availableEngines().filter(sharesWithBuildKit).slice(-1)

const STAMP = 'RUN head -c 16 /dev/urandom | md5sum > /stamp'
const TESTS = 'echo "tested $(cat /stamp)"'
const BUILT_ONCE_MORE = / is built once more, from the images of the stages built before\n/

/** The parts of the log from one build command to the next, the commands included. */
function buildsIn({ log }: Outcome): string[] {
  return log.split(/^(?:::group::.*\n)?(?=docker buildx build .*--iidfile)/m).slice(1)
}

/** The steps of a stage that a build printed, and whether each came from the cache. */
function printedSteps(build: string, stage: string): { step: string; cached: boolean }[] {
  const steps = build.matchAll(new RegExp(`^#(\\d+) \\[${stage} +\\d+/\\d+\\] (?!FROM )(.+)$`, 'gm'))
  return [...steps].map(([, number, step = '']) => ({
    step,
    cached: new RegExp(`^#${number} CACHED$`, 'm').test(build)
  }))
}

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`
}

function copying(): Files {
  return {
    Dockerfile: lines(
      `FROM ${base} AS builder`,
      STAMP,
      `FROM ${base}`,
      'COPY --from=builder /stamp /',
      'CMD ["cat", "/stamp"]'
    )
  }
}

function onBuilder(): Files {
  return {
    Dockerfile: lines(`FROM ${base} AS builder`, STAMP, 'FROM builder', 'RUN echo > /more', 'CMD ["cat", "/stamp"]')
  }
}

describe.each(engines)('Docker $version, $store store', (engine) => {
  it('builds every stage from the Dockerfile as it is, and no step of the builder stage twice', async () => {
    const project = new Project(bed, engine, 'own-chain')
    const source = new SourceRepository(bed.folder, application(base))
    const commits = [source.head(), source.commit({ 'src/main.txt': 'version 1\n' }), source.commit({ other: 'x\n' })]
    const executed: string[][] = []
    for (const sha of commits) {
      const outcome = await project.play(source, sha, { tests: 'grep version app.txt' })
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      executed.push(executedRuns(outcome))
      const builds = buildsIn(outcome)
      expect(builds.map((build) => /--file (\S+)/.exec(build)?.[1])).toEqual(['Dockerfile', 'Dockerfile'])
      expect(printedSteps(builds[0] ?? '', 'builder')).toHaveLength(5)
      const again = printedSteps(builds[1] ?? '', 'builder')
      expect(again).not.toEqual([])
      expect(again.filter(({ cached }) => !cached)).toEqual([])
      // each step counts in one build
      expect(stepsOf(outcome).map(({ stage }) => stage)).toEqual([
        ...Array(5).fill('builder'),
        ...Array(4).fill('stage-1')
      ])
    }
    expect(executed[0]).toHaveLength(3)
    expect(executed.slice(1)).toEqual([['builder: RUN cat src/* > app.txt'], []])
  })

  it.each([
    ['copies from the builder stage', copying],
    ['is built on the builder stage', onBuilder]
  ])('makes production, which %s, of the tested image if the engine drops its cache in between', async (_, files) => {
    const project = new Project(bed, engine, `own-dropped-${files.name.toLowerCase()}`)
    const source = new SourceRepository(bed.folder, files())
    const sha = source.head()
    const image = `${project.image}:${short(sha)}`
    await project.onAgent(async (agent) => {
      const env = droppingCache(agent, image)
      const outcome = await project.runOn(agent, source.checkout(sha), { tests: TESTS }, pushEvent(sha, 'master'), env)
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.log).toMatch(BUILT_ONCE_MORE)
      expect(outcome.log).toContain(
        `stage builder in its local cache, and executed it again (line 2: ${STAMP}), so ${image} is`
      )
      expect(buildsIn(outcome).map((build) => /--file (\S+)/.exec(build)?.[1])).toEqual([
        'Dockerfile',
        'Dockerfile',
        expect.stringMatching(/\/Dockerfile-stage-1$/)
      ])
      expect(await agent.docker('run', '--rm', image)).toBe(/^tested (.*)$/m.exec(outcome.log)?.[1])
    })
  })

  it.each([
    ['copies from the builder stage', copying],
    ['is built on the builder stage', onBuilder]
  ])('makes production, which %s, of the tested image if the cache has an older result', async (_, files) => {
    const project = new Project(bed, engine, `own-older-${files.name.toLowerCase()}`)
    const source = new SourceRepository(bed.folder, files())
    const first = await project.play(source, source.head(), { tests: TESTS })
    expect(ending(first)).toEqual({ exitCode: 0, log: '' })
    const sha = source.commit({ other: 'x\n' })
    const image = `${project.image}:${short(sha)}`
    await project.onAgent(async (agent) => {
      // nothing is published under that tag, so the builder stage is built anew, but production is in the cache
      const inputs = { tests: TESTS, 'builder-tag': 'other', 'cache-tags': 'none' }
      const outcome = await project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'))
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.log).toContain(`${project.image}:latest was built on other images than those of this run`)
      const [before, tested] = [first, outcome].map(({ log }) => /^tested (.*)$/m.exec(log)?.[1])
      expect(tested).not.toBe(before)
      expect(await agent.docker('run', '--rm', image)).toBe(tested)
    })
  })

  it('hands the arguments of the builder stage on to a stage that is built on it', async () => {
    const project = new Project(bed, engine, 'own-arguments')
    const source = new SourceRepository(bed.folder, {
      Dockerfile: lines(
        `FROM ${base} AS builder`,
        'ARG FLAVOUR=plain',
        'ARG NUMBER',
        'COPY app.txt /',
        'RUN echo "built $FLAVOUR" > /built.txt',
        'FROM builder AS shop',
        'RUN echo "sold $FLAVOUR $NUMBER" > /sold.txt',
        'CMD ["cat", "/built.txt", "/sold.txt"]'
      ),
      'app.txt': '1\n'
    })
    const commits = [source.head(), source.commit({ other: 'x\n' }), source.commit({ 'app.txt': '2\n' })]
    const inputs = { tests: 'grep -q "built sweet" /built.txt', 'build-args': 'FLAVOUR=sweet\nNUMBER=7' }
    const executed: number[] = []
    for (const sha of commits) {
      const outcome = await project.play(source, sha, inputs)
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.log).not.toMatch(BUILT_ONCE_MORE)
      executed.push(stepsOf(outcome).filter(({ cached }) => !cached).length)
    }
    expect(executed).toEqual([3, 0, 3])
    const printed = await project.onAgent((agent) =>
      Promise.all(commits.map((sha) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`)))
    )
    expect(printed).toEqual(Array(3).fill('built sweet\nsold sweet 7'))
  })

  it.each<[string, () => string]>([
    [
      'instructions in lower case',
      () =>
        lines(
          '# check=error=true',
          `from ${base} as builder`,
          'workdir /work',
          'copy app.txt ./',
          'run cat app.txt > made.txt',
          `from ${base} as shop`,
          'workdir /shop',
          'copy --from=builder /work/made.txt ./',
          'cmd ["cat", "/shop/made.txt"]'
        )
    ],
    [
      'a relative WORKDIR on the one of the builder stage',
      () =>
        lines(
          '# check=error=true',
          `FROM ${base} AS builder`,
          'WORKDIR /work',
          'COPY app.txt ./',
          'RUN cat app.txt > made.txt',
          'FROM builder AS shop',
          'WORKDIR shelf',
          'RUN cp ../made.txt .',
          'CMD ["cat", "/work/shelf/made.txt"]'
        )
    ]
  ])('breaks no lint rule that the Dockerfile keeps: %s', async (name, dockerfile) => {
    const project = new Project(bed, engine, `own-lint-${name.split(' ').length}`)
    const source = new SourceRepository(bed.folder, { Dockerfile: dockerfile(), 'app.txt': '1\n' })
    const commits = [source.head(), source.commit({ 'app.txt': '2\n' })]
    for (const sha of commits) {
      const outcome = await project.play(source, sha, { tests: 'test -s made.txt' })
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(outcome.outputs).toMatchObject({ published: 'true' })
    }
    const printed = await project.onAgent((agent) =>
      Promise.all(commits.map((sha) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`)))
    )
    expect(printed).toEqual(['1', '2'])
  })
})
