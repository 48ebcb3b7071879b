import { describe, expect, it } from '@jest/globals'
import { type ContentKeys, cacheTagOf, keysForTags } from '../../../src/cache/key-tags.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { CacheSources } from '../../../src/pipeline/cache-sources.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import type { FailureKind } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { image as identity, keysOf, labelsWithKeys } from '../../support/content-keys.ts'
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
  keys?: ContentKeys
  /** Further images, by reference. */
  others?: Record<string, ImageRecord>
  inputs?: Record<string, string>
  /** References of the images in the engine. */
  inEngine?: string[]
}

interface Asked {
  sources: CacheSources
  builds: StageBuild[]
  /** The requests to the registry. */
  requests: string[]
  cancel: () => void
}

function ask(world: World): Asked {
  const { strategy = 'inline', latest, kept, unreadable, keys = new Map(), others = {}, inputs, inEngine } = world
  const contents = new Contents()
  if (latest) contents.put(LATEST, latest)
  if (kept) contents.put(KEPT, kept)
  for (const [reference, one] of Object.entries(others)) contents.put(reference, one)
  const requests: string[] = []
  const cancellation = new AbortController()
  const registry = new FakeRegistry(contents, {
    turn: (what) => {
      if (!what.startsWith('answer')) requests.push(what)
    },
    fail: (request) => (unreadable && request === `get ${unreadable[0]}` ? failureOf(unreadable[1]) : undefined),
    signal: cancellation.signal
  })
  const plan = makePlan({ text: TEXT, strategy, ...(inputs && { inputs }) })
  const sources = new CacheSources({ plan, registry }, keys, inEngine)
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
    expect(production && (await sources.of(production))).toEqual({ reference: expected })
    // only production has a kept cache
    expect(builder && (await sources.of(builder))).toEqual({ reference: 'octo/app:builder' })
  })

  it.each<[string, World, string | undefined]>([
    ['by its digest', { latest: image('1', ALL) }, `octo/app@sha256:${'1'.repeat(64)}`],
    ['by its name, if nothing is published', {}, undefined],
    ['by its name, where the engine pulls it', { strategy: 'legacy', latest: image('1', ALL) }, undefined]
  ])('is read %s, if the engine has an image of its name, however old', async (_, world, readAs) => {
    const { sources, builds } = ask({ ...world, inEngine: ['other:<none>', LATEST] })
    const expected = { reference: LATEST, ...(readAs !== undefined && { readAs }) }
    expect(await sources.of(builds.at(-1) as StageBuild)).toEqual(expected)
  })

  it.each<[string, World, string[]]>([
    ['both', { latest: image('1', ALL), kept: image('2', ALL) }, [KEPT, LATEST]],
    ['nothing, where the strategy needs no metadata,', { strategy: 'legacy', kept: image('2', ALL) }, []]
  ])('is found by inspecting %s once, and not before it is asked for', async (_, world, expected) => {
    const { sources, builds, requests } = ask(world)
    expect(requests).toEqual([])
    sources.start(builds, () => {})
    await Promise.all([...builds, ...builds].map((build) => sources.of(build)))
    expect(requests).toHaveLength(expected.length)
    expect(new Set(requests)).toEqual(new Set(expected.map((reference) => `get ${reference}`)))
  })

  it('is asked for in vain after a cancellation, which is no unhandled rejection where nobody asks', async () => {
    const { sources, builds, cancel } = ask({ latest: image('1', ALL), kept: image('2', ALL) })
    cancel()
    sources.start(builds, () => {})
    // an unhandled rejection would fail this test, or whichever runs by then
    await new Promise((resolve) => setImmediate(resolve))
    await expect(sources.of(builds.at(-1) as StageBuild)).rejects.toThrow(CancelledError)
  })
})

