import { describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { BUILT_ON_LABEL, hashOfImages, hasOlderResults } from '../../../src/pipeline/older-results.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
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
