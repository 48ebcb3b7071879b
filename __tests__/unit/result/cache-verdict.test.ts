import { describe, expect, it } from '@jest/globals'
import { judgeCache, judgeMisses } from '../../../src/result/cache-verdict.ts'
import type { RunResult } from '../../../src/result/result.ts'
import { buildWith, MISS, NOTHING } from '../../support/results.ts'

describe('judgeCache', () => {
  it.each<[string, RunResult, object]>([
    ['no builds', NOTHING, { hit: 'none', cached: 0, total: 0, stages: [] }],
    [
      'no steps',
      { ...NOTHING, builder: buildWith('b'), production: buildWith('p') },
      { hit: 'none', cached: 0, total: 0 }
    ],
    ['nothing cached', { ...NOTHING, builder: buildWith('b', ['a', false]) }, { hit: 'none', cached: 0, total: 1 }],
    [
      'all of the builder, but none of production',
      { ...NOTHING, builder: buildWith('b', ['a', true]), production: buildWith('p', ['c', false]) },
      { hit: 'partial', cached: 1, total: 2 }
    ],
    [
      'all of both',
      { ...NOTHING, builder: buildWith('b', ['a', true]), production: buildWith('p', ['c', true]) },
      { hit: 'full', cached: 2, total: 2 }
    ],
    [
      'a step that two builds have counts once, as executed if one of them executed it',
      { ...NOTHING, builder: buildWith('b', ['a', true], ['b', false]), production: buildWith('p', ['a', false]) },
      {
        cached: 0,
        total: 2,
        stages: [
          { stage: 'a', cached: 0, total: 1 },
          { stage: 'b', cached: 0, total: 1 }
        ]
      }
    ],
    [
      'further stages',
      { ...NOTHING, builder: buildWith('b', ['a', true]), cacheStages: [buildWith('c', ['c', true])] },
      { hit: 'full', cached: 2, total: 2 }
    ]
  ])('%s', (_, result, expected) => {
    expect(judgeCache(result)).toMatchObject(expected)
  })
})

describe('judgeMisses', () => {
  const result: RunResult = {
    ...NOTHING,
    builder: { ...buildWith('b', ['builder', false]), misses: [{ ...MISS, unexpected: false }] },
    cacheStages: [{ ...buildWith('c', ['builder', false]), misses: [MISS] }]
  }

  it.each([
    ['none', true, { warnings: [], failures: [] }],
    ['warn', true, { warnings: [MISS], failures: [] }],
    ['fail', true, { warnings: [], failures: [MISS] }],
    // another branch may be cut from a commit that was never published
    ['fail', false, { warnings: [], failures: [] }]
  ] as const)('expect-cache %s, publishing: %s', (expected, publishes, judged) => {
    expect(judgeMisses(result, expected, publishes)).toEqual(judged)
  })
})