describe('A cache tag', () => {
  const COMMIT = 'c'.repeat(40)
  const LABELS = { 'org.opencontainers.image.revision': COMMIT, 'shared-docker-layers.branch': 'feature' }
  const images = { images: new Map([['alpine', identity('alpine')]]) }
  const labelled = (digit: string, recorded: number[] | 'none' = ALL): ImageRecord => ({
    ...image(digit, recorded),
    labels: LABELS
  })
  const production = (builds: StageBuild[]): StageBuild => builds.at(-1) as StageBuild

  async function world(more: World = {}): Promise<{ world: World; tags: string[] }> {
    const keys = await keysOf(TEXT, images)
    const { builds } = ask(more)
    const tags = keysForTags(production(builds), keys).map((key) => cacheTagOf('octo/app', key))
    return { world: { ...more, keys }, tags }
  }

  it('of the longest existing key is the cache source', async () => {
    const { world: given, tags } = await world({ latest: image('1', ALL) })
    const [longest = '', shorter = ''] = tags
    expect(tags).toHaveLength(3)
    const { sources, builds } = ask({ ...given, others: { [longest]: labelled('2'), [shorter]: labelled('3') } })
    expect(await sources.of(production(builds))).toEqual({
      reference: longest,
      origin: { commit: COMMIT, branch: 'feature' },
      isWhole: true
    })
    expect([longest, shorter].map((tag) => sources.exists(tag))).toEqual([true, true])
  })

  it('of a shorter key is the next best', async () => {
    const { world: given, tags } = await world({ latest: image('1', ALL) })
    const { sources, builds } = ask({ ...given, others: { [tags[1] ?? '']: labelled('3') } })
    expect(await sources.of(production(builds))).toMatchObject({ reference: tags[1], isWhole: false })
    expect(tags.slice(0, 2).map((tag) => sources.exists(tag))).toEqual([undefined, true])
  })

  it('is no cache source if BuildKit could not use its image', async () => {
    const { world: given, tags } = await world({ latest: image('1', ALL) })
    const { sources, builds } = ask({ ...given, others: { [tags[0] ?? '']: labelled('2', 'none') } })
    expect(await sources.of(production(builds))).toEqual({ reference: LATEST })
    expect(sources.exists(tags[0] ?? '')).toBe(false)
  })

  it('may name an image of a shorter Dockerfile, whose history the build does not fit', async () => {
    // with a second RUN, the base image's own RUN would seem to be a step without a record
    const before = 'FROM alpine AS builder\nRUN make\nFROM alpine\nRUN a\n'
    const build = makePlan({ text: before }).builds.at(-1) as StageBuild
    const older = imageOf(`sha256:${'4'.repeat(64)}`, {
      labels: { ...LABELS, ...labelsWithKeys(build, await keysOf(before, images)) },
      layers: ['0', '1', 'a'],
      history: ['COPY / /', 'RUN prepare', 'RUN a'].map((createdBy) => ({ createdBy, empty: false })),
      recorded: [2]
    })
    const text = `${before}RUN c\n`
    const keys = await keysOf(text, images)
    const plan = makePlan({ text })
    const production = plan.builds.at(-1) as StageBuild
    const [, shorter = ''] = keysForTags(production, keys).map((key) => cacheTagOf('octo/app', key))
    const contents = new Contents()
    contents.put(shorter, older)
    const sources = new CacheSources({ plan, registry: new FakeRegistry(contents) }, keys)
    expect(await sources.of(production)).toMatchObject({ reference: shorter })
  })

  it('needs no cache metadata for the legacy builder', async () => {
    const { world: given, tags } = await world({ strategy: 'legacy' })
    const { sources, builds } = ask({ ...given, others: { [tags[0] ?? '']: labelled('2', 'none') } })
    expect(await sources.of(production(builds))).toMatchObject({ reference: tags[0] })
  })

  it('is not asked for with cache-tags: none', async () => {
    const { world: given, tags } = await world({ inputs: { 'cache-tags': 'none' } })
    const { sources, builds, requests } = ask({ ...given, others: { [tags[0] ?? '']: labelled('2') } })
    expect(await sources.of(production(builds))).toEqual({ reference: LATEST })
    expect(requests.filter((request) => request.startsWith('head'))).toEqual([])
  })

  it('is asked for by HEAD, all at once', async () => {
    const { world: given, tags } = await world()
    const { sources, builds, requests } = ask(given)
    const found = sources.of(production(builds))
    expect(requests).toEqual(tags.map((tag) => `head ${tag}`))
    expect(await found).toEqual({ reference: LATEST })
  })
})
