import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { stagesNeededFor } from '../../../src/dockerfile/stage-graph.ts'
import { stageOf, text } from '../../support/dockerfiles.ts'

describe('stagesNeededFor', () => {
  const dockerfile = parseDockerfile(
    text(
      'FROM base AS deps', // 0
      'FROM deps AS builder', // 1
      'COPY --from=tools a b',
      'FROM busybox AS unused', // 2
      'FROM node AS assets', // 3
      'COPY --from=deps a b',
      'FROM alpine AS prod', // 4
      'COPY --from=builder a b',
      'COPY --from=assets a b',
      'FROM prod AS debug' // 5
    )
  )
  it.each([
    ['deps', undefined, [0]],
    ['builder', undefined, [0, 1]],
    ['unused', undefined, [2]],
    ['prod', undefined, [0, 1, 3, 4]],
    ['debug', undefined, [0, 1, 3, 4, 5]],
    ['prod', 'assets', [0, 1, 3, 4]],
    ['debug', 'prod', [4, 5]],
    ['builder', 'builder', [1]],
    ['builder', 'unused', [0, 1]]
  ])('%s without what %s needs', (target, stopAt, needed) => {
    const stop = stopAt === undefined ? undefined : stageOf(dockerfile, stopAt)
    const images = new Set(stop === undefined ? [] : [stop.index])
    expect(stagesNeededFor(dockerfile, stageOf(dockerfile, target), images)).toEqual(needed)
  })
})
