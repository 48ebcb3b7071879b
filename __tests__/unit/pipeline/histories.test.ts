import { expect, it, jest } from '@jest/globals'
import { playHistory } from '../../support/histories/play.ts'

const { CASES, SEED } = process.env
const SEEDS = SEED ? [Number(SEED)] : Array.from({ length: CASES === 'long' ? 500 : 20 }, (_, index) => index + 1)

jest.setTimeout(60_000)

it.each(SEEDS)('history %i breaks no rule of what may be published', async (seed) => {
  const { broken, trace } = await playHistory(seed)
  if (SEED) console.log(trace.join('\n'))
  // SEED=N plays one history alone and prints what happened in it
  expect({ seed, broken }).toEqual({ seed, broken: [] })
})
