import { describe, expect, it } from '@jest/globals'
import { missingRecords, ownHistoryStart, whyNoCache } from '../../../src/cache/cached-layers.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import { type ImageRecord, parseConfig } from '../../../src/registry/image.ts'
import { builderBuild } from '../../support/make-plan.ts'

/** The build of a stage of these instructions. */
function build(...lines: string[]): StageBuild {
  return builderBuild(['FROM base AS builder', ...lines].join('\n'))
}

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

/** A config as BuildKit writes it: one layer of the base image, then the history's own. */
function config(history: string[], records: unknown[] | undefined, empty: string[] = []): object {
  const entries = history.map((created_by) => ({
    created_by,
    ...(empty.includes(created_by) && { empty_layer: true })
  }))
  const layers = entries.filter(({ empty_layer }) => !empty_layer).length
  return {
    config: { Labels: { team: 'a', number: 1 } },
    history: [{ created_by: 'base' }, ...entries],
    rootfs: { diff_ids: Array.from({ length: layers + 1 }, (_, index) => digest(String(index))) },
    ...(records && { 'moby.buildkit.cache.v0': Buffer.from(JSON.stringify(records)).toString('base64') })
  }
}

const HISTORY = ['WORKDIR /app', 'ENV A=1', 'COPY a a # buildkit', 'RUN |1 B=2 /bin/sh -c make # buildkit']
const LINES = ['WORKDIR /app', 'ENV A=1', 'COPY a a', 'RUN make']
const records = (...layers: number[]): unknown[] => [
  { digest: 'x' },
  ...layers.map((layer) => ({ digest: 'y', layers: [{ layer, createdAt: 'now' }] }))
]

describe('whyNoCache', () => {
  it.each<[string, object, StageBuild, string | undefined]>([
    ['a record of every layer', config(HISTORY, records(3, 1, 2), ['ENV A=1']), build(...LINES), undefined],
    [
      'what an engine that forgets cached layers leaves',
      config(HISTORY, records(3), ['ENV A=1']),
      build(...LINES),
      'its cache metadata has no record of 2 of 3 layers'
    ],
    ['no metadata', config(HISTORY, undefined, ['ENV A=1']), build(...LINES), 'it has no cache metadata'],
    [
      'metadata that is no list',
      { ...config(HISTORY, undefined, ['ENV A=1']), 'moby.buildkit.cache.v0': 'e30=' },
      build(...LINES),
      'its cache metadata has no record of 3 of 3 layers'
    ],
    [
      'a record whose layers are not the lowest ones (COPY --link)',
      config(HISTORY, [{ digest: 'x', chains: [{ layers: [1, 3], createdAt: 'now' }] }, ...records(1, 2)], ['ENV A=1']),
      build(...LINES),
      undefined
    ],
    ['only steps without a layer', config(['CMD ["sh"]'], [], ['CMD ["sh"]']), build('CMD ["sh"]'), undefined],
    [
      'ONBUILD, of which BuildKit keeps no history',
      config(HISTORY, records(1, 2, 3), ['ENV A=1']),
      build(...LINES, 'ONBUILD RUN x'),
      undefined
    ],
    [
      'a history that is not the one of the stage',
      config(HISTORY, records(3), ['ENV A=1']),
      build('COPY a a'),
      undefined
    ],
    ['that, and no record', config(HISTORY, [], ['ENV A=1']), build('COPY a a'), 'its cache metadata names no layer']
  ])('%s', (_, json, stage, expected) => {
    expect(whyNoCache(parseConfig(json), stage)).toBe(expected)
  })
})

describe('missingRecords', () => {
  const stage = build(...LINES)
  const image = (recorded: unknown[] | undefined): ImageRecord => parseConfig(config(HISTORY, recorded, ['ENV A=1']))

  it.each<[string, ImageRecord | undefined, StageBuild, number]>([
    ['a record of every layer', image(records(1, 2, 3)), stage, 0],
    ['a record of one layer', image(records(3)), stage, 2],
    ['no image', undefined, stage, Number.POSITIVE_INFINITY],
    ['no metadata', image(undefined), stage, Number.POSITIVE_INFINITY],
    ['a history that is not the one of the stage', image(records(3)), build('COPY a a'), 0],
    ['that, and no record', image([]), build('COPY a a'), Number.POSITIVE_INFINITY]
  ])('%s', (_, read, of, expected) => {
    expect(missingRecords(read, of)).toBe(expected)
  })
})

describe('An image of which it is not known whether it has cache metadata', () => {
  const image: ImageRecord = { ...parseConfig(config(HISTORY, undefined, ['ENV A=1'])), recorded: 'unknown' }

  it.each([
    ['of the stage', build(...LINES)],
    ['with another history', build('COPY a a')]
  ])('%s counts as a cache that lacks nothing', (_, stage) => {
    expect(whyNoCache(image, stage)).toBeUndefined()
    expect(missingRecords(image, stage)).toBe(0)
  })
})

describe('ownHistoryStart', () => {
  it.each<[string, string[], 'inline' | 'legacy', number | undefined]>([
    ['of BuildKit', ['base', ...HISTORY], 'inline', 1],
    [
      'of the legacy builder',
      [
        'base',
        '/bin/sh -c #(nop) WORKDIR /app',
        '/bin/sh -c #(nop)  ENV A=1',
        '/bin/sh -c #(nop) COPY file:ab in a',
        'make'
      ],
      'legacy',
      1
    ],
    ['of another image', ['base', 'RUN x'], 'inline', undefined],
    ['of one with more on top', ['base', ...HISTORY, 'LABEL a=b'], 'inline', undefined]
  ])('%s', (_, history, strategy, expected) => {
    const image: Pick<ImageRecord, 'history'> = { history: history.map((createdBy) => ({ createdBy })) }
    const stage = builderBuild(['FROM base AS builder', ...LINES].join('\n'), strategy)
    expect(ownHistoryStart(image, stage)).toBe(expected)
  })
})

describe('a folder that is the first layer on scratch', () => {
  const history = ['WORKDIR /app', 'COPY a a # buildkit'].map((createdBy) => ({ createdBy, empty: false }))
  const image: ImageRecord = { labels: {}, runtime: '[]', layers: ['0', '1'], history, recorded: [1] }

  it('needs no record: BuildKit makes it each time', () => {
    expect(whyNoCache(image, build('WORKDIR /app', 'COPY a a'))).toBeUndefined()
    expect(missingRecords(image, build('WORKDIR /app', 'COPY a a'))).toBe(0)
  })

  it('needs one on a base image', () => {
    const based = { ...image, layers: ['base', '0', '1'], history: [{ createdBy: 'base', empty: false }, ...history] }
    expect(missingRecords({ ...based, recorded: [2] }, build('WORKDIR /app', 'COPY a a'))).toBe(1)
  })
})
