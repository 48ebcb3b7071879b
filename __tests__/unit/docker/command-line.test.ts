import { describe, expect, it } from '@jest/globals'
import { replayable } from '../../../src/docker/command-line.ts'

describe('replayable', () => {
  it('quotes for a shell', () => {
    expect(replayable(['run', "it's", 'a:1', ''], { DOCKER_BUILDKIT: '0' })).toBe(
      `DOCKER_BUILDKIT=0 docker run 'it'\\''s' a:1 ''`
    )
  })
})
