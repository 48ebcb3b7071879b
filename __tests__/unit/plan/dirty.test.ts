import { describe, expect, it } from '@jest/globals'
import { describeDirty } from '../../../src/plan/dirty.ts'

describe('describeDirty', () => {
  it.each([
    [['a'], 1, '1 tracked file: a'],
    [['a', 'b'], 2, '2 tracked files: a, b'],
    [['a', 'b', 'c', 'd', 'e', 'f'], 300, '300 tracked files: a, b, c, d, e and 295 more'],
    [['a\n::error::b', 'größe'], 2, '2 tracked files: "a\\n::error::b", "gr\\u00f6\\u00dfe"']
  ])('%j of %i', (files, count, end) => {
    expect(describeDirty('1234567', { files, count })).toBe(`The build context differs from commit 1234567 in ${end}`)
  })
})
