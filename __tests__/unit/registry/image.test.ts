import { describe, expect, it } from '@jest/globals'
import { childOf, configOf, parseConfig, parseManifest } from '../../../src/registry/image.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

const raw = (content: unknown): { bytes: Buffer } => ({
  bytes: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
})

const ODD = [null, 1, 'x', [], { history: {}, rootfs: 1, config: { Labels: [1] }, layers: 1, manifests: {} }]

describe('parseConfig', () => {
  const metadata = (json: unknown): object => ({
    'moby.buildkit.cache.v0': Buffer.from(JSON.stringify(json)).toString('base64')
  })

  it('reads labels, layers, history and cache metadata', () => {
    const image = parseConfig({
      config: { Labels: { team: 'a', number: 1 } },
      history: [{ created_by: 'base' }, { created_by: 'ENV A=1', empty_layer: true }, { created_by: 'RUN b' }],
      rootfs: { diff_ids: [digest('0'), digest('1')] },
      ...metadata([{ digest: 'x' }, { digest: 'y', layers: [{ layer: 1, createdAt: 'now' }] }])
    })
    expect(image).toEqual({
      labels: { team: 'a' },
      runtime: '[]',
      hasTriggers: false,
      layers: [digest('0'), digest('1')],
      history: [
        { createdBy: 'base', empty: false },
        { createdBy: 'ENV A=1', empty: true },
        { createdBy: 'RUN b', empty: false }
      ],
      recorded: [1]
    })
  })

  it('tells no cache metadata from cache metadata without records', () => {
    expect(parseConfig({})).not.toHaveProperty('recorded')
    expect(parseConfig({ 'moby.buildkit.cache.v0': {} })).not.toHaveProperty('recorded')
    expect(parseConfig(metadata([])).recorded).toEqual([])
    expect(parseConfig(metadata({})).recorded).toEqual([])
    expect(parseConfig({ 'moby.buildkit.cache.v0': '<html>' }).recorded).toEqual([])
  })

  it('tells of what a container is given, as an engine does: without what is empty', () => {
    const config = { User: '', Cmd: ['sh'], Env: [], Volumes: {}, Healthcheck: null, Labels: { a: 'b' }, Hostname: 'x' }
    expect(parseConfig({ config }).runtime).toBe('[["Cmd",["sh"]]]')
  })

  it('tells of triggers', () => {
    expect(parseConfig({ config: { OnBuild: ['RUN x'] } }).hasTriggers).toBe(true)
    expect(parseConfig({ config: { OnBuild: [] } }).hasTriggers).toBe(false)
  })

  it.each([undefined, ...ODD])('takes %j', (json) => {
    expect(parseConfig(json)).toMatchObject({ labels: {}, layers: [], history: [], hasTriggers: false })
  })
})

describe('parseManifest', () => {
  it('reads the sizes of the layers, and of the manifest with its config', () => {
    const manifest = raw({
      config: { digest: digest('c'), size: 9 },
      layers: [
        { digest: digest('a'), size: 7 },
        { digest: digest('b'), size: 8 }
      ]
    })
    expect(parseManifest(manifest)).toEqual({
      bytes: manifest.bytes.length + 9,
      layers: [
        { digest: digest('a'), size: 7 },
        { digest: digest('b'), size: 8 }
      ]
    })
  })

  it('counts bytes, not characters', () => {
    const text = `{"config":{"size":1},"annotations":{"a":"é"}}`
    expect(parseManifest(raw(text))?.bytes).toBe(text.length + 2)
  })

  it.each<[string, unknown]>([
    ['an old manifest', { schemaVersion: 1 }],
    ['a size below zero', { config: { size: 1 }, layers: [{ digest: 'a', size: -1 }] }],
    ['a size that is not a whole number', { config: { size: 1 }, layers: [{ digest: 'a', size: 1.5 }] }],
    ['no size', { config: { size: 1 }, layers: [{ digest: 'a' }] }],
    ['no size of the config', { config: {}, layers: [{ digest: 'a', size: 1 }] }],
    ['what is not JSON', '<html>'],
    ...ODD.map((odd): [string, unknown] => [JSON.stringify(odd), odd])
  ])('tells no sizes of %s', (_, content) => {
    expect(parseManifest(raw(content))).toBeUndefined()
  })
})

describe('configOf', () => {
  it('is the digest that the manifest names', () => {
    expect(configOf(raw({ config: { digest: digest('c') } }))).toBe(digest('c'))
  })

  it.each<[string, unknown]>([
    ['an index', { manifests: [{ digest: digest('a') }] }],
    ['an option in the place of a digest', { config: { digest: '--tag' } }],
    ['a digest of another kind', { config: { digest: `sha512:${'a'.repeat(128)}` } }],
    ['a digest with something behind it', { config: { digest: `${digest('c')}/../x` } }],
    ['what is not JSON', '<html>'],
    ...ODD.map((odd): [string, unknown] => [JSON.stringify(odd), odd])
  ])('is nothing of %s', (_, content) => {
    expect(configOf(raw(content))).toBeUndefined()
  })
})

describe('childOf', () => {
  const index = (...platforms: [letter: string, os: string, architecture: string][]): { bytes: Buffer } =>
    raw({
      manifests: platforms.map(([letter, os, architecture]) => ({
        digest: digest(letter),
        platform: { os, architecture }
      }))
    })
  const both = index(['f', 'unknown', 'unknown'], ['a', 'linux', 'amd64'], ['b', 'linux', 'arm64'])
  const here = process.arch === 'arm64' ? 'b' : 'a'

  it.each([
    ['linux/arm64', 'b'],
    ['linux/arm64/v8', 'b'],
    ['linux/amd64', 'a'],
    ['windows/amd64', 'a'],
    [undefined, here]
  ])('is the image of platform %s', (platform, letter) => {
    expect(childOf(both, platform)).toBe(digest(letter))
  })

  it('is the one image beside its attestation, whatever platform it has', () => {
    expect(childOf(index(['f', 'unknown', 'unknown'], ['e', 'linux', 's390x']), undefined)).toBe(digest('e'))
  })

  it.each<[string, unknown]>([
    ['a manifest of an image', { config: { digest: digest('c') } }],
    ['an index of nothing', { manifests: [] }],
    ['an index of attestations alone', { manifests: [{ digest: digest('f'), platform: { os: 'unknown' } }] }],
    ['an option in the place of a digest', { manifests: [{ digest: '--tag' }] }],
    ['what is not JSON', '<html>'],
    ...ODD.map((odd): [string, unknown] => [JSON.stringify(odd), odd])
  ])('is nothing of %s', (_, content) => {
    expect(childOf(raw(content), 'linux/amd64')).toBeUndefined()
  })
})
