import { describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec } from '../../testbed/index.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import {
  ending,
  executedRuns,
  isNewest,
  legacyEnv,
  Project,
  sampled,
  sharesWithBuildKit,
  short
} from '../support/harness.ts'

const STAMP = 'RUN head -c 16 /dev/urandom | md5sum >'

interface Shape {
  name: string
  lines: (base: string) => string[]
  /** What is executed again if the source changes, and if nothing changes. */
  afterChange: string[]
}

/** Dockerfiles that a careless replacement of the builder stage would break. */
const shapes: Shape[] = [
  {
    name: 'ARG before FROM, AS in any case, an escape directive, a builder on an earlier stage, COPY --from=1',
    lines: (base) =>
      [
        '# escape=`',
        `ARG BASE=${base}`,
        'FROM $BASE as Common',
        `${STAMP} /common-stamp`,
        'FROM common As Builder',
        'WORKDIR /app',
        `${STAMP} `,
        '  /builder-stamp',
        'COPY src ./src',
        'RUN cat src/* `',
        '  > app.txt',
        'from common',
        `${STAMP} /production-stamp`,
        'COPY --from=1 /app/app.txt /app.txt',
        'CMD ["cat", "/app.txt"]'
      ].map((line) => (line.endsWith('> ') ? `${line}\`` : line)),
    afterChange: ['builder: RUN cat src/*   > app.txt']
  },
  {
    name: 'production built on the builder',
    lines: (base) => [
      `FROM ${base} AS builder`,
      'WORKDIR /app',
      'COPY src ./src',
      'RUN cat src/* > app.txt',
      'FROM builder AS production',
      `${STAMP} /production-stamp`,
      'CMD ["cat", "/app/app.txt"]'
    ],
    // what is built on the builder changes with it
    afterChange: ['builder: RUN cat src/* > app.txt', `production: ${STAMP} /production-stamp`]
  }
]

/** Legacy once: it is the same builder in all engines. */
const settings: { engine: EngineSpec; strategy: string; env: Record<string, string>; shape: Shape }[] = sampled(
  availableEngines(),
  isNewest
).flatMap((engine) =>
  shapes.flatMap((shape) => [
    ...(engine.version === '20.10' ? [{ engine, strategy: 'legacy', env: legacyEnv(engine), shape }] : []),
    ...(sharesWithBuildKit(engine) ? [{ engine, strategy: 'inline', env: {}, shape }] : [])
  ])
)

describe.each(settings)(
  'Docker $engine.version, $engine.store store, strategy $strategy: $shape.name',
  ({ engine, strategy, env, shape }) => {
    it('executes again what changed, and nothing where nothing changed', async () => {
      const project = new Project(bed, engine, `shape-${strategy}-${shapes.indexOf(shape)}`, env)
      const source = new SourceRepository(bed.folder, {
        Dockerfile: `${shape.lines(base).join('\n')}\n`,
        'src/main.txt': 'version 0\n'
      })
      const commits = [source.head(), source.commit({ 'src/main.txt': 'version 1\n' }), source.commit({ other: 'x\n' })]
      const executed: string[][] = []
      for (const sha of commits) {
        const outcome = await project.play(source, sha)
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(JSON.parse(String(outcome.outputs.engine))).toMatchObject({ strategy })
        executed.push(executedRuns(outcome))
      }
      expect(executed[0]?.length).toBeGreaterThan(1)
      expect(executed.slice(1)).toEqual([shape.afterChange, []])
      const printed = await project.onAgent((agent) =>
        Promise.all(commits.map((sha) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`)))
      )
      expect(printed).toEqual(['version 0', 'version 1', 'version 1'])
    })
  }
)
