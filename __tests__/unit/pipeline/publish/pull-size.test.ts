import { describe, expect, it } from '@jest/globals'
import { pullSize, weigh } from '../../../../src/pipeline/publish/pull-size.ts'
import type { ManifestRecord } from '../../../../src/registry/image.ts'
import type { PullSize } from '../../../../src/result/result.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../../support/fake-registry.ts'
import { makeRun } from '../../../support/make-run.ts'
import { RecordingLog } from '../../../support/recording-log.ts'

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

describe('weigh', () => {
  const NOW = `sha256:${'a'.repeat(64)}`
  const BEFORE = `sha256:${'b'.repeat(64)}`

  async function weighed(
    before: ManifestRecord | 'no sizes' | undefined,
    unreadable = ''
  ): Promise<[PullSize | undefined, string | undefined]> {
    const contents = new Contents()
    contents.put('octo/app:0123456', imageOf(NOW, { manifest: image('abd') }))
    if (before) contents.put('octo/app:latest', imageOf(BEFORE, before === 'no sizes' ? {} : { manifest: before }))
    const fail = (request: string) => (request === `get ${unreadable}` ? failureOf('unreachable', 'EOF') : undefined)
    const log = new RecordingLog()
    const run = makeRun({ registry: new FakeRegistry(contents, { fail }), log })
    const size = await weigh(run, `octo/app@${NOW}`)
    return [size, log.said('info').at(-1)]
  }

  it('compares the image with the published one', async () => {
    expect(await weighed(image('abc'))).toEqual([
      { previous: 'octo/app:latest', bytes: 11, fullBytes: 31, layers: 3, reusedLayers: 2 },
      undefined
    ])
  })

  it('tells that the first image is pulled whole', async () => {
    expect(await weighed(undefined)).toEqual([{ bytes: 31, fullBytes: 31, layers: 3, reusedLayers: 0 }, undefined])
  })

  it.each<[string, Parameters<typeof weighed>, RegExp]>([
    ['the image cannot be read', [image('abc'), `octo/app@${NOW}`], /^Cannot determine the pull size of .*: EOF$/],
    [
      'the published image cannot be read',
      [image('abc'), 'octo/app:latest'],
      /^Cannot determine the pull size of .*: EOF$/
    ],
    ['the published image tells no sizes', ['no sizes'], /^Cannot determine the pull size of .*no sizes$/]
  ])('tells no size if %s', async (_, given, expected) => {
    const [size, said] = await weighed(...given)
    expect(size).toBeUndefined()
    expect(said).toMatch(expected)
  })
})
