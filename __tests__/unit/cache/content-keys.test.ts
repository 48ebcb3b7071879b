import { describe, expect, it } from '@jest/globals'
import { computeContentKeys, identityOf, imagesForKeys, type KeyFacts } from '../../../src/cache/content-keys.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { parseConfig } from '../../../src/registry/image.ts'
import { AMD64, all, firstDifference, image, keysOf, last, type World } from '../../support/content-keys.ts'

/** A change of one thing: what it is, the world before and after, and the first instruction with another key. */
type Change = [what: string, before: string, now: string, first: string | undefined, world?: World, changed?: World]

const args = (values: Record<string, string>): World => ({ buildArgs: new Map(Object.entries(values)) })
const images = (values: Record<string, ReturnType<typeof image> | undefined>): World => ({
  images: new Map(Object.entries(values))
})

const TWO = 'FROM busybox AS a\nRUN one\nFROM busybox\nCOPY --from=a /x /x\nRUN two'

const CHANGES: Change[] = [
  // what docker ignores
  ['a comment', 'FROM busybox\nRUN a', 'FROM busybox\n# x\nRUN a', undefined],
  ['a comment in an instruction', 'FROM busybox\nRUN a \\\n b', 'FROM busybox\nRUN a \\\n # x\n\n b', undefined],
  ['case of keywords', 'FROM busybox\nRUN a', 'from busybox\nrun a', undefined],
  ['blanks of WORKDIR', 'FROM busybox\nWORKDIR /a', 'FROM busybox\nWORKDIR   /a/', undefined],
  ['a label', 'FROM busybox\nLABEL a=1\nRUN a', 'FROM busybox\nLABEL a=2\nRUN a', undefined],
  ['the command', 'FROM busybox\nCMD a\nRUN a', 'FROM busybox\nCMD b\nRUN a', undefined],
  ['an ENV for WORKDIR', 'FROM busybox\nENV A=1\nWORKDIR /a', 'FROM busybox\nENV A=2\nWORKDIR /a', undefined],
  ['an ARG without value', 'FROM busybox\nRUN a', 'FROM busybox\nARG X\nRUN a', undefined],
  ['a build argument nobody declares', 'FROM busybox\nRUN a', 'FROM busybox\nRUN a', undefined, {}, args({ X: '1' })],
  ['a proxy', 'FROM busybox\nRUN a', 'FROM busybox\nRUN a', undefined, {}, args({ HTTP_PROXY: 'http://x' })],
  [
    'an unused argument for COPY',
    'FROM busybox\nARG X=1\nCOPY <<A /a\nb\nA',
    'FROM busybox\nARG X=2\nCOPY <<A /a\nb\nA',
    undefined
  ],
  // what a RUN sees
  ['a command', 'FROM busybox\nRUN a\nRUN b', 'FROM busybox\nRUN a\nRUN c', 'RUN 3'],
  ['blanks in a command', 'FROM busybox\nRUN a b', 'FROM busybox\nRUN a  b', 'RUN 2'],
  ['a heredoc', 'FROM busybox\nRUN <<A\nx\nA', 'FROM busybox\nRUN <<A\ny\nA', 'RUN 2'],
  ['a comment in a heredoc', 'FROM busybox\nRUN <<A\nx\nA', 'FROM busybox\nRUN <<A\n# y\nx\nA', 'RUN 2'],
  ['JSON', 'FROM busybox\nRUN ["a", "b"]', 'FROM busybox\nRUN ["a b"]', 'RUN 2'],
  ['blanks in JSON', 'FROM busybox\nRUN ["a", "b"]', 'FROM busybox\nRUN ["a","b" ]', undefined],
  ['an ENV', 'FROM busybox\nENV A=1\nRUN a', 'FROM busybox\nENV A=2\nRUN a', 'RUN 3'],
  ['order of ENV', 'FROM busybox\nENV A=1 B=1\nRUN a', 'FROM busybox\nENV B=1 A=1\nRUN a', 'RUN 3'],
  ['form of ENV', 'FROM busybox\nENV A 1\nRUN a', 'FROM busybox\nENV A="1"\nRUN a', undefined],
  ['a default', 'FROM busybox\nARG A=1\nRUN a', 'FROM busybox\nARG A=2\nRUN a', 'RUN 3'],
  ['a build argument', 'FROM busybox\nARG A=1\nRUN a', 'FROM busybox\nARG A=1\nRUN a', 'RUN 3', {}, args({ A: '2' })],
  [
    'a build argument after a step',
    'FROM busybox\nRUN a\nARG A\nRUN b',
    'FROM busybox\nRUN a\nARG A\nRUN b',
    'RUN 4',
    {},
    args({ A: '2' })
  ],
  [
    'a proxy that is declared',
    'FROM busybox\nARG HTTP_PROXY\nRUN a',
    'FROM busybox\nARG HTTP_PROXY\nRUN a',
    'RUN 3',
    {},
    args({ HTTP_PROXY: 'x' })
  ],
  ['a global ARG', 'ARG A=1\nFROM busybox\nARG A\nRUN a', 'ARG A=2\nFROM busybox\nARG A\nRUN a', 'RUN 4'],
  [
    'a global ARG that is not declared again',
    'ARG A=1\nFROM busybox\nRUN a',
    'ARG A=2\nFROM busybox\nRUN a',
    undefined
  ],
  [
    'an ARG of the base stage',
    'FROM busybox AS a\nARG A=1\nFROM a\nRUN a',
    'FROM busybox AS a\nARG A=2\nFROM a\nRUN a',
    'RUN 4'
  ],
  [
    'an ENV through an ARG',
    'FROM busybox\nARG A\nENV B=$A\nRUN a',
    'FROM busybox\nARG A\nENV B=$A\nRUN a',
    'RUN 4',
    args({ A: '1' }),
    args({ A: '2' })
  ],
  ['the user', 'FROM busybox\nUSER 1\nRUN a', 'FROM busybox\nUSER 2\nRUN a', 'RUN 3'],
  ['the shell', 'FROM busybox\nSHELL ["a"]\nRUN a', 'FROM busybox\nSHELL ["b"]\nRUN a', 'RUN 3'],
  ['the shell for JSON', 'FROM busybox\nSHELL ["a"]\nRUN ["a"]', 'FROM busybox\nSHELL ["b"]\nRUN ["a"]', undefined],
  ['WORKDIR', 'FROM busybox\nWORKDIR /a\nRUN a', 'FROM busybox\nWORKDIR /b\nRUN a', 'WORKDIR 2'],
  ['WORKDIR /', 'FROM busybox\nRUN a', 'FROM busybox\nRUN a', undefined],
  [
    'the network',
    'FROM busybox\nRUN a',
    'FROM busybox\nRUN a',
    'RUN 2',
    {},
    { runOptions: { addHosts: [], network: 'host' } }
  ],
  ['the network of a RUN', 'FROM busybox\nRUN a', 'FROM busybox\nRUN --network=none a', 'RUN 2'],
  ['a host', 'FROM busybox\nRUN a', 'FROM busybox\nRUN a', 'RUN 2', {}, { runOptions: { addHosts: ['x:1.1.1.1'] } }],
  [
    'the address of a host',
    'FROM busybox\nRUN a',
    'FROM busybox\nRUN a',
    undefined,
    { runOptions: { addHosts: ['x:1.1.1.2'] } },
    { runOptions: { addHosts: ['x:1.1.1.1'] } }
  ],
  [
    'the size of shm',
    'FROM busybox\nRUN a',
    'FROM busybox\nRUN a',
    'RUN 2',
    {},
    { runOptions: { addHosts: [], shmSize: '1g' } }
  ],
  [
    'a limit',
    'FROM busybox\nRUN a',
    'FROM busybox\nRUN a',
    'RUN 2',
    {},
    { runOptions: { addHosts: [], ulimit: ['nofile=1'] } }
  ],
  [
    'a limit for what is no RUN',
    'FROM busybox\nCOPY <<A /a\nb\nA',
    'FROM busybox\nCOPY <<A /a\nb\nA',
    undefined,
    {},
    { runOptions: { addHosts: [], ulimit: ['nofile=1'] } }
  ],
  ['a mount', 'FROM busybox\nRUN a', 'FROM busybox\nRUN --mount=type=cache,target=/x a', 'RUN 2'],
  [
    'the id of a cache',
    'FROM busybox\nRUN --mount=type=cache,target=/x,id=a a',
    'FROM busybox\nRUN --mount=type=cache,target=/x,id=b a',
    undefined
  ],
  ['a secret', 'FROM busybox\nRUN --mount=type=secret,id=a a', 'FROM busybox\nRUN --mount=type=secret,id=b a', 'RUN 2'],
  // images and stages
  ['the base image', 'FROM busybox\nRUN a', 'FROM busybox\nRUN a', 'FROM 1', {}, images({ busybox: image('other') })],
  [
    'the platform',
    'FROM busybox\nRUN a',
    'FROM busybox\nRUN a',
    'FROM 1',
    {},
    { platform: { os: 'linux', architecture: 'arm64' } }
  ],
  ['a stage', TWO, TWO.replace('one', 'other'), 'RUN 2'],
  ['the name of a stage', TWO, TWO.replace('AS a', 'AS b').replace('=a', '=b'), undefined],
  [
    'an image that is copied from',
    'FROM busybox\nCOPY --from=t /x /x',
    'FROM busybox\nCOPY --from=t /x /x',
    'COPY 2',
    images({ busybox: image('a'), t: image('t') }),
    images({ busybox: image('a'), t: image('u') })
  ],
  [
    'an image that is mounted',
    'FROM busybox\nRUN --mount=from=t,target=/t a',
    'FROM busybox\nRUN --mount=from=t,target=/t a',
    'RUN 2',
    images({ busybox: image('a'), t: image('t') }),
    images({ busybox: image('a'), t: image('u') })
  ],
  [
    'a trigger',
    'FROM busybox AS a\nONBUILD RUN x\nFROM a\nRUN a',
    'FROM busybox AS a\nONBUILD RUN y\nFROM a\nRUN a',
    'RUN 0'
  ],
  // COPY by what it means
  [
    'a variable in a destination',
    'FROM busybox\nARG A=x\nCOPY <<A /$A\nb\nA',
    'FROM busybox\nARG A=y\nCOPY <<A /$A\nb\nA',
    'COPY 3'
  ],
  [
    'an owner',
    'FROM busybox\nARG A=x\nCOPY --chown=$A <<A /a\nb\nA',
    'FROM busybox\nARG A=y\nCOPY --chown=$A <<A /a\nb\nA',
    'COPY 3'
  ],
  ['a mode', 'FROM busybox\nCOPY --chmod=755 <<A /a\nb\nA', 'FROM busybox\nCOPY --chmod=700 <<A /a\nb\nA', 'COPY 2'],
  [
    'the same mode',
    'FROM busybox\nCOPY --chmod=755 <<A /a\nb\nA',
    'FROM busybox\nCOPY --chmod=0755 <<A /a\nb\nA',
    undefined
  ],
  ['a heredoc of COPY', 'FROM busybox\nCOPY <<A /a\nb\nA', 'FROM busybox\nCOPY <<A /a\nc\nA', 'COPY 2'],
  [
    'a variable in a heredoc',
    'FROM busybox\nARG V=1\nCOPY <<A /a\n$V\nA',
    'FROM busybox\nARG V=2\nCOPY <<A /a\n$V\nA',
    'COPY 3'
  ],
  [
    'the working directory of a destination',
    'FROM busybox\nWORKDIR /a\nCOPY <<A b\nb\nA',
    'FROM busybox\nWORKDIR /a\nCOPY <<A /a/b\nb\nA',
    undefined
  ],
  [
    'a variable for its value',
    'FROM busybox\nENV D=/d\nCOPY <<A $D\nb\nA',
    'FROM busybox\nENV D=/d\nCOPY <<A /d\nb\nA',
    undefined
  ]
]

