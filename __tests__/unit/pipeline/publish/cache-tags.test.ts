import { describe, expect, it } from '@jest/globals'
import { cacheTagOf, keysForTags } from '../../../../src/cache/key-tags.ts'
import type { Docker } from '../../../../src/docker/docker.ts'
import type { ExecResult } from '../../../../src/lib/exec.ts'
import { CacheSources, type Caches } from '../../../../src/pipeline/cache-sources.ts'
import { mayWriteCacheTags, whichMoved, writeCacheTags } from '../../../../src/pipeline/publish/cache-tags.ts'
import { testedTags, writeTestedTags } from '../../../../src/pipeline/publish/tested-tags.ts'
import type { RegistryFailure } from '../../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../../src/registry/image.ts'
import type { Build, TestStatus } from '../../../../src/result/result.ts'
import { image as identity, keysOf } from '../../../support/content-keys.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../../support/fake-registry.ts'
import { makePlan } from '../../../support/make-plan.ts'
import { makeRun } from '../../../support/make-run.ts'
import { makeBuild } from '../../../support/results.ts'

const TEXT = 'FROM alpine AS builder\nRUN make\nCOPY --from=alpine /a /a\nFROM alpine\nCOPY --from=builder /a /a\n'
const IMAGE_ID = `sha256:${'a'.repeat(64)}`
const PUSHED = `sha256:${'d'.repeat(64)}`
const BUILDER = 'octo/app:builder-0123456'
const PRODUCTION = 'octo/app:0123456'

/** What an engine pushes of both images: four layers with cache metadata. */
function pushedImage(more: Partial<ImageRecord> = {}): ImageRecord {
  return imageOf(PUSHED, { ids: [PUSHED, IMAGE_ID], layers: ['base', 'a', 'b'], recorded: [0, 1, 2], ...more })
}

interface World {
  /** The Dockerfile; by default TEXT. */
  text?: string
  inputs?: Record<string, string>
  decision?: { push: boolean; publish: boolean }
  /** Cache tags that exist, by their place among those of the builder, the longest first. */
  existing?: number[]
  pushed?: ImageRecord
  /** ID of the builder image in the engine, by its name; by default it is unknown. */
  named?: string
  /** How `docker push` goes. */
  push?: Partial<ExecResult>
  fail?: (request: string) => RegistryFailure | undefined
  /** Cancels the run at the request that sets this tag, by its place among those of the builder. */
  cancelAt?: number
  builds?: Build[]
  tests?: TestStatus[]
}

const BUILDS = [
  makeBuild({ imageId: IMAGE_ID }),
  makeBuild({ kind: 'production', stage: 'stage-1', image: PRODUCTION, imageId: IMAGE_ID })
]

async function play(world: World = {}, digests = new Map<string, string>()) {
  const { decision = { push: true, publish: false }, existing = [], pushed = pushedImage() } = world
  const { text = TEXT, inputs = {} } = world
  const made = makePlan({ text, inputs: { tests: 'a', ...inputs } })
  const plan = { ...made, decision: { ...decision, reason: '' } }
  const keys = await keysOf(text, { images: new Map([['alpine', identity('alpine')]]) })
  const contents = new Contents()
  const tagsOf = (index: number): string[] => {
    const build = plan.builds[index]
    return build ? keysForTags(build, keys).map((key) => cacheTagOf('octo/app', key)) : []
  }
  for (const place of existing) contents.put(tagsOf(0)[place] ?? '', pushedImage())
  for (const digest of digests.values()) if (digest !== '') contents.put(`octo/app@${digest}`, { ...pushed, digest })
  const calls: string[] = []
  const docker: Docker = {
    call: async (args) => {
      calls.push(args.join(' '))
      if (args[0] === 'push') contents.put(args.at(-1) ?? '', pushed)
      const named = args.at(-1) === BUILDER && world.named !== undefined ? JSON.stringify([{ Id: world.named }]) : ''
      const stdout = args[0] === 'push' ? `x: digest: ${PUSHED} size: 1\n` : named
      return { exitCode: 0, stdout, stderr: '', ...(args[0] === 'push' && world.push) }
    }
  }
  const cancellation = new AbortController()
  const { signal } = cancellation
  const registry = new FakeRegistry(contents, {
    turn: (what) => {
      if (what.startsWith('put')) calls.push(what)
      if (what === `put ${tagsOf(0)[world.cancelAt ?? -1]}`) cancellation.abort()
    },
    signal,
    ...(world.fail && { fail: world.fail })
  })
  const run = makeRun({ plan, docker, registry, signal })
  const caches: Caches = { keys, digests: new Map([['alpine', 'sha256:1']]), sources: new CacheSources(run, keys) }
  for (const build of plan.builds) await caches.sources.of(build)
  const builds = world.builds ?? BUILDS
  const added = await writeCacheTags(run, builds, caches, digests)
  const tests = (world.tests ?? ['passed']).map((status) => ({ command: 'a', status, exitCode: 0, seconds: 0 }))
  const tags = testedTags(plan, keys)
  const tested = async (): Promise<string[]> => writeTestedTags(run, { builds, tests, digests }, tags, caches)
  return { added, calls, tagsOf, tested, tags, caches, digests }
}

