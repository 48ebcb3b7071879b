import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { canBeLegacy, legacyEnv, Project, sampled, stepsOf } from '../support/harness.ts'

const dockerfile = (): string => `FROM ${base} AS builder
CMD ["serve", "builder"]
COPY app.txt /app.txt
RUN cat /app.txt > /built
FROM builder
RUN cat /built > /production
`

// the legacy builder gives an image that it restores from a cache the command of its last step
describe.each(
  sampled(availableEngines().filter(canBeLegacy), ({ version }) => version === '20.10').map((engine) => ({ engine }))
)('With Docker $engine.version, an image whose steps all come from the cache', ({ engine }) => {
  it('keeps its command, and so does one that is built on it', async () => {
    const source = new SourceRepository(bed.folder, {
      Dockerfile: dockerfile(),
      'app.txt': '1',
      '.dockerignore': '.git\n'
    })
    const project = new Project(bed, engine, 'restored', legacyEnv(engine))
    const first = source.head()
    const commandOf = async (tag: string): Promise<unknown> =>
      (await bed.registry.config(project.repository, tag)).config.Cmd
    await project.play(source, first, { tests: 'true' }, pushEvent(first, 'feature'))
    const again = await project.play(source, first, { tests: 'true' })
    expect(again.exitCode).toBe(0)
    expect(stepsOf(again).filter(({ cached }) => !cached)).toEqual([])
    expect(await commandOf('latest')).toEqual(['serve', 'builder'])
    expect(await commandOf('builder')).toEqual(['serve', 'builder'])
    const changed = source.commit({ Dockerfile: `${dockerfile()}RUN echo more > /more\n` })
    const next = await project.play(source, changed, { tests: 'true' }, pushEvent(changed, 'master'))
    expect(stepsOf(next).filter(({ cached }) => !cached)).toMatchObject([{ instruction: 'RUN echo more > /more' }])
    expect(await commandOf('latest')).toEqual(['serve', 'builder'])
    expect(await commandOf('builder')).toEqual(['serve', 'builder'])
    const last = source.commit({ Dockerfile: `${dockerfile()}RUN echo more > /more\nRUN echo last > /last\n` })
    const after = await project.play(source, last, { tests: 'true' }, pushEvent(last, 'master'))
    expect(stepsOf(after).filter(({ cached }) => !cached)).toMatchObject([{ instruction: 'RUN echo last > /last' }])
  })
})