describe('A change of', () => {
  it.each(CHANGES)('%s', async (_, before, now, first, world = {}, changed = world) => {
    const [keysBefore, keysNow] = [await keysOf(before, world), await keysOf(now, { ...world, ...changed })]
    const steps = (keys: typeof keysNow) =>
      new Map(
        [...keys].map(([stage, one]) => [
          stage,
          { ...one, instructions: one.instructions.filter(({ isStep }) => isStep) }
        ])
      )
    expect(firstDifference(steps(keysBefore), steps(keysNow))).toBe(first)
    expect(all(keysNow).map(({ key }) => key)).not.toContain(undefined)
    const index =
      first === undefined
        ? undefined
        : all(steps(keysNow)).findIndex(({ keyword, line }) => `${keyword} ${line}` === first)
    // none after it in the stage has the same key
    const [old, later] = [last(steps(keysBefore)), last(steps(keysNow))]
    if (index !== undefined) expect(later.instructions.at(-1)?.key).not.toBe(old.instructions.at(-1)?.key)
  })
})

describe('No key', () => {
  it.each<[string, string, number, World?]>([
    ['a URL', 'FROM busybox\nRUN a\nADD https://x/y /y\nRUN b', 1],
    ['a git repository', 'FROM busybox\nRUN a\nADD https://x/y.git /y\nRUN b', 1],
    ['an unknown base', 'FROM other\nRUN a', 0],
    ['triggers of a base image', 'FROM busybox\nRUN a', 0, images({ busybox: image('x', { hasTriggers: true }) })],
    ['an unknown image', 'FROM busybox\nRUN a\nCOPY --from=other /x /x\nRUN b', 1],
    ['another platform', 'FROM --platform=linux/arm64 busybox\nRUN a', 0],
    ['the name of the target', 'FROM busybox\nARG TARGETSTAGE\nWORKDIR /a\nRUN a', 1],
    ['a stage without', 'FROM other AS a\nFROM busybox\nRUN a\nCOPY --from=a /x /x', 1],
    [
      'a variable of a base with unknown config',
      'FROM busybox\nRUN a\nCOPY <<A $B\nb\nA\nRUN a',
      1,
      images({ busybox: { identity: 'x', hasTriggers: false } })
    ],
    ['a file that is not there', 'FROM busybox\nRUN a\nCOPY a /a', 1]
  ])('after %s', async (_, text, steps, world = {}) => {
    const { instructions, image: whole } = last(await keysOf(text, world))
    const known = instructions.filter(({ isStep, key }) => isStep && key !== undefined)
    expect(known).toHaveLength(steps)
    expect(whole).toBeUndefined()
  })

  it.each<[string, World]>([
    ['# syntax=other/frontend\nFROM busybox\nRUN a', {}],
    ['FROM busybox\nRUN a', args({ BUILDKIT_SYNTAX: 'other/frontend' })],
    ['FROM busybox\nRUN a', { platform: undefined }]
  ])('at all: %j', async (text, world) => {
    expect((await keysOf(text, world)).size).toBe(0)
  })

  it('is missing for what is known', async () => {
    for (const text of [
      '# syntax=docker/dockerfile:1\nFROM busybox\nRUN a',
      'FROM --platform=$TARGETPLATFORM busybox\nARG TARGETARCH\nRUN a',
      'FROM busybox\nADD --checksum=sha256:1 https://x/y /y'
    ]) {
      expect(last(await keysOf(text)).image).toMatch(/^[0-9a-f]{64}$/)
    }
  })
})

