import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { commandsIn, errorsIn, FakeEngine, IMAGE, type JobOptions, type Ran } from '../support/fake-engine.ts'

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
  const stages = 'FROM alpine AS builder\nRUN make\nFROM alpine AS release\nCOPY --from=builder a a\nRUN bundle\n'
  writeFileSync(join(engine.workspace, 'three'), `${stages}FROM alpine\nCOPY --from=release a a\nRUN make\n`)
})
afterAll(() => engine.remove())

/** The image that something else has made and published. */
const THEIRS = JSON.stringify({ config: {}, history: [], rootfs: { diff_ids: [] } })

/** Runs the action where these tags have images already; returns also which of the tags name another image then. */
async function runWith(
  tags: Record<string, string>,
  options: JobOptions
): Promise<{ ran: Ran; taken: string[]; tagsNow: string[] }> {
  const started = await engine.start(options)
  const before = Object.entries(tags).map(([tag, config]) => {
    return [tag, engine.hub.registry.addImage(IMAGE, tag, { config }).digest] as const
  })
  const ran = await started.end()
  const digest = (tag: string): string | undefined => engine.hub.registry.digestOf(IMAGE, tag)
  const names = ['builder', 'builder-stage-release', 'latest', 'release', 'builder-next', 'builder-next-stage-release']
  return {
    ran,
    taken: before.filter(([tag, old]) => digest(tag) !== old).map(([tag]) => tag),
    tagsNow: names.filter((tag) => digest(tag) !== undefined)
  }
}

function warningsOf({ log }: Ran): string[] {
  return commandsIn(log)
    .filter((line) => line.startsWith('::warning'))
    .map((line) => line.replace(/^::warning.*?::/, ''))
}

describe('A stage that has the name of a tag which people deploy', () => {
  it('leaves that tag as it is, and gets one of its own', async () => {
    const { ran, taken, tagsNow } = await runWith({ release: THEIRS }, { inputs: { file: 'three' } })
    expect([ran.exitCode, taken, warningsOf(ran)]).toEqual([0, [], []])
    expect(tagsNow).toEqual([
      'builder',
      'builder-stage-release',
      'latest',
      'release',
      'builder-next',
      'builder-next-stage-release'
    ])
    expect(String(ran.outputs.tags).split('\n')).toContain(`${IMAGE}:builder-stage-release`)
  })

  it('does not withhold it from a run that asks for it', async () => {
    const event = { ...engine.push('x'), ref: 'refs/tags/v1.0.0' }
    const inputs = { file: 'three', tags: 'v1.0.0\nrelease' }
    const { ran } = await runWith({}, { inputs, event })
    const short = engine.sha.slice(0, 7)
    expect(ran.outputs.tags).toBe([short, 'v1.0.0', 'release'].map((tag) => `${IMAGE}:${tag}`).join('\n'))
    expect(ran.log).not.toContain('Skipping')
    expect(engine.hub.registry.digestOf(IMAGE, 'release')).toBe(engine.hub.registry.digestOf(IMAGE, short))
  })
})

describe('A tag of the action that names an image of something else', () => {
  const labelled = (variant: string): string =>
    JSON.stringify({
      config: { Labels: { 'shared-docker-layers.branch': '', 'shared-docker-layers.variant': variant } },
      ...{ history: [], rootfs: { diff_ids: [] } }
    })

  it.each<[string, string, string, string]>([
    ['builder-next', THEIRS, 'builder', 'an image that this action did not make'],
    ['builder-next', labelled('abc'), 'builder', 'a production image'],
    ['builder', labelled('abc'), 'builder', 'a production image'],
    ['builder-stage-release', THEIRS, 'builder-stage-release', 'an image that this action did not make'],
    ['builder-next-stage-release', THEIRS, 'builder-stage-release', 'an image that this action did not make']
  ])('stays: %s', async (tag, config, moving, what) => {
    const { ran, taken, tagsNow } = await runWith({ [tag]: config }, { inputs: { file: 'three' } })
    expect([ran.exitCode, taken]).toEqual([0, []])
    expect(warningsOf(ran)).toEqual([
      `${IMAGE}:${moving} is not updated: ${IMAGE}:${tag} names ${what}; delete that tag, or set the input builder-tag`
    ])
    expect(String(ran.outputs.tags).split('\n')).not.toContain(`${IMAGE}:${moving}`)
    expect(tagsNow).toContain('latest')
  })

  it.each([
    ['of the action', 'builder-next', labelled('')],
    ['of the action', 'builder-stage-release', labelled('')],
    // of a script that did the same before
    ['without labels', 'builder', THEIRS]
  ])('moves if it is %s: %s', async (_, tag, config) => {
    const { ran, taken } = await runWith({ [tag]: config }, { inputs: { file: 'three' } })
    expect([ran.exitCode, taken, warningsOf(ran)]).toEqual([0, [tag], []])
  })
})

describe('Two names for one thing', () => {
  it.each<[string, Record<string, string>]>([
    ['Input tags has octo/app:builder-next', { tags: 'v1\nbuilder-next' }],
    ['Input tags has octo/app:latest-cache', { tags: 'latest-cache' }],
    ['Input tags has octo/app:builder', { tags: 'builder' }],
    ['Inputs builder-tag and latest-tag are', { 'latest-tag': 'builder-next' }]
  ])('are refused before docker is called: %s', async (sentence, inputs) => {
    const { log, calls } = await engine.run({ inputs, event: engine.push('feature') })
    expect(errorsIn(log)).toEqual([expect.stringContaining(sentence)])
    expect(calls).toEqual([])
  })
})
