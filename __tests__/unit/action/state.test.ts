import { afterEach, describe, expect, it } from '@jest/globals'
import { readImages } from '../../../src/action/state.ts'

const ID = `sha256:${'0'.repeat(64)}`
const NOTHING = { names: [], unnamed: [] }

afterEach(() => {
  delete process.env.STATE_images
})

describe('The images that the main step saved', () => {
  it('are read', () => {
    const saved = { names: [{ name: 'octo/app:latest', before: '', ids: [ID] }], unnamed: [ID] }
    process.env.STATE_images = JSON.stringify(saved)
    expect(readImages()).toEqual(saved)
  })

  it.each([
    undefined,
    'x',
    'null',
    '[]',
    '{"names":{}}',
    JSON.stringify({ names: [{ name: '--all', before: '', ids: [ID] }] }),
    JSON.stringify({ names: [{ name: 'a b', before: '', ids: [ID] }] }),
    JSON.stringify({ names: [{ name: '', ids: [ID] }, 1, null], unnamed: ['--force', 'busybox', 1] })
  ])('are none, if they are %s', (saved) => {
    if (saved !== undefined) process.env.STATE_images = saved
    expect(readImages()).toEqual(NOTHING)
  })

  it('have no ID that docker would take for a name or an option', () => {
    process.env.STATE_images = JSON.stringify({ names: [{ name: 'a', before: '--x', ids: ['latest', ID] }] })
    expect(readImages().names).toEqual([{ name: 'a', before: '', ids: [ID] }])
  })
})
