import { describe, expect, it } from '@jest/globals'
import type { InstructionKey, StageKeys } from '../../../src/cache/content-keys.ts'
import { cacheTagOf, keysForTags, keysToAsk, testedTagOf } from '../../../src/cache/key-tags.ts'
import { imageLabels, keysLabel, readKeysLabel } from '../../../src/cache/keys-label.ts'
import { splitAtEquals } from '../../../src/lib/text.ts'

/** An instruction as `KEYWORD key`; a `<` before the keyword says that it reads something from outside, no key that it is unknown. */
function instruction(text: string, index: number): InstructionKey {
  const [, outside, keyword = '', key] = /^(<?)(\S+)(?: (\S+))?$/.exec(text) ?? []
  return {
    ...{ line: index + 1, keyword, key, isStep: true, readsOutside: outside === '<', files: [] },
    ingredients: [
      { kind: 'instruction', hash: `hash-${keyword}` },
      { kind: 'files', name: 'src', hash: key ?? '', count: 2 }
    ]
  }
}

function stage(index: number, ...texts: string[]): [number, StageKeys] {
  const [base, ...instructions] = texts.map(instruction)
  if (!base) throw new Error('a stage has a FROM')
  return [index, { stage: index, base, instructions, image: undefined }]
}

/** The label as an image has it. */
function labelOf(label: string): Record<string, string> {
  return Object.fromEntries([splitAtEquals(label)])
}

const BUILDER = stage(0, 'FROM f', '<WORKDIR w', '<COPY c', 'RUN r', '<COPY s', 'RUN m')
const OWN = { own: [{ stage: 0, name: 'builder' }] }

describe('keysForTags', () => {
  it('returns the key after each layer, the longest first', () => {
    expect(keysForTags(OWN, new Map([BUILDER]))).toEqual(['m', 's', 'r', 'c'])
  })

  it.each<[string, string[], string[]]>([
    ['an unknown key, which ends the chain', ['FROM f', 'RUN a', '<COPY b', 'RUN c', 'ADD', 'RUN'], ['c', 'b', 'a']],
    ['an unknown key that reads something', ['FROM f', 'RUN a', '<COPY b', '<ADD'], ['b', 'a']],
    ['nothing but an empty folder', ['FROM f', 'WORKDIR w', '<COPY'], []],
    ['no known key', ['FROM', 'RUN'], []],
    ['a key that repeats', ['FROM f', 'RUN a', '<ENV a', '<COPY b'], ['b', 'a']]
  ])('handles %s', (_, texts, expected) => {
    expect(keysForTags(OWN, new Map([stage(0, ...texts)]))).toEqual(expected)
  })

  it('returns the keys of all stages in the image', () => {
    const own = [
      { stage: 0, name: 'deps' },
      { stage: 2, name: 'app' }
    ]
    const keys = new Map([stage(0, 'FROM f', 'RUN a', 'RUN b'), stage(2, 'FROM b', 'RUN c', 'RUN d')])
    expect(keysForTags({ own }, keys)).toEqual(['d', 'c', 'b', 'a'])
  })

  it('returns none for a stage without keys', () => {
    expect(keysForTags(OWN, new Map())).toEqual([])
  })

  it('returns at most 16', () => {
    const texts = Array.from({ length: 40 }, (_, index) => `<COPY k${index}`)
    const found = keysForTags(OWN, new Map([stage(0, 'FROM f', ...texts)]))
    expect(found).toHaveLength(16)
    expect(found[0]).toBe('k39')
  })
})

describe('keysToAsk', () => {
  const keysOf = (count: number): string[] =>
    keysToAsk(OWN, new Map([stage(0, 'FROM f', ...Array.from({ length: count }, (_, index) => `<COPY k${index}`))]))

  it('returns all of a few', () => {
    expect(keysOf(8)).toEqual(['k7', 'k6', 'k5', 'k4', 'k3', 'k2', 'k1', 'k0'])
  })

  it('returns eight of many: the longest', () => {
    expect(keysOf(16)).toEqual(['k15', 'k14', 'k13', 'k12', 'k11', 'k10', 'k9', 'k8'])
  })

  it('returns those first that need no edit of the Dockerfile to be useful', () => {
    const texts = ['RUN a', '<COPY b', ...Array.from({ length: 12 }, (_, index) => `RUN k${index}`)]
    const found = keysToAsk(OWN, new Map([stage(0, 'FROM f', ...texts)]))
    expect(found).toEqual(['k11', 'k10', 'k9', 'k8', 'k7', 'k6', 'k5', 'a'])
  })
})

