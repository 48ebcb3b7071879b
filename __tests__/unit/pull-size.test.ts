import { describe, expect, it } from '@jest/globals'
import { type ManifestRecord, pullSize } from '../../src/pull-size.ts'

/** A manifest and config of a byte, and layers by one letter each, of ten bytes. */
function image(layers: string): ManifestRecord {
  return { bytes: 1, layers: [...layers].map((letter) => ({ digest: `sha256:${letter}`, size: 10 })) }
}

describe('pullSize', () => {
  it.each([
    ['the first image', 'abc', undefined, 31, 31, 0],
    ['the same image', 'abc', 'abc', 1, 31, 3],
    ['another top', 'abd', 'abc', 11, 31, 2],
    ['one more layer', 'abcd', 'abc', 11, 41, 3],
    ['one layer less', 'ab', 'abc', 1, 21, 2],
    ['another base', 'xbc', 'abc', 31, 31, 0],
    ['a layer that comes twice', 'abb', 'a', 11, 21, 1],
    ['nothing in common', 'x', 'a', 11, 11, 0],
    ['no layers', '', 'a', 1, 1, 0]
  ])('of %s', (_, layers, before, bytes, fullBytes, reusedLayers) => {
    const previous = before === undefined ? undefined : image(before)
    expect(pullSize(image(layers), previous, 'octo/app:latest')).toEqual({
      ...(previous && { previous: 'octo/app:latest' }),
      ...{ bytes, fullBytes, layers: layers.length, reusedLayers }
    })
  })
})
