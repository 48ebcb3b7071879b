import { describe, expect, it } from '@jest/globals'
import { CancelledError } from '../../../src/lib/errors.ts'
import { CacheSources } from '../../../src/pipeline/cache-sources.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import type { FailureKind } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'

const LATEST = 'octo/app:latest'
const KEPT = 'octo/app:latest-cache'
const TEXT = 'FROM alpine AS builder\nRUN make\nFROM alpine\nRUN a\nRUN b\nCOPY --from=builder a a\n'

/** A published production image, whose cache metadata has records of these of its own layers. */
function image(digit: string, recorded: number[] | 'unknown' | 'none'): ImageRecord {
  return imageOf(`sha256:${digit.repeat(64)}`, {
    layers: ['base', 'a', 'b', 'c'],
    history: ['base', 'RUN a', 'RUN b', 'COPY a a'].map((createdBy) => ({ createdBy, empty: false })),
    ...(recorded !== 'none' && { recorded })
  })
}

interface World {
  strategy?: 'inline' | 'legacy'
  latest?: ImageRecord
  kept?: ImageRecord
  unreadable?: [reference: string, kind: FailureKind]
}

interface Asked {
  sources: CacheSources
  builds: StageBuild[]
  /** The requests to the registry. */
  requests: string[]
  cancel: () => void
}

function ask({ strategy = 'inline', latest, kept, unreadable }: World): Asked {
  const contents = new Contents()
  if (latest) contents.put(LATEST, latest)
  if (kept) contents.put(KEPT, kept)
  const requests: string[] = []
  const cancellation = new AbortController()
  const registry = new FakeRegistry(contents, {
    turn: (what) => {
      if (!what.startsWith('answer')) requests.push(what)
    },
    fail: (request) => (unreadable && request === `get ${unreadable[0]}` ? failureOf(unreadable[1]) : undefined),
    signal: cancellation.signal
  })
  const plan = makePlan({ text: TEXT, strategy })
  const sources = new CacheSources({ plan, registry })
  return { sources, builds: plan.builds, requests, cancel: () => cancellation.abort() }
}

const ALL = [1, 2, 3]

describe('The cache source of production', () => {
  it.each<[string, World, string]>([
    ['the kept cache, if it has more records', { latest: image('1', [3]), kept: image('2', ALL) }, KEPT],
    ['the kept cache, if the newest has no metadata', { latest: image('1', 'none'), kept: image('2', [3]) }, KEPT],
    ['the kept cache, if nothing is published as the newest', { kept: image('2', ALL) }, KEPT],
    [
      'the kept cache, if the newest cannot be read',
      { latest: image('1', ALL), kept: image('2', ALL), unreadable: [LATEST, 'unreachable'] },
      KEPT
    ],
    ['the newest, if the kept cache has fewer records', { latest: image('1', ALL), kept: image('2', [3]) }, LATEST],
    ['the newest, if both are as good', { latest: image('1', [2, 3]), kept: image('2', [1, 2]) }, LATEST],
    ['the newest, if neither is any good', { latest: image('1', 'none'), kept: image('2', 'none') }, LATEST],
    ['the newest, if no metadata can be seen', { latest: image('1', 'unknown'), kept: image('2', ALL) }, LATEST],
    ['the newest, if there is no kept cache', { latest: image('1', [3]) }, LATEST],
    ['the newest, if there is neither', {}, LATEST],
    [
      'the newest, if the kept cache cannot be read',
      { latest: image('1', [3]), kept: image('2', ALL), unreadable: [KEPT, 'refused'] },
      LATEST
    ],
    [
      'the newest, where the strategy needs no metadata',
      { strategy: 'legacy', latest: image('1', 'none'), kept: image('2', ALL) },
      LATEST
    ]
  ])('is %s', async (_, world, expected) => {
    const { sources, builds } = ask(world)
    const [builder, production] = builds
    expect(production && (await sources.of(production))).toBe(expected)
    // only production has a kept cache
    expect(builder && (await sources.of(builder))).toBe('octo/app:builder')
  })

  it.each<[string, World, string[]]>([
    ['both', { latest: image('1', ALL), kept: image('2', ALL) }, [KEPT, LATEST]],
    ['nothing, where the strategy needs no metadata,', { strategy: 'legacy', kept: image('2', ALL) }, []]
  ])('is found by inspecting %s once, and not before it is asked for', async (_, world, expected) => {
    const { sources, builds, requests } = ask(world)
    expect(requests).toEqual([])
    sources.start()
    await Promise.all([...builds, ...builds].map((build) => sources.of(build)))
    expect(requests).toHaveLength(expected.length)
    expect(new Set(requests)).toEqual(new Set(expected.map((reference) => `get ${reference}`)))
  })

  it('is asked for in vain after a cancellation, which is no unhandled rejection where nobody asks', async () => {
    const { sources, builds, cancel } = ask({ latest: image('1', ALL), kept: image('2', ALL) })
    cancel()
    sources.start()
    // an unhandled rejection would fail this test, or whichever runs by then
    await new Promise((resolve) => setImmediate(resolve))
    await expect(sources.of(builds.at(-1) as StageBuild)).rejects.toThrow(CancelledError)
  })
})
