import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import {
  annotations,
  ending,
  executedRuns,
  isNewest,
  missesOf,
  Project,
  sampled,
  sharesWithBuildKit,
  short
} from '../support/harness.ts'

describe.each(sampled(availableEngines().filter(sharesWithBuildKit), isNewest))(
  'Docker $version, $store store: a cache that has lost its records, with expect-cache',
  (engine) => {
    const METADATA = 'moby.buildkit.cache.v0'

    it('fail, none, warn', async () => {
      const project = new Project(bed, engine, 'lost')
      const source = new SourceRepository(bed.folder, application(base))
      // with cache tags, a run would find an image that has its records
      const inputs = { 'cache-tags': 'none' }
      expect(ending(await project.play(source, source.head(), inputs))).toEqual({ exitCode: 0, log: '' })
      await bed.registry.replaceConfig(project.repository, 'builder', (config) => {
        const records = JSON.parse(Buffer.from(config[METADATA], 'base64').toString()) as { layers?: unknown }[]
        const lossy = records.map(({ layers: _, ...record }) => record)
        return { ...config, [METADATA]: Buffer.from(JSON.stringify(lossy)).toString('base64') }
      })
      const sentence =
        /^::\w+::Unexpected cache miss in stage builder, .* line 2: WORKDIR \/app\. .*no record of 5 of 5 layers/

      const tags = await project.tags()
      const failed = await project.play(source, source.commit({ other: '1' }), { ...inputs, 'expect-cache': 'fail' })
      expect(failed.exitCode).toBe(1)
      expect(annotations(failed, 'error')).toEqual([expect.stringMatching(sentence)])
      expect(failed.log).toMatch(/^::error title=Stage builder,file=Dockerfile,line=2::/m)
      expect(failed.outputs).toMatchObject({ pushed: 'false', published: 'false' })
      expect(await project.tags()).toEqual(tags)
      expect(missesOf(failed).builder).toMatchObject({ line: 2, kind: 'incomplete-metadata', unexpected: true })

      const silent = await project.play(source, source.commit({ other: '2' }), {
        ...inputs,
        'expect-cache': 'none',
        // else the new image, which is whole, would take its place
        push: 'never'
      })
      expect(ending(silent)).toEqual({ exitCode: 0, log: '' })
      expect(annotations(silent, 'warning')).toEqual([])

      const warned = await project.play(source, source.commit({ other: '3' }), inputs)
      expect(ending(warned)).toEqual({ exitCode: 0, log: '' })
      const warnings = annotations(warned, 'warning')
      const [expected, others] = [true, false].map((is) => warnings.filter((one) => sentence.test(one) === is))
      expect(expected).toHaveLength(1)
      expect(warned.log).toMatch(/^::warning title=Stage builder,file=Dockerfile,line=2::/m)
      // production's first steps were executed in the builder's build just now, and BuildKit forgets their records
      for (const other of others ?? []) expect(other).toMatch(/:latest is updated, but would be a worse cache/)
      // and that mended it
      const mended = await project.play(source, source.commit({ other: '4' }), { ...inputs, 'expect-cache': 'fail' })
      expect(ending(mended)).toEqual({ exitCode: 0, log: '' })
      expect(mended.outputs['cache-hit']).toBe('full')
    })
  }
)

const lossy = availableEngines().filter(({ version, store }) => version === '26.1' && store === 'overlay2')

describe.each(lossy)('Docker $version, $store store, whose BuildKit loses the records of cached layers', (engine) => {
  it('replaces no cache by a worse one, so no unchanged RUN is executed again', async () => {
    const project = new Project(bed, engine, 'lossy')
    const files = application(base)
    const Dockerfile = String(files.Dockerfile).replace('RUN cat', 'RUN --mount=type=cache,target=/cache cat')
    const source = new SourceRepository(bed.folder, { ...files, Dockerfile })
    const inputs = { 'cache-tags': 'none' }
    const first = source.head()
    expect(ending(await project.play(source, first, inputs))).toEqual({ exitCode: 0, log: '' })
    const builder = await project.digest('builder')
    for (const number of [1, 2, 3]) {
      const sha = source.commit({ 'src/main.txt': `version ${number}\n` })
      const outcome = await project.play(source, sha, inputs)
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(executedRuns(outcome)).toEqual([expect.stringMatching(/^builder: RUN .* cat src/)])
      expect(outcome.outputs).toMatchObject({ published: 'true' })
      expect(outcome.outputs['publish-reason']).toMatch(/:builder is not updated: .* no record of \d of \d layers/)
      expect(await project.digest('builder')).toBe(builder)
      expect(await project.digest('latest')).toBe(await project.digest(short(sha)))
      expect(await project.labels('latest-cache')).toMatchObject({ 'org.opencontainers.image.revision': first })
    }
  })

  it('finds every record by its cache tags, so no unchanged RUN is executed again', async () => {
    const project = new Project(bed, engine, 'lossy-tags')
    const files = application(base)
    const Dockerfile = String(files.Dockerfile).replace('RUN cat', 'RUN --mount=type=cache,target=/cache cat')
    const source = new SourceRepository(bed.folder, { ...files, Dockerfile })
    expect(ending(await project.play(source, source.head()))).toEqual({ exitCode: 0, log: '' })
    for (const number of [1, 2]) {
      const outcome = await project.play(source, source.commit({ 'src/main.txt': `version ${number}\n` }))
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      expect(executedRuns(outcome)).toEqual([expect.stringMatching(/^builder: RUN .* cat src/)])
      expect(await project.imageTags()).not.toContain('latest-cache')
    }
  })
})