describe('The image', () => {
  it.each([
    ['FROM busybox\nCMD a', 'FROM busybox\nCMD b'],
    ['FROM busybox\nLABEL a=1', 'FROM busybox\nLABEL a=2'],
    ['FROM busybox\nARG V=1\nLABEL a=$V', 'FROM busybox\nARG V=2\nLABEL a=$V'],
    ['FROM busybox\nENV a=1', 'FROM busybox\nENV a=2'],
    ['FROM busybox\nWORKDIR /', 'FROM busybox\nRUN a'],
    ['FROM busybox AS a\nUSER 1\nFROM a\nRUN a', 'FROM busybox AS a\nUSER 2\nFROM a\nRUN a']
  ])('of %j is not that of %j', async (one, other) => {
    expect(last(await keysOf(one)).image).not.toBe(last(await keysOf(other)).image)
  })
})

describe('A key', () => {
  it('before a build argument, files or another stage deserves a tag', async () => {
    const text = `FROM busybox AS a\nARG A\nARG B\nRUN one\nRUN two\nARG A\nCOPY <<E /$B\nx\nE\nFROM a\nRUN three\nCOPY --from=a /x /y\nRUN four`
    const reads = (await keysOf(text, args({ A: '1' }))).values().flatMap(({ instructions }) => instructions)
    expect([...reads].filter(({ readsOutside }) => readsOutside).map(({ line }) => line)).toEqual([4, 12])
  })

  it('names what it is made of', async () => {
    const text = 'FROM busybox\nARG A\nUSER 1\nRUN x'
    const [one, two] = [await keysOf(text, args({ A: '1' })), await keysOf(text, args({ A: '2' }))]
    const [before, now] = [last(one).instructions[2]?.ingredients ?? [], last(two).instructions[2]?.ingredients ?? []]
    const changed = now.filter(({ hash }, index) => hash !== before[index]?.hash)
    expect(changed.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['argument A'])
  })

  it('of the legacy builder contains every instruction', async () => {
    const [one, two] = await Promise.all(
      ['1', '2'].map((value) => keysOf(`FROM busybox\nRUN a\nLABEL a=${value}\nRUN b`, { chainsConfig: true }))
    )
    expect(firstDifference(one ?? new Map(), two ?? new Map())).toBe('LABEL 3')
    expect(all(one ?? new Map()).map(({ isStep }) => isStep)).toEqual([false, true, true, true])
  })
})

