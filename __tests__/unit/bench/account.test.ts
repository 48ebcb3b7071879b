import { describe, expect, it } from '@jest/globals'
import { account, covered, estimateFourCores } from '../../../bench/account.ts'
import type { Span, SpanKind } from '../../../src/lib/timeline.ts'

function span(kind: SpanKind, name: string, start: number, end: number): Span {
  return { kind, name, start, seconds: end - start }
}

/** A docker client, and what the action measures with it. */
function client(kind: SpanKind, name: string, command: string, start: number, end: number): Span[] {
  return [span(kind, name, start, end), span('command', `docker ${command}`, start + 0.001, end)]
}

const RUN = [
  span('run', 'All', 0, 20),
  span('prepare', 'Prepare', 0, 2),
  span('command', 'docker info', 0.5, 1.5),
  span('wait', 'Wait for the cache source', 2, 3),
  span('look', 'Inspect octo/app:cache-0123456789abcdef', 2, 3),
  ...client('build', 'Build octo/app:builder-1a2b3c4', 'buildx build', 3, 9),
  ...client('fetch', 'Prefetch', 'buildx build', 3, 7),
  ...client('test', 'Test npm test', 'run', 9, 13),
  ...client('test', 'Test npm run lint', 'run', 9, 15),
  span('command', 'docker image inspect', 9, 10),
  ...client('build', 'Build octo/app:1a2b3c4', 'buildx build', 10, 12),
  ...client('publish', 'Push octo/app:1a2b3c4', 'push', 15, 18)
]

describe('account', () => {
  it('gives each part its time, the time it ran alone, and its docker clients', () => {
    const parts = account([RUN])
    expect(parts.map(({ name, ...numbers }) => [name, ...Object.values(numbers).map((n) => Math.round(n))])).toEqual([
      ['build the builder stage', 6, 2, 1],
      ['tests', 6, 3, 2],
      ['prefetch', 4, 0, 1],
      ['push', 3, 3, 1],
      ['Prepare', 2, 1, 0],
      ['build the production stage', 2, 0, 1],
      ['docker info', 1, 1, 1],
      ['inspect the registry', 1, 1, 0],
      ['docker image inspect', 1, 0, 1]
    ])
  })

  it('gives the mean of several runs', () => {
    const [push] = account([client('publish', 'Push a', 'push', 0, 4), client('publish', 'Push b', 'push', 0, 2)])
    expect(push).toEqual({ name: 'push', seconds: 3, alone: 3, clients: 1 })
    expect(account([client('publish', 'Push a', 'push', 0, 4), []])).toEqual([
      { name: 'push', seconds: 2, alone: 2, clients: 0.5 }
    ])
  })
})

describe('estimateFourCores', () => {
  it('saves the share of time for which more than two docker clients were running', () => {
    // from 9 to 10 three, from 10 to 12 three, so a third of three seconds
    expect(estimateFourCores(RUN, 20)).toBeCloseTo(19, 2)
    const five = Array.from({ length: 5 }, () => span('command', 'docker run', 0, 10))
    expect(estimateFourCores(five, 12)).toBe(7)
    expect(estimateFourCores(five.slice(0, 2), 12)).toBe(12)
  })
})

describe('covered', () => {
  it('counts overlaps once, and gaps not at all', () => {
    expect(covered([span('test', 'a', 0, 2), span('test', 'b', 1, 3), span('test', 'c', 5, 6)])).toBe(4)
    expect(covered([])).toBe(0)
  })
})
