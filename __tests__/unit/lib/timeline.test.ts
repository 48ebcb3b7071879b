import { describe, expect, it } from '@jest/globals'
import { Timeline } from '../../../src/lib/timeline.ts'

describe('Timeline', () => {
  it('notes what ran beside what, in the order of the beginnings, also what failed', async () => {
    const timeline = new Timeline()
    let endFirst = (): void => {}
    const first = timeline.measure('build', 'first', () => new Promise<void>((resolve) => (endFirst = resolve)))
    await expect(timeline.measure('test', 'second', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    endFirst()
    await first
    const [one, other] = timeline.spans()
    expect([one?.name, other?.name]).toEqual(['first', 'second'])
    const end = (span: typeof one): number => (span?.start ?? 0) + (span?.seconds ?? 0)
    expect(end(one) + 0.002).toBeGreaterThanOrEqual(end(other))
  })

  it('stays small', async () => {
    const timeline = new Timeline()
    for (let count = 0; count < 1_100; count++) await timeline.measure('run', 'x', () => Promise.resolve())
    expect(timeline.spans()).toHaveLength(1_000)
  })
})
