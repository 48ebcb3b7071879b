import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { base, bed } from '../support/bed.ts'
import { corpus } from '../support/equivalence/corpus.ts'
import type { Example } from '../support/equivalence/example.ts'
import { generate } from '../support/equivalence/generate.ts'
import { describeImage, differences } from '../support/equivalence/image.ts'
import { describeSetting, playAll, type Setting } from '../support/equivalence/play.ts'

const isLong = process.env.CASES === 'long'
/** Generated Dockerfiles: those of the seeds SEED to SEED + SEEDS - 1. */
const SEEDS = Number(process.env.SEEDS ?? (isLong ? 300 : 6))
const SEED = Number(process.env.SEED ?? 1)
/** Plays only the examples whose names match. */
const ONLY = new RegExp(process.env.ONLY ?? '')

const [newest, ...older] = availableEngines()
  // of the stores, npm test takes that with more of our own doing: there the legacy builder may build
  .filter(({ store }) => isLong || store === 'overlay2')
  .reverse()
  .map((engine): Setting => ({ engine }))
const settings: Setting[] = newest ? [newest, { ...newest, dropsCache: true }, ...older] : []

/** In full every example on every engine; otherwise every third one, each on one engine, in turn. */
function examplesFor(index: number): Example[] {
  const generated = Array.from({ length: SEEDS }, (_, number) => generate(SEED + number))
  const all = [...corpus, ...generated].filter(({ name }) => ONLY.test(name))
  return isLong || process.env.ONLY !== undefined
    ? all
    : all.filter((_, number) => number % (3 * settings.length) === 3 * index)
}

describe('The images of the action are those of docker build', () => {
  it.each(settings.map((setting, index) => ({ setting, index, where: describeSetting(setting) })))(
    '$where',
    async ({ setting, index, where }) => {
      const examples = examplesFor(index)
      const verdicts = await playAll(bed, setting, examples)
      const count = (ending: string): number => verdicts.filter((verdict) => verdict.ending === ending).length
      const faults = verdicts.flatMap(({ name, faults }) => (faults.length > 0 ? [[name, ...faults].join('\n')] : []))
      console.log(
        `${where}: of ${verdicts.length} Dockerfiles, both built ${count('built')} alike and refused ${count('refused')} alike; ${count('different')} differ`
      )
      expect(faults).toEqual([])
      // a sample may hold few that this engine can build
      expect(count('built')).toBeGreaterThan(isLong ? examples.length / 2 : 0)
    },
    isLong ? 7_200_000 : 600_000
  )

  it('finds a changed variable, a changed mode, and a file less', async () => {
    const agent = await bed.agent({ ...(newest?.engine ?? { version: '28.5', store: 'overlay2' }) })
    try {
      const built = async (name: string, ...lines: string[]) => {
        const folder = join(agent.folder, name)
        mkdirSync(folder)
        writeFileSync(join(folder, 'Dockerfile'), [`FROM ${base}`, ...lines, ''].join('\n'))
        await agent.docker('build', '--tag', name, folder)
        return describeImage(agent, name)
      }
      const right = await built('right', 'ENV A=1', 'RUN touch /a /b && chmod 600 /a')
      expect(differences(right, await built('again', 'ENV A=1', 'RUN touch /a && touch /b && chmod 600 /a'))).toEqual(
        []
      )
      expect(differences(right, await built('variable', 'ENV A=2', 'RUN touch /a /b && chmod 600 /a'))).toEqual([
        expect.stringMatching(/^Env: .*"A=1".* is .*"A=2"/)
      ])
      expect(differences(right, await built('mode', 'ENV A=1', 'RUN touch /a /b && chmod 640 /a'))).toEqual([
        expect.stringMatching(/^\/a: \S*600 .* is \S*640 /)
      ])
      expect(differences(right, await built('less', 'ENV A=1', 'RUN touch /a && chmod 600 /a'))).toEqual([
        expect.stringMatching(/^\/b: .* is nothing$/)
      ])
    } finally {
      await agent.stop()
    }
  })
})
