import { expect, it } from '@jest/globals'
import { KEYS_LABEL, keysLabel } from '../../../src/cache/keys-label.ts'
import { hasOlderResults } from '../../../src/pipeline/older-results.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import { image as identity, keysOf } from '../../support/content-keys.ts'
import { Contents, FakeRegistry, imageOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'
import { makeBuild } from '../../support/results.ts'

const COPY = 'FROM alpine AS builder\nRUN make\nFROM alpine\nCOPY --from=builder /a /a\n'
const FROM = 'FROM alpine AS builder\nRUN make\nFROM builder\nRUN b\n'
const NUMBER = COPY.replace('--from=builder', '--from=0')

/** @param before the Dockerfile of the image in the cache source */
async function ask(text: string, { cached = false, before = text } = {}): Promise<boolean> {
  const world = { images: new Map([['alpine', identity('alpine')]]) }
  const plan = makePlan({ text })
  const production = plan.builds.at(-1) as StageBuild
  const label = keysLabel(production, await keysOf(before, world), '')
  const labels = { [KEYS_LABEL]: label.slice(label.indexOf('=') + 1) }
  const contents = new Contents()
  contents.put('octo/app:latest', imageOf(`sha256:${'1'.repeat(64)}`, { labels }))
  const run = makeRun({ plan, registry: new FakeRegistry(contents) })
  const step = { stage: 'builder', instruction: 'RUN make', line: 2, cached, seconds: 1 }
  return hasOlderResults(run, production, 'octo/app:latest', [makeBuild({ steps: [step] })], await keysOf(text, world))
}

it.each([COPY, FROM, NUMBER])(
  '%j has older results if the builder executed what the cache source has',
  async (text) => {
    expect(await ask(text)).toBe(true)
  }
)

it.each([COPY, FROM])('%j has none if the builder executed nothing', async (text) => {
  expect(await ask(text, { cached: true })).toBe(false)
})

it.each([COPY, FROM])('%j has none if the builder executed something else than before', async (text) => {
  expect(await ask(text, { before: text.replace('RUN make', 'RUN make all') })).toBe(false)
})

it('has none in a cache source that does not exist', async () => {
  const plan = makePlan({ text: COPY })
  const keys = await keysOf(COPY, { images: new Map([['alpine', identity('alpine')]]) })
  const step = { stage: 'builder', instruction: 'RUN make', line: 2, cached: false, seconds: 1 }
  const builds = [makeBuild({ steps: [step] })]
  const run = makeRun({ plan })
  expect(await hasOlderResults(run, plan.builds.at(-1) as StageBuild, 'octo/app:none', builds, keys)).toBe(false)
})