describe('imagesForKeys', () => {
  it('names what the stages read', () => {
    const text = `ARG V=1\nFROM a:$V AS x\nONBUILD COPY --from=b /x /x\nFROM unused\nFROM c AS d\nRUN --mount=from=e,target=/e true\nFROM x\nCOPY --from=d /x /x\nCOPY --from=f:1 / /`
    expect(
      imagesForKeys(parseDockerfile(text), [3], new Map([['V', '2']])).toSorted((a, b) => a.localeCompare(b))
    ).toEqual(['a:2', 'b', 'c', 'e', 'f:1'])
    expect(imagesForKeys(parseDockerfile('FROM a-$TARGETARCH'), [0], new Map())).toEqual([])
    expect(
      imagesForKeys(parseDockerfile('FROM a-$TARGETARCH'), [0], new Map(), { os: 'linux', architecture: 'arm64' })
    ).toEqual(['a-arm64'])
  })
})

describe('identityOf', () => {
  const record = (config: object, layers = ['sha256:1']) => parseConfig({ config, rootfs: { diff_ids: layers } })

  it('is of layers and config', () => {
    const { identity, layers, config } = identityOf(record({ Env: ['A=1'], User: 'u', WorkingDir: '/w', Shell: ['s'] }))
    expect(config).toEqual({ env: ['A=1'], user: 'u', workdir: '/w', shell: ['s'] })
    expect(identityOf(record({ Env: ['A=2'] })).identity).not.toBe(identity)
    expect(identityOf(record({ Env: ['A=2'] })).layers).toBe(layers)
    expect(identityOf(record({}, ['sha256:2'])).layers).not.toBe(layers)
    expect(identityOf(record({ Labels: { a: '1' } }))).toEqual(identityOf(record({})))
  })

  it('tells triggers', () => {
    expect(identityOf(record({ OnBuild: ['RUN a'] })).hasTriggers).toBe(true)
    expect(identityOf({ ...record({ OnBuild: ['RUN a'] }), hasTriggers: undefined } as never).hasTriggers).toBe(true)
    expect(identityOf(record({})).hasTriggers).toBe(false)
  })
})

