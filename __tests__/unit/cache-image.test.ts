import { describe, expect, it } from '@jest/globals'
import {
  type ImageRecord,
  ownHistoryStart,
  parseConfig,
  readFromEngine,
  readFromRegistry,
  readManifest,
  whyNoCache
} from '../../src/cache/image.ts'
import { parseDockerfile } from '../../src/dockerfile.ts'
import type { Docker } from '../../src/engine/docker.ts'
import type { StageBuild } from '../../src/stage-build.ts'

/** The build of a stage of these instructions. */
function build(...lines: string[]): StageBuild {
  const { stages } = parseDockerfile(['FROM base', ...lines, ''].join('\n'))
  return { own: stages, images: new Map() } as unknown as StageBuild
}

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

/** A config as BuildKit writes it: one layer of the base image, then the history's own. */
function config(history: string[], records: unknown[] | undefined, empty: string[] = []): object {
  const entries = history.map((created_by) => ({
    created_by,
    ...(empty.includes(created_by) && { empty_layer: true })
  }))
  const layers = entries.filter(({ empty_layer }) => !empty_layer).length
  return {
    config: { Labels: { team: 'a', number: 1 } },
    history: [{ created_by: 'base' }, ...entries],
    rootfs: { diff_ids: Array.from({ length: layers + 1 }, (_, index) => digest(String(index))) },
    ...(records && { 'moby.buildkit.cache.v0': Buffer.from(JSON.stringify(records)).toString('base64') })
  }
}

const HISTORY = ['WORKDIR /app', 'ENV A=1', 'COPY a a # buildkit', 'RUN |1 B=2 /bin/sh -c make # buildkit']
const LINES = ['WORKDIR /app', 'ENV A=1', 'COPY a a', 'RUN make']
const records = (...layers: number[]): unknown[] => [
  { digest: 'x' },
  ...layers.map((layer) => ({ digest: 'y', layers: [{ layer, createdAt: 'now' }] }))
]

describe('whyNoCache', () => {
  it.each<[string, object, StageBuild, string | undefined]>([
    ['a record of every layer', config(HISTORY, records(3, 1, 2), ['ENV A=1']), build(...LINES), undefined],
    [
      'what an engine that forgets cached layers leaves',
      config(HISTORY, records(3), ['ENV A=1']),
      build(...LINES),
      'its cache metadata has no record of 2 of 3 layers'
    ],
    ['no metadata', config(HISTORY, undefined, ['ENV A=1']), build(...LINES), 'it has no cache metadata'],
    [
      'metadata that is no list',
      { ...config(HISTORY, undefined, ['ENV A=1']), 'moby.buildkit.cache.v0': 'e30=' },
      build(...LINES),
      'its cache metadata has no record of 3 of 3 layers'
    ],
    [
      'a record whose layers are not the lowest ones (COPY --link)',
      config(HISTORY, [{ digest: 'x', chains: [{ layers: [1, 3], createdAt: 'now' }] }, ...records(1, 2)], ['ENV A=1']),
      build(...LINES),
      undefined
    ],
    ['only steps without a layer', config(['CMD ["sh"]'], [], ['CMD ["sh"]']), build('CMD ["sh"]'), undefined],
    [
      'ONBUILD, of which BuildKit keeps no history',
      config(HISTORY, records(1, 2, 3), ['ENV A=1']),
      build(...LINES, 'ONBUILD RUN x'),
      undefined
    ],
    [
      'a history that is not the one of the stage',
      config(HISTORY, records(3), ['ENV A=1']),
      build('COPY a a'),
      undefined
    ],
    ['that, and no record', config(HISTORY, [], ['ENV A=1']), build('COPY a a'), 'its cache metadata names no layer']
  ])('%s', (_, json, stage, expected) => {
    expect(whyNoCache(parseConfig(json), stage)).toBe(expected)
  })
})

describe('parseConfig', () => {
  it.each([undefined, null, 1, 'x', [], { history: {}, rootfs: 1, config: { Labels: [1] } }])('takes %j', (json) => {
    expect(parseConfig(json)).toMatchObject({ labels: {}, layers: [], history: [] })
  })
})

describe('ownHistoryStart', () => {
  it.each<[string, string[], 'inline' | 'legacy', number | undefined]>([
    ['of BuildKit', ['base', ...HISTORY], 'inline', 1],
    [
      'of the legacy builder',
      [
        'base',
        '/bin/sh -c #(nop) WORKDIR /app',
        '/bin/sh -c #(nop)  ENV A=1',
        '/bin/sh -c #(nop) COPY file:ab in a',
        'make'
      ],
      'legacy',
      1
    ],
    ['of another image', ['base', 'RUN x'], 'inline', undefined],
    ['of one with more on top', ['base', ...HISTORY, 'LABEL a=b'], 'inline', undefined]
  ])('%s', (_, history, strategy, expected) => {
    const image: Pick<ImageRecord, 'history'> = { history: history.map((createdBy) => ({ createdBy })) }
    expect(ownHistoryStart(image, build(...LINES), strategy)).toBe(expected)
  })
})

