import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { pushBaseImages, TestBed } from '../../../testbed/index.ts'
import { ending } from '../harness.ts'
import { CHAIN_NAMES, type ChainName } from './chains.ts'
import { playChain, type Setting, settings } from './play.ts'
import { shapes } from './shapes.ts'

jest.setTimeout(300_000)

/** Both chains of every shape, on one of its engines each, in turn: `scripts/matrix.ts` plays them on all. */
function tests(): (Setting & { chain: ChainName })[] {
  return shapes.flatMap((shape, number) => {
    const possible = settings().filter((setting) => setting.shape === shape)
    return CHAIN_NAMES.flatMap((chain, index) => {
      const setting = possible[(number + index) % possible.length]
      return setting ? [{ ...setting, chain }] : []
    })
  })
}

/** Every `count`th of the tests: parts, for a test file each, so that jest runs them in parallel. */
export function describePart(part: number, count: number): void {
  let bed: TestBed
  let base: string

  beforeAll(async () => {
    bed = await TestBed.start()
    base = (await pushBaseImages(bed, ['busybox'])).busybox
  })

  afterAll(async () => {
    await bed.stop()
  })

  describe('corpus', () => {
    it.each(tests().filter((_, index) => index % count === part))(
      '$shape.name on Docker $engine.version, $engine.store store, strategy $strategy, chain $chain',
      async (setting) => {
        const commits = await playChain(bed, base, setting, setting.chain)
        const failed = commits.find(({ outcome }) => outcome.exitCode !== 0)
        if (failed) expect(ending(failed.outcome)).toEqual({ exitCode: 0, log: '' })
        expect(commits.map(({ name, misses, lies }) => ({ name, misses, lies }))).toEqual(
          commits.map(({ name }) => ({ name, misses: [], lies: [] }))
        )
      }
    )
  })
}