it('computes only what is needed', () => {
  const dockerfile = parseDockerfile('FROM scratch AS a\nFROM scratch AS b\nFROM a')
  const facts = { buildArgs: new Map(), platform: { os: 'linux', architecture: 'amd64' }, runOptions: { addHosts: [] } }
  const context = { take: () => undefined }
  const keys = computeContentKeys(dockerfile, [2], { ...facts, images: new Map(), context, chainsConfig: false })
  expect([...keys.keys()]).toEqual([0, 2])
})

describe('Named contexts', () => {
  const kinds: Record<string, 'image' | 'folder' | 'other'> = { img: 'image', dir: 'folder', url: 'other' }
  const namedContext = (name: string): 'image' | 'folder' | 'other' | undefined => kinds[name]
  const taken: string[] = []
  /** The build context and the folder have what their selections say. */
  async function keys(text: string, identity = 'img', files = 'a'): Promise<(string | undefined)[]> {
    const dockerfile = parseDockerfile(text)
    const context: KeyFacts['context'] = {
      take: ({ context: name, source }) => {
        taken.push(`${name ?? ''}:${source}`)
        return { hash: `${name ?? ''} ${files}`, files: ['f'] }
      }
    }
    const world = { buildArgs: new Map(), platform: AMD64, runOptions: { addHosts: [] }, chainsConfig: false }
    const known = new Map([
      ['img', image(identity)],
      ['busybox', image('busybox')]
    ])
    const facts = { ...world, images: known, context, namedContext }
    return all(computeContentKeys(dockerfile, [dockerfile.stages.length - 1], facts)).map(({ key }) => key)
  }

  it.each([
    ['FROM img\nRUN a', 2],
    ['FROM busybox\nCOPY --from=img /a /b', 2],
    ['FROM busybox\nRUN --mount=from=img,target=/a b', 2]
  ])('of an image count by its identity: %j', async (text, count) => {
    const [before, now] = await Promise.all([keys(text), keys(text, 'other')])
    expect(before.filter((key) => key !== undefined)).toHaveLength(count)
    expect(now.at(-1)).not.toBe(before.at(-1))
  })

  it.each([
    'FROM busybox\nCOPY --from=dir src/*.txt /b',
    'FROM busybox\nRUN --mount=from=dir,source=src/*.txt,target=/a b'
  ])('of a folder count by what is taken of them: %j', async (text) => {
    taken.length = 0
    const [before, now] = await Promise.all([keys(text), keys(text, 'img', 'b')])
    expect(new Set(taken)).toEqual(new Set(['dir:src/*.txt']))
    expect(before.at(-1)).toMatch(/^[0-9a-f]{64}$/)
    expect(now.at(-1)).not.toBe(before.at(-1))
  })

  it.each([
    'FROM url\nRUN a',
    'FROM dir\nRUN a',
    'FROM busybox\nCOPY --from=url /a /b',
    'FROM busybox\nRUN --mount=from=url,target=/a b'
  ])('are unknown otherwise: %j', async (text) => {
    expect((await keys(text)).at(-1)).toBeUndefined()
  })

  it('that are folders are no images to read', () => {
    const text = 'FROM img\nCOPY --from=dir /a /b\nCOPY --from=url /a /b\nCOPY --from=busybox /a /b'
    expect(imagesForKeys(parseDockerfile(text), [0], new Map(), AMD64, namedContext)).toEqual(['img', 'busybox'])
  })
})
