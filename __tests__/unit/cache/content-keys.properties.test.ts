import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import type { StageKeys } from '../../../src/cache/content-keys.ts'
import { cases } from '../../support/cases.ts'
import { firstDifference, image, keysOf, last, type World } from '../../support/content-keys.ts'

jest.setTimeout(300_000)

const PLACES = ['A', 'B', 'C', 'D', 'E'] as const
type Place = (typeof PLACES)[number]

/** One thing that each step reads. */
type State = Record<Place, { text: string; mode: number }>

const state: fc.Arbitrary<State> = fc.record(
  Object.fromEntries(
    PLACES.map((place) => [
      place,
      fc.record({ text: fc.string({ maxLength: 4 }), mode: fc.constantFrom(0o600, 0o644, 0o755) })
    ])
  ) as Record<Place, fc.Arbitrary<{ text: string; mode: number }>>
)

let root: string
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sdl-keys-'))
})

afterAll(() => {
  rmSync(root, { recursive: true, force: true })
})

/** Line 2 reads file A, 4 the build argument B and the network E, 5 the folder c with file C, 7 the image D. */
const TEXT = 'FROM busybox\nCOPY A /a\nARG B\nRUN b\nCOPY c /c\nWORKDIR /w\nCOPY --from=D / /d\nRUN e'
const FIRST: Record<Place, string> = { A: 'COPY 2', B: 'RUN 4', C: 'COPY 5', D: 'COPY 7', E: 'RUN 4' }

/** @param places the order in which the files are made */
async function keys({ A, B, C, D, E }: State, places: readonly Place[]): Promise<Map<number, StageKeys>> {
  const folder = join(root, String(count++))
  mkdirSync(join(folder, 'c'), { recursive: true })
  for (const place of places) {
    const path = join(folder, place === 'A' ? 'A' : `c/${place}`)
    const { text, mode } = place === 'A' ? A : place === 'C' ? C : { text: '', mode: 0o644 }
    writeFileSync(path, text)
    chmodSync(path, mode)
    utimesSync(path, count, count)
  }
  const world: World = {
    folder,
    buildArgs: new Map([['B', B.text]]),
    images: new Map([
      ['busybox', image('busybox')],
      ['D', image(D.text)]
    ]),
    runOptions: { addHosts: [], network: E.text }
  }
  const result = await keysOf(TEXT, world)
  rmSync(folder, { recursive: true })
  return result
}

const order = fc.shuffledSubarray([...PLACES], { minLength: PLACES.length })

it('is the same in every place, at every time, in every order of the files', async () => {
  await fc.assert(
    fc.asyncProperty(state, order, async (one, places) => {
      expect(await keys(one, places)).toEqual(await keys(structuredClone(one), PLACES))
    }),
    cases(4_000)
  )
})

it('changes from the instruction on that sees a change, and not before', async () => {
  await fc.assert(
    fc.asyncProperty(state, state, fc.constantFrom(...PLACES), order, async (one, other, place, places) => {
      const isMode = place === 'A' || place === 'C'
      const [before, now] = [one[place], isMode ? other[place] : { ...one[place], text: other[place].text }]
      fc.pre(before.text !== now.text || before.mode !== now.mode)
      const [keysBefore, keysNow] = [await keys(one, PLACES), await keys({ ...one, [place]: now }, places)]
      expect(firstDifference(keysBefore, keysNow)).toBe(FIRST[place])
      const from = last(keysNow).instructions.findIndex(({ keyword, line }) => `${keyword} ${line}` === FIRST[place])
      for (const [index, { key }] of last(keysNow).instructions.entries()) {
        expect(key === last(keysBefore).instructions[index]?.key).toBe(index < from)
      }
    }),
    cases(4_000)
  )
})
