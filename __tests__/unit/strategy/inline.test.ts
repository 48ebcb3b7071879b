import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import type { Build } from '../../../src/result/result.ts'
import { InlineStrategy } from '../../../src/strategy/inline.ts'
import { makePlan, TWO_STAGES } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'
import { RecordingLog } from '../../support/recording-log.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inline-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** How one call of `docker buildx build` goes. */
interface Solve {
  /** `builder 2/2 RUN make`; with an exclamation mark at the end if the engine executes it. */
  steps?: string[]
  /** What it says on its failure. */
  failure?: string
}

interface Played {
  builds: Build[]
  /** Of each call, the Dockerfile: its path, or its text if it was rewritten. */
  files: string[]
  said: string[]
}

function vertex(text: string, index: number): object {
  const [, stage = '', place = '', instruction = '', executed] = /^(\S+) (\S+) (.*?)(!?)$/.exec(text) ?? []
  const time = '2026-01-01T00:00:00Z'
  const name = `[${stage} ${place}] ${instruction}`
  return { digest: `${index}`, name, started: time, completed: time, cached: executed === '' }
}

/** Builds all stages of a Dockerfile on an engine that behaves as told, call by call. */
async function play(
  text: string,
  solves: Solve[],
  {
    startFrom = [],
    layers = '["a"]\n["a","b"]\n',
    retries = '0'
  }: { startFrom?: string[]; layers?: string; retries?: string } = {}
): Promise<Played> {
  const plan = makePlan({ text, inputs: { retries } })
  const log = new RecordingLog()
  const played: Played = { builds: [], files: [], said: [] }
  const docker: Docker = {
    call: async (args, { onOutput }) => {
      const option = (name: string): string => args[args.indexOf(name) + 1] ?? ''
      if (args[0] === 'image')
        return { exitCode: 0, stdout: args.includes('{{json .RootFS.Layers}}') ? layers : '', stderr: '' }
      const file = option('--file')
      const { steps = [], failure } = solves[played.files.length] ?? {}
      played.files.push(file === 'Dockerfile' ? file : readFileSync(file, 'utf8'))
      const status = { vertexes: steps.map(vertex) }
      onOutput?.(
        Buffer.from(`${JSON.stringify(status)}\n${failure === undefined ? '' : `ERROR: ${failure}\n`}`),
        'stderr'
      )
      if (failure !== undefined) return { exitCode: 1, stdout: '', stderr: '' }
      writeFileSync(option('--iidfile'), `sha256:${played.files.length}\n`)
      return { exitCode: 0, stdout: '', stderr: '' }
    }
  }
  const strategy = new InlineStrategy(makeRun({ plan, docker, log, folder }))
  for (const stage of plan.builds) {
    const { cacheSource, name } = stage
    played.builds.push(await strategy.build(stage, { cacheSource, startFromImages: startFrom.includes(name) }))
  }
  await strategy.end()
  return { ...played, said: log.said('info') }
}

const BUILDER = { steps: ['builder 2/2 RUN make!'] }
const COPY = 'stage-1 2/2 COPY --from=builder a a!'
const FROM_IMAGE = 'FROM octo/app:builder-0123456 AS builder\n\nFROM alpine\nCOPY --from=builder a a\n'
const ON_BUILDER = 'FROM alpine AS builder\nRUN make\nFROM builder\nRUN more\n'
const ONCE_MORE = 'is built once more, from the images of the stages built before'

