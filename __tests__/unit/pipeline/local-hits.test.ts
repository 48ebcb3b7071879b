import { describe, expect, it } from '@jest/globals'
import { countLocalHits } from '../../../src/pipeline/local-hits.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import type { ReadImage } from '../../../src/registry/image.ts'
import { image as identity, keysOf, labelsWithKeys } from '../../support/content-keys.ts'
import { failureOf, imageOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'

const TEXT = 'FROM alpine AS builder\nRUN make\nFROM alpine\nRUN make\nRUN b\nCMD ["c"]\nCOPY --from=builder a a\n'
const world = { images: new Map([['alpine', identity('alpine')]]) }
const image = (labels: Record<string, string>): ReadImage => ({
  image: imageOf(`sha256:${'1'.repeat(64)}`, { labels })
})

describe('The hits of the local cache', () => {
  it.each<[string, number, ReadImage | string, boolean]>([
    ['are those that an absent cache source cannot have', 2, { failure: failureOf('absent') }, true],
    ['are those of the steps that the cache source has not', 1, TEXT.replace('COPY --from=builder a a', ''), true],
    ['are none if the cache source has the same steps', 0, TEXT, true],
    ['are none if nothing is cached', 0, { failure: failureOf('absent') }, false],
    ['are unknown without content keys', 0, image({}), true],
    ['are unknown if the cache source cannot be read', 0, { failure: failureOf('unreachable') }, true]
  ])('%s: %i', async (_, count, source, cached) => {
    const { builds } = makePlan({ text: TEXT })
    const [builder, production] = builds as [StageBuild, StageBuild]
    const steps = [4, 5, 6, 7].map((line) => ({ stage: 'stage-1', instruction: '', line, cached, seconds: 0 }))
    const made = typeof source === 'string' ? makePlan({ text: source }).builds.at(-1) : undefined
    const published =
      typeof source === 'string' ? image(labelsWithKeys(made as StageBuild, await keysOf(source, world))) : source
    expect(countLocalHits(production, { steps }, published, await keysOf(TEXT, world), [builder])).toBe(count)
  })
})
