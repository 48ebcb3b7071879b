import { describe, expect, it } from '@jest/globals'
import { base, bed } from '../bed.ts'
import { ending } from '../harness.ts'
import { CHAIN_NAMES, type ChainName } from './chains.ts'
import { playChain, type Setting, settings } from './play.ts'
import { shapes } from './shapes.ts'

/** Every fourth shape once, its engine and its chain in turn: `scripts/matrix.ts` plays both chains of all shapes on all engines. */
function tests(): (Setting & { chain: ChainName })[] {
  return shapes.flatMap((shape, number) => {
    const possible = settings().filter((setting) => setting.shape === shape)
    const setting = possible[(number / 4) % possible.length]
    // not by `number` alone: where two engines are possible, each would always play the same chain
    const chain = CHAIN_NAMES[Math.floor(number / 8) % CHAIN_NAMES.length]
    return setting && chain && number % 4 === 0 ? [{ ...setting, chain }] : []
  })
}

/** Every `count`th of the tests: parts, for a test file each, so that jest runs them in parallel. */
export function describePart(part: number, count: number): void {
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
