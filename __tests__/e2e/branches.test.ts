import { beforeAll, describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec } from '../../testbed/index.ts'
import { base, bed } from '../support/bed.ts'
import { BRANCH_CHAINS, type BranchChain } from '../support/branches/chains.ts'
import { BranchPlayer } from '../support/branches/play.ts'

const isLong = process.env.CASES === 'long'
/** The chains that these tests play on each engine; `scripts/matrix.ts` plays all chains on all engines. */
const SELECTION: Record<string, BranchChain[]> = {
  '20.10 overlay2': isLong ? ['trace'] : [],
  '26.1 containerd': isLong ? ['reusing'] : [],
  '28.5 overlay2': isLong ? ['failing'] : [],
  '28.5 containerd': ['ways'],
  'host overlay2': ['failing'],
  'host containerd': ['ways', 'reusing']
}

const settings: { chain: BranchChain; engine: EngineSpec }[] = availableEngines().flatMap((engine) =>
  (SELECTION[`${engine.version} ${engine.store}`] ?? []).map((chain) => ({ chain, engine }))
)

describe.each(settings)('Docker $engine.version, $engine.store store: chain $chain', ({ chain, engine }) => {
  let player: BranchPlayer

  beforeAll(() => {
    player = new BranchPlayer(bed, base, engine, chain)
  })

  it.each(BRANCH_CHAINS[chain])('$id: $what', async (moment) => {
    const { executed, unchanged, faults } = await player.play(moment)
    expect({ executed, unchanged, faults }).toEqual({ executed: moment.executes, unchanged: [], faults: [] })
  })

  it('pushed images that hold these layers, and the content of their commits', async () => {
    expect(await player.judgeImages()).toEqual([])
  })
})
