import { describe, expect, it } from '@jest/globals'
import { look } from '../../../src/registry/look.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { shortBounds } from '../../support/short-bounds.ts'

const shorten = shortBounds()

describe('look', () => {
  it('returns the answer of the registry', async () => {
    expect((await look(new FakeRegistry(), 'r.io/app:1')).failure).toMatchObject({ kind: 'absent' })
  })

  it('waits no longer than its bound', async () => {
    shorten({ look: 50 })
    const silent = new FakeRegistry(undefined, { turn: () => new Promise<void>(() => {}) })
    expect(await look(silent, 'r.io/app:1')).toEqual({
      failure: { kind: 'unreachable', message: 'no answer within 0.05 seconds' }
    })
  })
})
