import { describe, expect, it } from '@jest/globals'
import type { CacheStagesInput } from '../../../src/action/inputs.ts'
import { findStage, type Stage } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { findCacheStages } from '../../../src/plan/cache-stages.ts'

function find(text: string, choice: CacheStagesInput = 'auto'): string[] {
  const dockerfile = parseDockerfile(text)
  const builder = findStage(dockerfile, 'builder') as Stage
  const target = dockerfile.stages.at(-1) as Stage
  return findCacheStages(dockerfile, builder, target, choice).map(
    ({ stage, containedIn }) => `${stage.name ?? stage.index}${containedIn === undefined ? '' : ` in ${containedIn}`}`
  )
}

const THREE = `FROM a AS prod-deps
RUN deps
FROM a AS builder
RUN build
FROM a AS tools
FROM a
COPY --from=builder /x /x
COPY --from=prod-deps /y /y
`

describe('findCacheStages', () => {
  it.each<[string, string, CacheStagesInput, string[]]>([
    ['two stages', 'FROM a AS builder\nFROM a\nCOPY --from=builder x x\n', 'auto', []],
    ['a third that production copies from', THREE, 'auto', ['prod-deps']],
    ['none', THREE, 'none', []],
    ['by name, in any case', THREE, ['Prod-Deps'], ['prod-deps']],
    [
      'one that the builder copies from',
      'FROM a AS assets\nFROM a AS builder\nCOPY --from=assets x x\nFROM a\nCOPY --from=builder x x\n',
      'auto',
      ['assets']
    ],
    [
      'one that the builder is built on: its layers are in the builder image',
      'FROM a AS deps\nFROM deps AS builder\nFROM a\nCOPY --from=deps x x\nCOPY --from=builder x x\n',
      'auto',
      ['deps in builder']
    ],
    [
      'that one, unless it is copied from',
      'FROM a AS deps\nFROM deps AS builder\nFROM a\nCOPY --from=builder x x\n',
      'auto',
      []
    ],
    [
      'that one, published all the same if it is named',
      'FROM a AS deps\nFROM deps AS builder\nFROM a\nCOPY --from=builder x x\n',
      ['deps'],
      ['deps']
    ],
    [
      'that one, also if nothing is to be published: it is in an image anyway',
      'FROM a AS deps\nFROM deps AS builder\nFROM a\nCOPY --from=deps x x\nCOPY --from=builder x x\n',
      'none',
      ['deps in builder']
    ],
    [
      'one that production is built on, and the builder copies from',
      'FROM a AS runtime\nFROM a AS builder\nCOPY --from=runtime x x\nFROM runtime\nCOPY --from=builder x x\n',
      'auto',
      ['runtime in production']
    ],
    [
      'the base of another: its layers are in that one',
      'FROM a AS base\nFROM base AS assets\nFROM a AS builder\nFROM a\nCOPY --from=assets x x\nCOPY --from=builder x x\n',
      'auto',
      ['assets']
    ],
    [
      'one that itself copies from the builder, and one without a name',
      'FROM a AS builder\nFROM a\nCOPY --from=builder x x\nFROM a\nCOPY --from=builder x x\nCOPY --from=1 x x\n',
      'auto',
      ['1']
    ],
    [
      'RUN --mount=from is copying, too',
      'FROM a AS assets\nFROM a AS builder\nRUN --mount=from=assets,target=/x make\nFROM a\nCOPY --from=builder x x\n',
      'auto',
      ['assets']
    ],
    [
      'production built on the builder',
      'FROM a AS assets\nFROM a AS builder\nFROM builder\nCOPY --from=assets x x\n',
      'auto',
      ['assets']
    ]
  ])('%s', (_, text, choice, expected) => {
    expect(find(text, choice)).toEqual(expected)
  })

  it.each([
    [
      'deps',
      'Input cache-stages names "deps", but there is no such stage; the stages are: prod-deps, builder, tools, 3'
    ],
    ['builder', 'Input cache-stages names "builder", which is published anyway; remove that line'],
    [
      'tools',
      'Input cache-stages names "tools", which neither the builder nor the production stage needs; remove that line'
    ]
  ])('refuses %s', (name, message) => {
    expect(() => find(THREE, [name])).toThrow(message)
  })
})