describe('writeCacheTags', () => {
  it('pushes each image under the tag of its longest key, and adds the others without a transfer', async () => {
    const { added, calls, tagsOf, digests } = await play()
    const [builder, production] = [tagsOf(0), tagsOf(1)]
    expect(builder).toHaveLength(2)
    expect(production).toHaveLength(1)
    expect(added).toEqual([...production, ...builder])
    expect(calls).toEqual([
      `image inspect ${PRODUCTION}`,
      `tag ${PRODUCTION} ${production[0]}`,
      `push ${production[0]}`,
      `image rm ${production[0]}`,
      `image inspect ${BUILDER}`,
      `tag ${BUILDER} ${builder[0]}`,
      `push ${builder[0]}`,
      `image rm ${builder[0]}`,
      `put ${builder[1]}`
    ])
    expect(digests).toEqual(new Map([PRODUCTION, BUILDER].map((reference) => [reference, PUSHED])))
  })

  it('pushes nothing of an image that is pushed under another tag', async () => {
    const digests = new Map([
      [BUILDER, PUSHED],
      [PRODUCTION, PUSHED]
    ])
    const { added, calls, tagsOf } = await play({ decision: { push: true, publish: true } }, digests)
    expect(added).toEqual([...tagsOf(1), ...tagsOf(0)])
    expect(calls).toEqual([...tagsOf(1), ...tagsOf(0)].map((tag) => `put ${tag}`))
  })

  it('leaves tags alone that exist', async () => {
    const digests = new Map([[PRODUCTION, PUSHED]])
    const { added, calls, tagsOf } = await play({ existing: [0, 1] }, digests)
    expect(added).toEqual(tagsOf(1))
    expect(calls.filter((call) => tagsOf(0).some((tag) => call.includes(tag)))).toEqual([])
  })

  it.each<[string, Record<string, string>, number]>([
    ['no-cache', { 'no-cache': 'true' }, 2],
    ['the stage in no-cache-filters', { 'no-cache-filters': 'builder' }, 2]
  ])('replaces tags that exist with %s: they name older layers', async (_, inputs, count) => {
    const { added, tagsOf, tested, tags } = await play({ existing: [0, 1], inputs }, new Map([[PRODUCTION, PUSHED]]))
    expect(added.filter((tag) => tagsOf(0).includes(tag))).toHaveLength(count)
    expect(added).toEqual(expect.arrayContaining(tagsOf(1)))
    expect(await tested()).toEqual([tags.builder, tags.production])
    expect(await tested()).toEqual([tags.builder, tags.production])
  })

  it('adds the tags of shorter keys to the image of the longest, if that exists', async () => {
    const { added, calls, tagsOf } = await play({ existing: [0] }, new Map([[PRODUCTION, PUSHED]]))
    expect(added).toEqual([...tagsOf(1), tagsOf(0)[1]])
    expect(calls.at(-1)).toBe(`put ${tagsOf(0)[1]}`)
  })

  it.each<[string, World]>([
    ['cache-tags: none', { inputs: { 'cache-tags': 'none' }, decision: { push: true, publish: true } }],
    ['cache-tags: publish-branch on another branch', { inputs: { 'cache-tags': 'publish-branch' } }],
    ['a run that may push nothing', { decision: { push: false, publish: false } }]
  ])('writes nothing with %s', async (_, world) => {
    const { added, calls, tested } = await play(world, new Map([[PRODUCTION, PUSHED]]))
    expect(added).toEqual([])
    expect(await tested()).toEqual([])
    expect(calls).toEqual([])
  })

  it('writes on the publishing branch with cache-tags: publish-branch', async () => {
    const inputs = { 'cache-tags': 'publish-branch' }
    expect((await play({ inputs, decision: { push: true, publish: true } })).added).toHaveLength(3)
    expect(mayWriteCacheTags(makePlan({ inputs }))).toBe(true)
  })

  it('writes nothing for a build that failed', async () => {
    const [builder, production] = BUILDS as [Build, Build]
    const { added, tagsOf } = await play({ builds: [builder, { ...production, failure: 'no', imageId: '' }] })
    expect(added).toEqual(tagsOf(0))
  })

  it('pushes nothing of an image whose name another one has taken', async () => {
    const { added, calls, tagsOf } = await play({ named: `sha256:${'e'.repeat(64)}` })
    expect(added).toEqual(tagsOf(1))
    expect(calls.filter((call) => tagsOf(0).some((tag) => call.includes(tag)))).toEqual([])
    expect((await play({ named: IMAGE_ID })).added).toHaveLength(3)
  })

  it('adds no further tag to an image that cannot serve as a cache, or that is another one', async () => {
    const { recorded: _, ...bare } = pushedImage()
    expect((await play({ pushed: bare })).calls.filter((call) => call.startsWith('put'))).toEqual([])
    const other = pushedImage({ ids: [PUSHED, `sha256:${'e'.repeat(64)}`] })
    expect((await play({ pushed: other })).calls.filter((call) => call.startsWith('put'))).toEqual([])
  })

  it('reports the tags that it has added before a cancellation', async () => {
    const { added, tagsOf, tested } = await play({ cancelAt: 1 })
    expect(added).toEqual([...tagsOf(1), tagsOf(0)[0]])
    expect(await tested()).toEqual([])
  })

  it('leaves a tag alone that cannot be read now: it may exist', async () => {
    const { added, calls } = await play({
      fail: (request) => (request.startsWith('head') ? failureOf('unreachable') : undefined)
    })
    expect(added).toEqual([])
    expect(calls.filter((call) => /^(push|put)/.test(call))).toEqual([])
  })

  it('is no failure if a push or a tag fails', async () => {
    const refused = await play({ push: { exitCode: 1, stderr: 'denied: no\n' } })
    expect(refused.added).toEqual([])
    const half = await play({ fail: (request) => (request.startsWith('put') ? failureOf('refused') : undefined) })
    expect(half.added).toEqual([half.tagsOf(1)[0], half.tagsOf(0)[0]])
  })
})