it('cacheTagOf and testedTagOf return tags of 16 hex digits', () => {
  expect(cacheTagOf('octo/app', 'a'.repeat(64))).toBe(`octo/app:cache-${'a'.repeat(16)}`)
  expect(testedTagOf('octo/app', ['a', 'b'])).toMatch(/^octo\/app:tested-[0-9a-f]{16}$/)
  expect(testedTagOf('octo/app', ['a', 'b'])).not.toBe(testedTagOf('octo/app', ['b', 'a']))
  expect(testedTagOf('octo/app', ['a', undefined])).toBeUndefined()
})

describe('the label', () => {
  it('has the keys of an image and their ingredients', () => {
    const label = keysLabel(OWN, new Map([BUILDER]), '28.5 containerd')
    expect(label).toMatch(/^shared-docker-layers\.keys=\{/)
    const recorded = readKeysLabel(labelOf(label))
    expect(recorded?.engine).toBe('28.5 containerd')
    expect(recorded?.chain.map(({ keyword, key }) => `${keyword} ${key}`)).toEqual(
      'FROM f,WORKDIR w,COPY c,RUN r,COPY s,RUN m'.split(',')
    )
    expect(recorded?.chain[2]?.ingredients).toEqual([
      { kind: 'instruction', hash: 'hash-COPY' },
      { kind: 'files', name: 'src', hash: 'c', count: 2 }
    ])
  })

  it('has a value without keys, too: an image inherits the labels of its base image', () => {
    const label = keysLabel(OWN, new Map(), '28.5 containerd')
    expect(label).not.toMatch(/=$/)
    expect(readKeysLabel(labelOf(label))).toBeUndefined()
  })

  it.each(['', '{', '[]', '{"version":2,"chain":[["RUN","a",[]]]}', '{"version":1}', '{"version":1,"chain":7}'])(
    'is not read from %j',
    (value) => {
      expect(readKeysLabel({ 'shared-docker-layers.keys': value })).toBeUndefined()
    }
  )

  it('is read whatever somebody has written into it', () => {
    const value = JSON.stringify({
      version: 1,
      parts: [7, ['files', 1, 'x', 'y']],
      chain: [7, ['RUN', 8, [0, 5, 'a']]]
    })
    expect(readKeysLabel({ 'shared-docker-layers.keys': value })?.chain).toHaveLength(2)
  })
})

describe('imageLabels', () => {
  const digests = new Map([
    ['node:24', 'sha256:1'],
    ['tools@sha256:2', 'sha256:2']
  ])

  it('name the base image of every image, and all external images of production', () => {
    const base = [
      'org.opencontainers.image.base.name=docker.io/library/node:24',
      'org.opencontainers.image.base.digest=sha256:1'
    ]
    expect(imageLabels({ kind: 'builder', baseImage: 'node:24' }, digests)).toEqual(base)
    expect(imageLabels({ kind: 'production', baseImage: 'node:24' }, digests)).toEqual([
      ...base,
      'shared-docker-layers.bases=node:24@sha256:1 tools@sha256:2'
    ])
  })

  it('name nothing of which no digest is known', () => {
    expect(imageLabels({ kind: 'production', baseImage: 'node:24' }, new Map())).toEqual([])
    expect(imageLabels({ kind: 'builder', baseImage: 'other' }, digests)).toEqual([])
  })
})

it('a label that would be too long for an argument has no ingredients', () => {
  const texts = Array.from({ length: 2_500 }, (_, index) => `RUN k${index}`)
  const label = keysLabel(OWN, new Map([stage(0, 'FROM f', ...texts)]), '28.5 containerd')
  expect(label.length).toBeLessThan(61_000)
  const recorded = readKeysLabel(labelOf(label))
  expect(recorded?.chain).toHaveLength(2_501)
  expect(recorded?.chain.at(-1)).toEqual({ keyword: 'RUN', key: 'k2499', ingredients: [] })
})

it('a label that would be too long even then has no keys', () => {
  const texts = Array.from({ length: 10_000 }, (_, index) => `RUN k${index}`)
  const label = keysLabel(OWN, new Map([stage(0, 'FROM f', ...texts)]), '28.5 containerd')
  expect(label).toMatch(/"chain":\[\]\}$/)
})