describe('InlineStrategy', () => {
  it("builds every stage from the user's own Dockerfile, and counts each step once", async () => {
    const { builds, files, said } = await play(TWO_STAGES, [BUILDER, { steps: ['builder 2/2 RUN make', COPY] }])
    expect(files).toEqual(['Dockerfile', 'Dockerfile'])
    expect(builds.map(({ steps }) => steps.map(({ stage, line }) => `${stage} ${line}`))).toEqual([
      ['builder 2'],
      ['stage-1 4']
    ])
    expect(builds[1]?.imageId).toBe('sha256:2')
    expect(said).toEqual([])
  })

  it('builds once more from the tested image if a tested step was executed again', async () => {
    const solves = [BUILDER, { steps: ['builder 2/2 RUN make!', COPY] }, { steps: [COPY] }]
    const { builds, files, said } = await play(TWO_STAGES, solves)
    expect(files).toEqual(['Dockerfile', 'Dockerfile', FROM_IMAGE])
    expect(builds[1]).toMatchObject({ imageId: 'sha256:3', steps: [{ stage: 'stage-1', line: 4, cached: false }] })
    expect(said).toEqual([
      `The engine no longer had the result of stage builder in its local cache, and executed it again (line 2: RUN make), so octo/app:0123456 ${ONCE_MORE}`
    ])
  })

  it('also if that step failed; if the next build fails, that is the failure', async () => {
    const failing = { steps: ['builder 2/2 RUN make!'], failure: 'make failed' }
    const { builds } = await play(TWO_STAGES, [BUILDER, failing, { steps: [COPY] }])
    expect(builds[1]?.failure).toBeUndefined()
    expect(builds[1]?.imageId).toBe('sha256:3')
    const { builds: failed } = await play(TWO_STAGES, [BUILDER, failing, { failure: 'no a' }])
    expect(failed[1]).toMatchObject({ imageId: '', failure: 'no a' })
  })

  it('also if the step was executed in an attempt before the last', async () => {
    const transient = { steps: ['builder 2/2 RUN make!'], failure: 'unexpected status: 503 Service Unavailable' }
    const solves = [BUILDER, transient, { steps: ['builder 2/2 RUN make', COPY] }, { steps: [COPY] }]
    const { files, builds } = await play(TWO_STAGES, solves, { retries: '1' })
    expect(files).toEqual(['Dockerfile', 'Dockerfile', 'Dockerfile', FROM_IMAGE])
    expect(builds[1]?.imageId).toBe('sha256:4')
  })

  it('does not build once more if its own step failed', async () => {
    const { files, builds } = await play(TWO_STAGES, [BUILDER, { steps: ['builder 2/2 RUN make'], failure: 'no a' }])
    expect(files).toEqual(['Dockerfile', 'Dockerfile'])
    expect(builds[1]?.failure).toBe('no a')
  })

  it.each<[string, string, boolean]>([
    ['begins with the layers of the tested image', '["a"]\n["a","b"]\n', false],
    ['begins with an image without layers', 'null\n["b"]\n', false],
    ['begins with other layers', '["a"]\n["b","a"]\n', true],
    ['cannot be inspected', '', true]
  ])(
    'compares production, which is built on the builder stage, with the tested image: %s',
    async (_, layers, isBuiltAgain) => {
      const cached = { steps: ['builder 2/2 RUN make', 'stage-1 1/1 RUN more'] }
      const { said, files } = await play(ON_BUILDER, [BUILDER, cached, cached], { layers })
      const sentence = `The image does not begin with the layers of octo/app:builder-0123456, so octo/app:0123456 ${ONCE_MORE}`
      expect(said).toEqual(isBuiltAgain ? [sentence] : [])
      expect(files).toHaveLength(isBuiltAgain ? 3 : 2)
    }
  )

  it('starts from the images at once if it is told to', async () => {
    const { files, said } = await play(TWO_STAGES, [BUILDER, { steps: [COPY] }], { startFrom: ['stage-1'] })
    expect(files).toEqual(['Dockerfile', FROM_IMAGE])
    expect(said).toEqual([])
  })

  it('starts from the images at once if a stage knows which stage is built', async () => {
    const { files } = await play(TWO_STAGES.replace('RUN', 'ARG TARGETSTAGE\nRUN'), [])
    expect(files).toEqual(['Dockerfile', expect.stringContaining('FROM octo/app:builder-0123456 AS builder\n')])
  })

  it('starts all later builds from the images: the local cache has other results by then', async () => {
    const text = `FROM alpine AS builder
RUN make
FROM builder AS docs
RUN write
FROM alpine
COPY --from=builder a a
COPY --from=docs a a
`
    const solves = [BUILDER, { steps: ['builder 2/2 RUN make!', 'docs 1/1 RUN write!'] }]
    const { files, said } = await play(text, solves)
    expect(said).toHaveLength(1)
    expect(files).toEqual([
      'Dockerfile',
      'Dockerfile',
      'FROM octo/app:builder-0123456 AS builder\n\nFROM builder AS docs\nRUN write\n',
      expect.stringContaining(
        'FROM octo/app:builder-0123456 AS builder\n\nFROM octo/app:builder-0123456-stage-docs AS docs\n'
      )
    ])
  })
})