describe('writeTestedTags', () => {
  it('tags both images of a run in which everything passed, once', async () => {
    const { tested, tags, calls } = await play()
    expect(await tested()).toEqual([tags.builder, tags.production])
    expect(await tested()).toEqual([])
    expect(calls.slice(-2)).toEqual([`put ${tags.builder}`, `put ${tags.production}`])
  })

  it('gives the image of a stage that is tested and published both tags: with checks, later runs skip only the tests', async () => {
    const [, production] = BUILDS
    const world = { text: 'FROM alpine AS builder\nRUN make\n', builds: production ? [production] : [] }
    const { tested, tags, calls } = await play(world, new Map([[PRODUCTION, PUSHED]]))
    expect(new Set([tags.builder, tags.production, undefined]).size).toBe(3)
    expect(await tested()).toEqual([tags.builder, tags.production])
    expect(calls.slice(-2)).toEqual([`put ${tags.builder}`, `put ${tags.production}`])
  })

  it.each<[string, TestStatus[]]>([
    ['failed', ['failed']],
    ['timed out', ['timed-out']],
    ['did not run', []]
  ])('tags nothing if a test %s', async (_, tests) => {
    expect(await (await play({ tests })).tested()).toEqual([])
  })

  it('leaves a tag alone that exists', async () => {
    const { tested } = await play()
    expect(await tested()).toHaveLength(2)
    expect(await tested()).toEqual([])
  })

  it('tags with cache-tags: none, if tests are to be skipped', async () => {
    const inputs = { 'cache-tags': 'none', 'skip-unchanged-tests': 'true' }
    const { tested, tags } = await play({ inputs }, new Map([[PRODUCTION, PUSHED]]))
    expect(await tested()).toEqual([tags.production])
  })
})

it('whichMoved finds a base image that moved after the keys were read', async () => {
  const { caches } = await play()
  const based = (digest: string): Build[] => [
    makeBuild({ bases: [{ reference: 'docker.io/library/alpine:latest', digest }] })
  ]
  expect(whichMoved(based('sha256:1'), caches)).toBeUndefined()
  expect(whichMoved(based('sha256:2'), caches)).toBe('docker.io/library/alpine:latest')
})
