import { describe, expect, it } from '@jest/globals'
import { nameOf } from '../../../src/dockerfile/stage-graph.ts'
import type { Step } from '../../../src/result/result.ts'
import {
  ownSteps,
  SeenSteps,
  type StagesBuiltBefore,
  stagesBuiltBefore
} from '../../../src/strategy/stages-built-before.ts'
import { makePlan } from '../../support/make-plan.ts'

/** What was built before the stages of a Dockerfile, by the names of these. */
function beforeIn(text: string): Record<string, StagesBuiltBefore> {
  const { dockerfile, builds } = makePlan({ text })
  return Object.fromEntries(builds.map((build) => [build.name, stagesBuiltBefore(dockerfile, build)]))
}

function namesIn({ images, before, own }: StagesBuiltBefore): Record<string, string[]> {
  return { images: [...images], before: before.map(nameOf), own: own.map(nameOf) }
}

/** A step from `builder 2 RUN make`; it was executed if there is an exclamation mark at the end. */
function step(text: string): Step {
  const [, stage = '', line = '', instruction = '', executed] = /^(\S+) (\d+) (.*?)(!?)$/.exec(text) ?? []
  return { stage, line: Number(line), instruction, cached: executed === '', seconds: 0 }
}

const COMMON = `FROM alpine AS common
RUN prepare
FROM common AS builder
RUN make
FROM common
COPY --from=builder a a
`

/** Builder and production begin with the same step. */
const ALIKE = `FROM alpine AS builder
WORKDIR /app
ENV A=b
RUN make
FROM alpine
WORKDIR /app
COPY --from=builder a a
RUN make
`

describe('stagesBuiltBefore', () => {
  it('is nothing for the first build', () => {
    expect(namesIn(beforeIn(COMMON).builder as StagesBuiltBefore)).toEqual({
      images: [],
      before: [],
      own: ['common', 'builder']
    })
  })

  it('has the builder stage and what that needs; what production needs as well is its own, too', () => {
    expect(namesIn(beforeIn(COMMON)['stage-2'] as StagesBuiltBefore)).toEqual({
      images: ['builder'],
      before: ['common', 'builder'],
      own: ['common', 'stage-2']
    })
  })

  it('has cache stages, and none that the build does not need', () => {
    const text = `FROM alpine AS assets
RUN draw
FROM alpine AS builder
RUN make
FROM alpine
COPY --from=assets a a
`
    expect(namesIn(beforeIn(text)['stage-2'] as StagesBuiltBefore)).toEqual({
      images: ['assets'],
      before: ['assets'],
      own: ['stage-2']
    })
  })

  it.each([
    ['a stage that knows which stage is built', 'FROM a AS builder\nARG TARGETSTAGE\nRUN make\nFROM builder\n', true],
    [
      'two stages of one name',
      'FROM a AS b\nFROM a AS builder\nRUN make\nFROM a AS b\nCOPY --from=builder a a\n',
      false
    ],
    ['two needed stages of one name', 'FROM a AS b\nFROM b AS builder\nRUN make\nFROM builder AS b\n', true],
    ['another argument', 'FROM a AS builder\nARG TARGETSTAGES\nRUN make\nFROM builder\n', false]
  ])('knows whether steps can be compared: %s', (_, text, expected) => {
    expect(Object.values(beforeIn(text)).at(-1)?.isIncomparable).toBe(expected)
  })
})

describe('SeenSteps', () => {
  /** What `add` finds in production's steps after the builder's. */
  function again(text: string, builder: string[], production: string[]): string | undefined {
    const before = beforeIn(text)
    const seen = new SeenSteps()
    expect(seen.add(builder.map(step), before.builder as StagesBuiltBefore)).toBeUndefined()
    const found = seen.add(production.map(step), Object.values(before).at(-1) as StagesBuiltBefore)
    return found && `${found.stage} ${found.line}`
  }

  const BUILDER = ['common 2 RUN prepare!', 'builder 4 RUN make!']

  it.each<[string, string[], string | undefined]>([
    ['finds nothing if all came from the cache', ['common 2 RUN prepare', 'builder 4 RUN make'], undefined],
    [
      'does not mind steps of the build itself',
      ['builder 4 RUN make', 'stage-2 6 COPY --from=builder a a!'],
      undefined
    ],
    ['finds a step of the builder stage', ['common 2 RUN prepare', 'builder 4 RUN make!'], 'builder 4'],
    ['finds a step of the builder stage that has another text now', ['builder 3 RUN other!'], 'builder 3'],
    ['finds a step of a stage below', ['common 2 RUN prepare!'], 'common 2']
  ])('%s', (_, production, expected) => {
    expect(again(COMMON, BUILDER, production)).toBe(expected)
  })

  it('does not mind a stage below that the engine skipped before', () => {
    expect(again(COMMON, ['builder 4 RUN make'], ['common 2 RUN prepare!', 'builder 4 RUN make'])).toBeUndefined()
  })

  it('finds a step of the builder stage under the name of a stage that shares it', () => {
    const builder = ['builder 2 WORKDIR /app!', 'builder 4 RUN make!']
    const hidden = ['stage-1 6 WORKDIR /app!', 'builder 4 RUN make', 'stage-1 7 COPY --from=builder a a!']
    expect(again(ALIKE, builder, hidden)).toBe('stage-1 6')
    // the builder stage has the same command, but on something else
    expect(again(ALIKE, builder, ['builder 2 WORKDIR /app', 'stage-1 8 RUN make!'])).toBeUndefined()
  })
})

describe('ownSteps', () => {
  function own(text: string, ...steps: string[]): string[] {
    const before = Object.values(beforeIn(text)).at(-1) as StagesBuiltBefore
    return ownSteps(steps.map(step), before).map(({ stage, line, cached }) => `${stage} ${line}${cached ? '' : '!'}`)
  }

  it('leaves out what other builds count', () => {
    expect(own(COMMON, 'common 2 RUN prepare', 'builder 4 RUN make', 'stage-2 6 COPY --from=builder a a!')).toEqual([
      'common 2',
      'stage-2 6!'
    ])
  })

  it('finds its own steps under the name of a stage that shares them', () => {
    const steps = ['builder 2 WORKDIR /app', 'builder 4 RUN make', 'stage-1 7 COPY --from=builder a a!']
    expect(own(ALIKE, ...steps)).toEqual(['stage-1 6', 'stage-1 7!'])
    expect(own(ALIKE, 'stage-1 6 WORKDIR /app', ...steps)).toEqual(['stage-1 6', 'stage-1 7!'])
  })

  it('keeps a step that no other build has executed', () => {
    expect(own(COMMON, 'builder 4 RUN make!')).toEqual(['builder 4!'])
  })
})
