import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { within } from '../../../src/lib/within.ts'

describe('within', () => {
  it('returns the result of work that ends in time', async () => {
    expect(await within(10_000, Promise.resolve(7))).toBe(7)
  })

  it('returns undefined for work that takes longer', async () => {
    expect(await within(5, sleep(200, 7))).toBeUndefined()
  })

  it('throws the error of work that fails in time', async () => {
    await expect(within(10_000, Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})
