import { afterEach } from '@jest/globals'
import { BOUNDS, type BoundName } from '../../src/lib/bounds.ts'

/** For the tests of the file that calls it: changes the milliseconds of bounds until the end of a test. */
export function shortBounds(): (times: Partial<Record<BoundName, number>>) => void {
  const usual = structuredClone(BOUNDS)
  afterEach(() => {
    Object.assign(BOUNDS, structuredClone(usual))
  })
  return (times) => {
    for (const [name, time] of Object.entries(times)) {
      const bound: object = BOUNDS[name as BoundName]
      Object.assign(bound, Object.fromEntries(Object.keys(bound).map((kind) => [kind, time])))
    }
  }
}