/** A docker that prints what is known under the last argument. */
function docker(answers: Record<string, unknown>): Docker & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async call(args) {
      const name = args.at(-1) ?? ''
      asked.push(name)
      const answer = answers[args[0] === 'history' ? 'history' : name]
      if (answer === undefined) return { exitCode: 1, stdout: '', stderr: `ERROR: ${name}: not found\n` }
      return { exitCode: 0, stdout: typeof answer === 'string' ? answer : JSON.stringify(answer), stderr: '' }
    }
  }
}

const { signal } = new AbortController()
const IMAGE = '127.0.0.1:5000/octo/app'

describe('readFromRegistry', () => {
  const manifest = { config: { digest: digest('c') } }
  const blobs = { [`${IMAGE}@${digest('c')}`]: config(HISTORY, records(1), ['ENV A=1']) }

  it('reads the config of an image', async () => {
    const fake = docker({ [`${IMAGE}:latest`]: manifest, ...blobs })
    const { image } = await readFromRegistry(fake, `${IMAGE}:latest`, undefined, signal)
    expect(image).toMatchObject({ labels: { team: 'a' }, recorded: [1] })
    expect(image?.labels).toEqual({ team: 'a' })
    expect(image?.layers).toHaveLength(4)
    expect(image?.history[2]).toEqual({ createdBy: 'ENV A=1', empty: true })
  })

  it('by digest', async () => {
    const reference = `${IMAGE}@${digest('d')}`
    const fake = docker({ [reference]: manifest, ...blobs })
    expect((await readFromRegistry(fake, reference, undefined, signal)).image).toBeDefined()
  })

  it('by the digest of its config, with one question', async () => {
    const fake = docker(blobs)
    const [reference = ''] = Object.keys(blobs)
    expect((await readFromRegistry(fake, reference, undefined, signal)).image).toMatchObject({ recorded: [1] })
    expect(fake.asked).toEqual([reference])
  })

  it.each([
    ['an old manifest', { schemaVersion: 1 }],
    ['a size below nothing', { config: { size: 1 }, layers: [{ digest: 'a', size: -1 }] }],
    ['no size', { config: { size: 1 }, layers: [{ digest: 'a' }] }]
  ])('tells no sizes of %s', async (_, odd) => {
    const fake = docker({ [`${IMAGE}:latest`]: odd })
    expect(await readManifest(fake, `${IMAGE}:latest`, undefined, true, signal)).toEqual({
      error: 'it is no manifest of an image'
    })
  })

  it('tells the sizes of its layers', async () => {
    const config = { ...manifest.config, size: 9 }
    const sized = { ...manifest, config, layers: [{ size: 7 }, { size: 8 }] }
    const fake = docker({ [`${IMAGE}:latest`]: sized, ...blobs })
    const { image } = await readFromRegistry(fake, `${IMAGE}:latest`, undefined, signal)
    expect(image?.manifest?.layers.map(({ size }) => size)).toEqual([7, 8])
  })

  it.each([
    ['linux/arm64', 'b'],
    ['linux/amd64', 'a'],
    ['windows/amd64', 'a']
  ])('in an index, of platform %s', async (platform, letter) => {
    const index = {
      manifests: [
        { digest: digest('f'), platform: { os: 'unknown', architecture: 'unknown' } },
        { digest: digest('a'), platform: { os: 'linux', architecture: 'amd64' } },
        { digest: digest('b'), platform: { os: 'linux', architecture: 'arm64' } }
      ]
    }
    const name = `${IMAGE}@${digest(letter)}`
    const fake = docker({ [`${IMAGE}:latest`]: index, [name]: manifest, ...blobs })
    expect((await readFromRegistry(fake, `${IMAGE}:latest`, platform, signal)).image).toBeDefined()
    expect(fake.asked[1]).toBe(name)
  })

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['is absent', {}, /not found/],
    ['is no JSON', { [`${IMAGE}:latest`]: '<html>' }, /no JSON/],
    ['is no image', { [`${IMAGE}:latest`]: { config: { digest: '--tag' } } }, /no image/],
    ['has lost its config', { [`${IMAGE}:latest`]: manifest }, /not found/]
  ])('says so where it %s', async (_, answers, expected) => {
    const read = await readFromRegistry(docker(answers), `${IMAGE}:latest`, undefined, signal)
    expect(read.error).toMatch(expected)
  })
})

describe('readFromEngine', () => {
  it('reads labels, layers and history, the oldest first', async () => {
    const answers = {
      id: '{"Labels":{"a":"b"},"User":"","Cmd":["sh"]}\n["sha256:1","sha256:2"]\n',
      history: '"RUN b"\n"base"\n'
    }
    expect(await readFromEngine(docker(answers), 'id', signal)).toEqual({
      image: {
        labels: { a: 'b' },
        runtime: '[["Cmd",["sh"]]]',
        layers: ['sha256:1', 'sha256:2'],
        history: [{ createdBy: 'base' }, { createdBy: 'RUN b' }]
      }
    })
  })

  it('says so where there is none', async () => {
    expect((await readFromEngine(docker({}), 'id', signal)).error).toMatch(/not found/)
  })
})
