import { describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { BUILT_ON_LABEL, hashOfImages, hasMoved, hasOlderResults } from '../../../src/pipeline/older-results.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import type { RegistryFailure } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { image as identity, keysOf, labelsWithKeys } from '../../support/content-keys.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'

const COPY = 'FROM alpine AS builder\nRUN make\nFROM alpine\nCOPY --from=builder /a /a\n'
const FROM = 'FROM alpine AS builder\nRUN make\nFROM builder\nRUN b\n'
const NUMBER = COPY.replace('--from=builder', '--from=0')
const UNKNOWN = COPY.replace('RUN make', 'ADD https://example.com/a /a')

interface Source {
  /** The Dockerfile of the image in the cache source, and the hash of the images on which it was built. */
  before?: string
  builtOn?: string
  labels?: Record<string, string>
}

/** @param now the hash of the images on which the build builds */
async function ask(text: string, now: string | undefined, source: Source = {}): Promise<boolean> {
  const world = { images: new Map([['alpine', identity('alpine')]]) }
  const plan = makePlan({ text })
  const production = plan.builds.at(-1) as StageBuild
  const recorded = labelsWithKeys(production, await keysOf(source.before ?? text, world))
  const labels = { ...recorded, [BUILT_ON_LABEL]: source.builtOn ?? 'old' }
  const contents = new Contents()
  contents.put('octo/app:latest', imageOf(`sha256:${'1'.repeat(64)}`, { labels: source.labels ?? labels }))
  const run = makeRun({ plan, registry: new FakeRegistry(contents) })
  return hasOlderResults(run, production, 'octo/app:latest', now, await keysOf(text, world))
}

describe('hasOlderResults', () => {
  it.each([COPY, FROM, NUMBER])('is true for %j if the same was built on another image', async (text) => {
    expect(await ask(text, 'new')).toBe(true)
  })

  it.each([COPY, FROM, UNKNOWN])('is false for %j if it was built on the same image', async (text) => {
    expect(await ask(text, 'old')).toBe(false)
  })

  it.each([COPY, FROM])('is false for %j if the builder stage has changed since', async (text) => {
    expect(await ask(text, 'new', { before: text.replace('RUN make', 'RUN make all') })).toBe(false)
  })

  it.each<[string, string, string | undefined, Source]>([
    ['it is unknown what the builder stage reads', UNKNOWN, 'new', {}],
    ['the image has no labels', COPY, 'new', { labels: {} }],
    ['the engine does not have the images', COPY, undefined, {}]
  ])('is true if %s', async (_, text, now, source) => {
    expect(await ask(text, now, source)).toBe(true)
  })

  it('is false for a build on no image, and for a cache source that does not exist', async () => {
    expect(await ask(COPY, '')).toBe(false)
    const plan = makePlan({ text: COPY })
    const production = plan.builds.at(-1) as StageBuild
    expect(await hasOlderResults(makeRun({ plan }), production, 'octo/app:none', 'new', new Map())).toBe(false)
  })

  it('is true for a cache source that only the action cannot read', async () => {
    const plan = makePlan({ text: COPY })
    const registry = new FakeRegistry(new Contents(), { fail: () => failureOf('unreachable') })
    const production = plan.builds.at(-1) as StageBuild
    expect(await hasOlderResults(makeRun({ plan, registry }), production, 'octo/app:none', 'new', new Map())).toBe(true)
  })
})

describe('hasMoved', () => {
  const LATEST = 'octo/app:latest'
  const image = (digit: string) => imageOf(`sha256:${digit.repeat(64)}`)
  const cached = { steps: [{ stage: 'a', instruction: 'RUN a', cached: true, seconds: 0 }] }
  const executed = { steps: [{ stage: 'a', instruction: 'RUN a', cached: false, seconds: 0 }] }

  /** @param after what the tag names when the build has ended; a failure of the request, if it is one */
  async function moved(
    before: ImageRecord | undefined,
    after: ImageRecord | RegistryFailure | undefined,
    build: Parameters<typeof hasMoved>[2] = cached
  ): Promise<boolean> {
    const contents = new Contents()
    let failure: RegistryFailure | undefined
    const run = makeRun({ registry: new FakeRegistry(contents, { fail: () => failure }) })
    if (before) contents.put(LATEST, before)
    await run.registry.published(LATEST)
    if (after && 'kind' in after) failure = after
    else if (after) contents.put(LATEST, after)
    return hasMoved(run, LATEST, build)
  }

  it('is true if another image was there when the build may have read it', async () => {
    expect(await moved(image('1'), image('2'))).toBe(true)
    expect(await moved(undefined, image('2'))).toBe(true)
  })

  it('is false if it is the same, or if the build took nothing from it', async () => {
    expect(await moved(image('1'), image('1'))).toBe(false)
    expect(await moved(undefined, undefined)).toBe(false)
    expect(await moved(image('1'), image('2'), executed)).toBe(false)
    expect(await moved(image('1'), image('2'), { ...cached, failure: 'no' })).toBe(false)
  })

  it('is true if nobody can tell, unless only the docker client has access', async () => {
    expect(await moved(image('1'), failureOf('unreachable'))).toBe(true)
    expect(await moved(image('1'), { ...failureOf('unreachable'), clientMaySucceed: true })).toBe(false)
  })
})

describe('hashOfImages', () => {
  const docker = (stdout: string, exitCode = 0): Docker => ({
    call: async () => ({ exitCode, stdout, stderr: exitCode === 0 ? '' : 'no such image' })
  })
  const { signal } = new AbortController()
  const stage = makePlan({ text: COPY }).builds.at(-1) as StageBuild

  it('tells layers apart', async () => {
    const [one, other] = await Promise.all(
      ['["a","b"]\n', '["a","c"]\n'].map((layers) => hashOfImages({ docker: docker(layers), signal }, stage))
    )
    expect(one).toMatch(/^[0-9a-f]{16}$/)
    expect(other).not.toBe(one)
  })

  it('is unknown without the images, and empty for a build on none', async () => {
    expect(await hashOfImages({ docker: docker('', 1), signal }, stage)).toBeUndefined()
    expect(await hashOfImages({ docker: docker('', 1), signal }, { images: [] })).toBe('')
  })
})
