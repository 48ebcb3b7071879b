import { describe, expect, it } from '@jest/globals'
import type { CallOptions, Docker } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import type { ExecResult } from '../../../src/lib/exec.ts'
import { Timeline } from '../../../src/lib/timeline.ts'
import {
  inspectByClient,
  inspectInEngine,
  pull,
  pullAndInspect,
  tagByClient
} from '../../../src/registry/client-images.ts'
import type { RegistryOptions } from '../../../src/registry/options.ts'
import { digestOf } from '../../../src/registry/reference.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

const IMAGE = '127.0.0.1:5000/octo/app'

/** What docker prints, or that it fails with these words. */
type Printed = string | { error: string }

/** A docker that prints what is known of calls that contain a text; several answers are given one after the other. */
class FakeDocker implements Docker {
  readonly calls: string[] = []
  readonly options: CallOptions[] = []
  /** Called before a call is answered. */
  onCall: (text: string) => void = () => {}
  readonly #answers: Map<string, Printed[]>

  constructor(answers: Record<string, Printed | Printed[]>) {
    this.#answers = new Map(Object.entries(answers).map(([words, answer]) => [words, [answer].flat()]))
  }

  async call(args: readonly string[], options: CallOptions): Promise<ExecResult> {
    const text = args.join(' ')
    this.calls.push(text)
    this.options.push(options)
    this.onCall(text)
    const [, queue = []] = [...this.#answers].find(([words]) => text.includes(words)) ?? []
    const answer = (queue.length > 1 ? queue.shift() : queue[0]) ?? { error: `${args.at(-1)}: not found` }
    if (typeof answer === 'string') return { exitCode: 0, stdout: answer, stderr: '' }
    return { exitCode: 1, stdout: '', stderr: `ERROR: ${answer.error}\n` }
  }
}

interface Tried {
  options: RegistryOptions
  docker: FakeDocker
  cancellation: AbortController
}

function prepare(answers: Record<string, Printed | Printed[]>, more: Partial<RegistryOptions> = {}): Tried {
  const docker = new FakeDocker(answers)
  const cancellation = new AbortController()
  const log = new RecordingLog()
  const options: RegistryOptions = {
    ...{ docker, log, env: {}, insecure: { hosts: [], ranges: [] }, platform: undefined, buildx: '0.29.1' },
    ...{ retries: 0, timeline: new Timeline(), signal: cancellation.signal, ...more }
  }
  return { options, docker, cancellation }
}

const CONFIG = JSON.stringify({
  config: { Labels: { team: 'a' }, Cmd: ['sh'] },
  history: [{ created_by: 'base' }, { created_by: 'ENV A=1', empty_layer: true }],
  rootfs: { diff_ids: [digest('0')] }
})
const MANIFEST = JSON.stringify({
  config: { digest: digest('c'), size: 9 },
  layers: [{ digest: digest('1'), size: 7 }]
})

const AS_CONFIG = '--format {{json .Image}}'

describe('inspectByClient', () => {
  const { signal } = new AbortController()
  const inspect = (docker: Docker, platform?: string): ReturnType<typeof inspectByClient> =>
    inspectByClient(docker, `${IMAGE}:latest`, platform, signal)

  it('reads the manifest and the config of an image', async () => {
    const name = `${IMAGE}@${digestOf(MANIFEST)}`
    const docker = new FakeDocker({
      [`--raw ${IMAGE}:latest`]: MANIFEST,
      [`--raw ${name}`]: MANIFEST,
      [`${AS_CONFIG} ${name}`]: CONFIG
    })
    const { image } = await inspect(docker)
    expect(image).toMatchObject({
      digest: digestOf(MANIFEST),
      ids: [digestOf(MANIFEST), digest('c')],
      labels: { team: 'a' },
      runtime: '[["Cmd",["sh"]]]',
      layers: [digest('0')],
      history: [
        { createdBy: 'base', empty: false },
        { createdBy: 'ENV A=1', empty: true }
      ],
      manifest: { bytes: MANIFEST.length + 9, layers: [{ digest: digest('1'), size: 7 }] }
    })
    expect(docker.calls.every((call) => call.startsWith('buildx imagetools inspect '))).toBe(true)
    // docker itself would wait for ever
    expect(docker.options.every(({ bound }) => bound === 'client-inspect')).toBe(true)
  })

  it('does not know of cache metadata and triggers', async () => {
    const docker = new FakeDocker({ [AS_CONFIG]: CONFIG, '': MANIFEST })
    const { image } = await inspect(docker)
    expect(image?.recorded).toBe('unknown')
    expect(image?.hasTriggers).toBeUndefined()
  })

  it('by digest', async () => {
    const docker = new FakeDocker({ [AS_CONFIG]: CONFIG, '': MANIFEST })
    const reference = `${IMAGE}@${digestOf(MANIFEST)}`
    const { image } = await inspectByClient(docker, reference, undefined, signal)
    expect(image?.digest).toBe(digestOf(MANIFEST))
    expect(docker.calls.every((call) => call.endsWith(` ${reference}`))).toBe(true)
  })

  it.each([
    ['linux/arm64', 'b'],
    ['linux/amd64', 'a'],
    ['windows/amd64', 'a']
  ])('in an index, of platform %s', async (platform, letter) => {
    const index = JSON.stringify({
      manifests: [
        { digest: digest('f'), platform: { os: 'unknown', architecture: 'unknown' } },
        { digest: digest('a'), platform: { os: 'linux', architecture: 'amd64' } },
        { digest: digest('b'), platform: { os: 'linux', architecture: 'arm64' } }
      ]
    })
    const name = `${IMAGE}@${digest(letter)}`
    const docker = new FakeDocker({
      [`--raw ${IMAGE}:latest`]: index,
      [`--raw ${name}`]: MANIFEST,
      [`${AS_CONFIG} ${name}`]: CONFIG
    })
    const { image } = await inspect(docker, platform)
    // an engine may know the image by each of these
    expect(image).toMatchObject({
      digest: digestOf(index),
      ids: [digestOf(index), digestOf(MANIFEST), digest('c')],
      labels: { team: 'a' }
    })
  })

  // HttpRegistry says "it is not an image"; a guard must not take it for an image that names no commit
  it.each([
    ['an artifact', '{"schemaVersion":2}', 'null'],
    ['what is not JSON', '<html>', '']
  ])('says so of %s', async (_, manifest, config) => {
    const { image, failure } = await inspect(new FakeDocker({ [AS_CONFIG]: config, '': manifest }))
    expect(image).toBeUndefined()
    expect(failure).toMatchObject({ kind: 'unknown' })
  })

  it.each<[string, Record<string, Printed>, object]>([
    ['is absent', {}, { kind: 'absent', message: expect.stringContaining('not found') }],
    ['may not be read', { '': { error: '401 Unauthorized' } }, { kind: 'refused' }],
    ['cannot be reached', { '': { error: 'dial tcp: connection refused' } }, { kind: 'unreachable' }],
    [
      'has lost its manifest',
      { [`--raw ${IMAGE}:latest`]: MANIFEST, [AS_CONFIG]: CONFIG },
      { message: expect.stringContaining('not found') }
    ],
    ['has lost its config', { [AS_CONFIG]: { error: 'EOF' }, '': MANIFEST }, { kind: 'unreachable' }]
  ])('says so where it %s', async (_, answers, expected) => {
    const read = await inspect(new FakeDocker(answers))
    expect(read.image).toBeUndefined()
    expect(read.failure).toMatchObject(expected)
  })
})

describe('inspectInEngine', () => {
  const { signal } = new AbortController()
  const inspected = (digests: string): string =>
    `{"Labels":{"a":"b"},"User":"","Cmd":["sh"]}\n["sha256:1","sha256:2"]\n${digests}\n`

  it('reads labels, layers and history, the oldest first', async () => {
    const docker = new FakeDocker({ '{{json .CreatedBy}} id': '"RUN b"\n"base"\n', ' id': inspected('[]') })
    expect(await inspectInEngine(docker, 'id', signal)).toEqual({
      image: {
        labels: { a: 'b' },
        runtime: '[["Cmd",["sh"]]]',
        layers: ['sha256:1', 'sha256:2'],
        history: [{ createdBy: 'base' }, { createdBy: 'RUN b' }],
        recorded: 'unknown'
      }
    })
  })

  it('reads the digest in the repository of the reference', async () => {
    const digests = JSON.stringify([`octo/app@${digest('a')}`, `${IMAGE}@${digest('b')}`])
    const docker = new FakeDocker({ '{{json .CreatedBy}}': '', '': inspected(digests) })
    expect((await inspectInEngine(docker, `${IMAGE}:latest`, signal)).image?.digest).toBe(digest('b'))
    expect((await inspectInEngine(docker, 'other/app:latest', signal)).image).not.toHaveProperty('digest')
  })

  it.each([
    ['image', '{{json .RepoDigests}} id'],
    ['history', '{{json .CreatedBy}} id']
  ])('says so where there is no %s', async (_, fails) => {
    const docker = new FakeDocker({ [fails]: { error: 'No such image: id' }, '': inspected('[]') })
    const { image, failure } = await inspectInEngine(docker, 'id', signal)
    expect(image).toBeUndefined()
    // an image that the engine does not have may be in the registry: this is not "absent"
    expect(failure).toEqual({ kind: 'unknown', message: 'ERROR: No such image: id' })
  })
})

describe('pull', () => {
  it('pulls the image of the platform', async () => {
    const { options, docker } = prepare({ '': 'pulled' }, { platform: 'linux/arm64' })
    expect(await pull(options, 'a:b')).toBeUndefined()
    expect(docker.calls).toEqual(['pull --platform linux/arm64 a:b'])
  })

  it('tells why the engine could not, after as many retries as a transient error is worth', async () => {
    const busy = prepare({ '': { error: '503 Service Unavailable' } }, { retries: 1 })
    expect(await pull(busy.options, 'a:b')).toMatchObject({ kind: 'unreachable' })
    expect(busy.docker.calls).toHaveLength(2)
    const refused = prepare({ '': { error: 'denied' } }, { retries: 1 })
    expect(await pull(refused.options, 'a:b')).toEqual({ kind: 'refused', message: 'ERROR: denied' })
    expect(refused.docker.calls).toHaveLength(1)
  })
})

describe('pullAndInspect', () => {
  const own = 'sha256:own'
  const answers = {
    '{{.Id}} a:b': `${own}\n`,
    'pull a:b': 'pulled',
    '{{json .CreatedBy}} a:b': '"base"\n',
    '{{json .RepoDigests}} a:b': `{"Labels":{"a":"b"}}\n[]\n["a@${digest('a')}"]\n`,
    [`tag ${own} a:b`]: ''
  }
  const withoutInspection = (calls: string[]): string[] => calls.filter((call) => !/json/.test(call))

  it('leaves the tag in the engine to the image that had it', async () => {
    const { options, docker } = prepare(answers)
    const { image } = await pullAndInspect(options, 'a:b')
    expect(image).toMatchObject({ labels: { a: 'b' }, digest: digest('a') })
    expect(withoutInspection(docker.calls)).toEqual([
      'image inspect --format {{.Id}} a:b',
      'pull a:b',
      `tag ${own} a:b`
    ])
    expect(docker.calls.at(-1)).toBe(`tag ${own} a:b`)
  })

  it('gives no tag where there was none', async () => {
    const { options, docker } = prepare({ ...answers, '{{.Id}} a:b': { error: 'No such image' } })
    expect((await pullAndInspect(options, 'a:b')).image).toMatchObject({ labels: { a: 'b' } })
    expect(withoutInspection(docker.calls)).toEqual(['image inspect --format {{.Id}} a:b', 'pull a:b'])
  })

  it.each([
    ['a:b: not found', 'absent'],
    ['pull access denied for a', 'refused'],
    ['connection refused', 'unreachable'],
    ['something else', 'unknown']
  ])('tells why the engine could not pull (%s), and reads nothing', async (error, kind) => {
    const { options, docker } = prepare({ ...answers, 'pull a:b': { error } })
    expect(await pullAndInspect(options, 'a:b')).toEqual({ failure: { kind, message: `ERROR: ${error}` } })
    expect(docker.calls.filter((call) => call.includes('json'))).toEqual([])
  })
})

describe('tagByClient', () => {
  const image = `${IMAGE}@${digest('a')}`
  const other = `${IMAGE.replace(/[^/]*$/, 'other')}:1`
  const created = `buildx imagetools create --prefer-index=false --tag ${other} ${image}`

  it('gives the tag in the registry', async () => {
    const { options, docker } = prepare({ '': '' })
    expect(await tagByClient(options, image, other)).toBeUndefined()
    expect(docker.calls).toEqual([created])
  })

  it.each([['0.13.1+ds1'], [undefined]])('has the engine push it where buildx is %s', async (buildx) => {
    const { options, docker } = prepare({ '': '' }, { buildx })
    expect(await tagByClient(options, image, other)).toBeUndefined()
    const looks = buildx === undefined ? [] : [`buildx imagetools inspect --raw ${image}`]
    expect(docker.calls).toEqual([...looks, `pull ${image}`, `tag ${image} ${other}`, `push ${other}`])
  })

  it('has the engine push it into another registry: the client does not promise to copy there', async () => {
    const { options, docker } = prepare({ '': '' })
    expect(await tagByClient(options, image, 'other.example/app:1')).toBeUndefined()
    expect(docker.calls.slice(1)).toEqual([
      `pull ${image}`,
      `tag ${image} other.example/app:1`,
      'push other.example/app:1'
    ])
  })

  it('has the client copy an index: the engine would push the image of its own platform only', async () => {
    const manifests = ['1', '2'].map((digit) => ({ digest: `sha256:${digit.repeat(64)}`, platform: { os: 'linux' } }))
    const { options, docker } = prepare({ 'inspect --raw': JSON.stringify({ manifests }), '': '' })
    expect(await tagByClient(options, image, 'other.example/app:1')).toBeUndefined()
    expect(docker.calls.slice(1)).toEqual([`buildx imagetools create --tag other.example/app:1 ${image}`])
  })

  it('is done again after a transient error', async () => {
    const { options, docker } = prepare({ '': [{ error: '502 Bad Gateway' }, ''] }, { retries: 1 })
    expect(await tagByClient(options, image, other)).toBeUndefined()
    expect(docker.calls).toEqual([created, created])
  })

  it('ends at the first failure', async () => {
    const { options, docker } = prepare({ [`pull ${image}`]: { error: 'not found' } }, { buildx: undefined })
    expect(await tagByClient(options, image, other)).toEqual({ kind: 'absent', message: 'ERROR: not found' })
    expect(docker.calls).toEqual([`pull ${image}`])
  })

  it.each([
    ['0.29.1', created],
    [undefined, `pull ${image}`]
  ])('ends with a cancellation, also if docker ends with 0 (buildx %s)', async (buildx, expected) => {
    const { options, docker, cancellation } = prepare({ '': '' }, { buildx })
    docker.onCall = () => cancellation.abort()
    await expect(tagByClient(options, image, other)).rejects.toThrow(CancelledError)
    expect(docker.calls).toEqual([expected])
  })
})
