import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Evidence } from '../../../src/cache/evidence.ts'
import { explainMisses } from '../../../src/cache/explain-miss.ts'
import { type ContentKeys, chainOfKeys } from '../../../src/cache/key-tags.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import type { FailureKind } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import type { Step } from '../../../src/result/result.ts'
import { image as identity, keysOf, labelsWithKeys, type World } from '../../support/content-keys.ts'
import { failureOf } from '../../support/fake-registry.ts'
import { builderBuild } from '../../support/make-plan.ts'
import { makeBuild } from '../../support/results.ts'

const TEXT = `FROM node:24 AS builder
ARG VERSION=0
COPY package.json ./
RUN npm ci
COPY src ./src
RUN make
`
const ENGINE = '28.5 containerd'
const IMAGES = new Map([
  ['node:24', identity('node')],
  ['tools', identity('tools')]
])

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'explain-'))
  mkdirSync(join(folder, 'src'))
  for (const name of ['package.json', 'src/a', 'src/b']) write(name)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, content = ''): void {
  writeFileSync(join(folder, name), content)
}

function published(keys: ContentKeys, text = TEXT, { engine = ENGINE, recorded = [1, 2, 3, 4] } = {}): ImageRecord {
  const build = builderBuild(text)
  const own = build.instructions.map(({ text: createdBy, keyword }) => ({ createdBy, empty: keyword === 'ARG' }))
  return {
    labels: labelsWithKeys(build, keys, engine),
    ...{ runtime: '[]', layers: ['base', 'a', 'b', 'c', 'd'], recorded },
    history: [{ createdBy: 'base', empty: false }, ...own]
  }
}

interface Change {
  /** What the builder stage and its world become after the image was published. */
  text?: string
  world?: World
  files?: () => void
  evidence?: Partial<Evidence>
  /** The builder stage and its world before. */
  before?: { text?: string; world?: World; engine?: string; recorded?: number[] }
}

/** Returns the reason for which the step in this line was the first that was executed, after a change. */
async function why(line: number, { text, world = {}, files, evidence, before = {} }: Change = {}): Promise<unknown> {
  const images = { images: IMAGES, folder }
  const old = before.text ?? TEXT
  const record = published(await keysOf(old, { ...images, ...before.world }), old, before)
  files?.()
  const now = text ?? old
  const stageBuild = builderBuild(now)
  const stages = parseDockerfile(now).stages
  const steps = stages.flatMap(({ instructions, name = '' }) =>
    instructions
      .filter(({ keyword }) => !['ARG', 'ENV', 'USER', 'ONBUILD'].includes(keyword))
      .map((one): Step => {
        return { stage: name, instruction: one.text, line: one.line, cached: one.line < line, seconds: 0 }
      })
  )
  const [miss] = explainMisses({
    ...{ stageBuild, build: makeBuild({ steps }), cacheMetadata: true, reusesLayers: true },
    published: { image: record },
    keys: chainOfKeys(stageBuild, await keysOf(now, { ...images, ...world })),
    ...{
      engine: ENGINE,
      digests: new Map(),
      changed: [],
      unusualModes: [],
      uncachedStages: [],
      publishesAllStages: true
    },
    argumentNames: new Set(['VERSION']),
    executedStages: new Set(['builder']),
    ...evidence
  })
  return miss && { kind: miss.kind, reason: miss.reason, unexpected: miss.unexpected }
}

const changed = (...names: string[]): Partial<Evidence> => ({ changed: names })

describe('explainMisses', () => {
  it.each<[string, number, Change, string, RegExp, boolean]>([
    ['nothing changed', 4, {}, 'unknown', /everything that it depends on is the same/, true],
    [
      'nothing changed but the engine',
      4,
      { before: { engine: '26.1 containerd' } },
      'unknown',
      /Docker 26\.1 containerd built octo\/app:builder, and this is Docker 28\.5 containerd/,
      false
    ],
    [
      'records are missing',
      4,
      { before: { recorded: [3] } },
      'incomplete-metadata',
      /no record of 3 of 4 layers/,
      true
    ],
    [
      'files that git names',
      5,
      { files: () => write('src/b', '2'), evidence: changed('docs/a', 'src/b', 'src/gone') },
      'files-changed',
      /^src\/b changed since the commit of the published image\.$/,
      false
    ],
    [
      'a submodule that git names by its folder',
      5,
      { files: () => write('src/b', '2'), evidence: changed('sr', 'src') },
      'files-changed',
      /^src changed since the commit of the published image\.$/,
      false
    ],
    [
      'files of a COPY before it, which another build of this run executed',
      4,
      { files: () => write('package.json', '2'), evidence: changed('package.json') },
      'files-changed',
      /^package\.json changed/,
      false
    ],
    [
      'files of a later COPY are no reason',
      4,
      { files: () => write('src/b', '2'), evidence: changed('src/b') },
      'unknown',
      /everything that it depends on is the same/,
      true
    ],
    [
      'files that git does not track',
      5,
      { files: () => write('src/new') },
      'files-changed',
      /changed \(3 files, before 2\): git tracks none/,
      false
    ],
    [
      'files, with an unknown commit',
      5,
      { files: () => write('src/b', '2'), evidence: { changed: undefined } },
      'files-changed',
      /changed \(2 files\)\. Their names are unknown.*fetch-depth: 0/,
      false
    ],
    [
      'modes',
      5,
      {
        files: () => chmodSync(join(folder, 'src/a'), 0o640),
        evidence: { unusualModes: [{ path: 'src/a', mode: '640' }] }
      },
      'files-changed',
      /modes differ.*src\/a \(640\)/,
      false
    ],
    [
      '.git',
      2,
      {
        before: { text: 'FROM node:24 AS builder\nCOPY . .\n' },
        files: () => {
          mkdirSync(join(folder, '.git'))
          write('.git/index')
        }
      },
      'files-changed',
      /add \.git to \.dockerignore/,
      false
    ],
    [
      'the .dockerignore',
      5,
      { world: { dockerignore: 'src/b' } },
      'files-changed',
      /changed \(1 files, before 2\)/,
      false
    ],
    [
      'the instruction',
      6,
      { text: TEXT.replace('make', 'make all') },
      'instruction-changed',
      /^The instruction changed, or is new/,
      false
    ],
    [
      'one before it',
      6,
      { text: TEXT.replace('COPY src ./src', 'COPY src ./lib') },
      'instruction-changed',
      /in line 5, before it, changed or is new: COPY src \.\/lib\./,
      false
    ],
    [
      'a new one before it',
      7,
      { text: TEXT.replace('RUN npm ci\n', 'RUN npm ci\nRUN lint\n') },
      'instruction-changed',
      /in line 5, before it/,
      false
    ],
    [
      'one after it is no reason',
      4,
      { text: TEXT.replace('make', 'make all') },
      'unknown',
      /everything that it depends on is the same/,
      true
    ],
    [
      'a build argument',
      4,
      { world: { buildArgs: new Map([['VERSION', '1']]) } },
      'build-arg-changed',
      /^The value of the build argument VERSION changed\.$/,
      false
    ],
    [
      'a variable',
      4,
      {
        before: { text: TEXT.replace('ARG', 'ENV') },
        text: TEXT.replace('ARG VERSION=0', 'ENV VERSION=1'),
        evidence: { argumentNames: new Set() }
      },
      'instruction-changed',
      /^The value of the variable VERSION changed\.$/,
      false
    ],
    [
      'the user',
      4,
      {
        text: TEXT.replace('ARG VERSION=0', 'ARG VERSION=0\nUSER node').replace('COPY package.json ./\n', ''),
        before: { text: TEXT.replace('COPY package.json ./\n', '') }
      },
      'instruction-changed',
      /sets another user|before it/,
      false
    ],
    [
      'the network',
      4,
      { world: { runOptions: { network: 'none', addHosts: [] } } },
      'options-changed',
      /^The input network changed\.$/,
      false
    ],
    [
      'a limit',
      4,
      { world: { runOptions: { ulimit: ['nofile=1'], addHosts: [] } } },
      'options-changed',
      /^(The input ulimit changed\.|The instruction .*)$/,
      false
    ],
    [
      'an input that excludes the cache',
      4,
      { evidence: { uncachedStages: ['builder'] } },
      'no-cache',
      /^The inputs no-cache and no-cache-filters exclude the cache\.$/,
      false
    ],
    [
      'a new host',
      4,
      { world: { runOptions: { addHosts: ['db:10.0.0.1'] } } },
      'options-changed',
      /^The input add-hosts changed\.$/,
      false
    ],
    [
      'another address of a host is no reason',
      4,
      {
        before: { world: { runOptions: { addHosts: ['db:10.0.0.1'] } } },
        world: { runOptions: { addHosts: ['db:10.0.0.2'] } }
      },
      'unknown',
      /everything that it depends on is the same/,
      true
    ],
    [
      'the base',
      3,
      { world: { images: new Map([['node:24', identity('other')]]) } },
      'base-changed',
      /^The base image node:24 moved, or FROM names another image\.$/,
      false
    ],
    [
      'another platform',
      3,
      { world: { platform: { os: 'linux', architecture: 'arm64' } } },
      'platform-changed',
      /^The platform changed\.$/,
      false
    ],
    [
      'an image that it copies from',
      2,
      {
        before: { text: 'FROM node:24 AS builder\nCOPY --from=tools /a /a\n' },
        world: { images: new Map([...IMAGES, ['tools', identity('other')]]) }
      },
      'base-changed',
      /^The image tools, from which it copies, moved\.$/,
      false
    ],
    [
      'an image that it mounts',
      2,
      {
        before: { text: 'FROM node:24 AS builder\nRUN --mount=from=tools,target=/t true\n' },
        world: { images: new Map([...IMAGES, ['tools', identity('other')]]) }
      },
      'base-changed',
      /^The image tools, from which it copies, moved\.$/,
      false
    ],
    [
      'a URL',
      2,
      { before: { text: 'FROM node:24 AS builder\nADD https://example.com/a /a\nRUN make\n' } },
      'unknown',
      /cannot be known what ADD in line 2 reads/,
      false
    ],
    [
      'a git source',
      3,
      { before: { text: 'FROM node:24 AS builder\nADD https://example.com/a.git#main /a\nRUN make\n' } },
      'unknown',
      /cannot be known what ADD in line 2 reads/,
      false
    ],
    [
      'a base image that cannot be read',
      3,
      { world: { images: new Map() } },
      'unknown',
      /the image that FROM names cannot be read/,
      false
    ],
    [
      'an engine that reuses nothing',
      5,
      { evidence: { reusesLayers: false } },
      'unknown',
      /^Unknown: this engine cannot reuse/,
      false
    ]
  ])('%s', async (_, line, change, kind, reason, unexpected) => {
    expect(await why(line, change)).toEqual({ kind, reason: expect.stringMatching(reason), unexpected })
  })

  it('names the digests of a base image that moved, if both images name theirs', async () => {
    const other = published(await keysOf(TEXT, { images: IMAGES, folder }))
    Object.assign(other.labels, {
      'org.opencontainers.image.base.name': 'docker.io/library/node:24',
      'org.opencontainers.image.base.digest': 'sha256:1'
    })
    const evidence = { published: { image: other }, digests: new Map([['node:24', 'sha256:2']]) }
    expect(await why(3, { world: { images: new Map([['node:24', identity('other')]]) }, evidence })).toMatchObject({
      reason: 'The base image node:24 moved from sha256:1 to sha256:2.'
    })
  })

  it.each<[string, Partial<Evidence>, string, RegExp]>([
    ['no metadata', { published: { image: { ...bare(), labels: {} } } }, 'no-metadata', /something else/],
    [
      'an image of BuildKit, for the legacy builder',
      { cacheMetadata: false, published: { image: { ...bare(), history: history('COPY a a # buildkit') } } },
      'no-metadata',
      /built by BuildKit, whose images are no cache for the legacy builder/
    ],
    [
      'an image of the legacy builder on one of BuildKit',
      {
        cacheMetadata: false,
        published: { image: { ...bare(), history: [{ createdBy: 'RUN a # buildkit' }, ...history('COPY a a')] } }
      },
      'unknown',
      /has no content keys/
    ],
    [
      'no label',
      { published: { image: { ...bare(), recorded: [0] } } },
      'unknown',
      /has no content keys: an older version/
    ],
    ['no keys', { keys: [] }, 'unknown', /this run has no content keys/],
    [
      'nothing',
      { published: { failure: failureOf('absent') } },
      'not-published',
      /Nothing is published as octo\/app:builder/
    ],
    ['an image with no access', { published: { failure: failureOf('refused') } }, 'refused', /Access denied to octo/],
    [
      'an unreachable one',
      { published: { failure: failureOf('unreachable') } },
      'unreachable',
      /could not be reached for octo/
    ],
    [
      'an untrusted one',
      { published: { failure: failureOf('untrusted', 'self-signed certificate') } },
      'unknown',
      /could not be inspected \(self-signed certificate\)/
    ],
    [
      'one that fails otherwise',
      { published: { failure: failureOf('unknown', 'HTTP status 418') } },
      'unknown',
      /could not be inspected \(HTTP status 418\)/
    ]
  ])('%s is published', async (_, evidence, kind, reason) => {
    expect(await why(3, { evidence })).toEqual({ kind, reason: expect.stringMatching(reason), unexpected: false })
  })

  /** The history of `TEXT` with this as its COPY. */
  function history(copy: string): ImageRecord['history'] {
    return ['ARG VERSION=0', copy, 'RUN npm ci', copy, 'RUN make'].map((createdBy) => ({ createdBy }))
  }

  function bare(): ImageRecord {
    return { labels: {}, runtime: '[]', layers: [], history: [] }
  }

  it.each(['ONBUILD COPY a   /b', 'COPY a   /b'])('knows a trigger that is shown as %s', async (instruction) => {
    const text = 'FROM node:24 AS template\nONBUILD COPY src \\\n  /b\nFROM template AS builder\n'
    const shown = instruction.replace(' a ', ' src ')
    const step: Step = { stage: 'builder', instruction: shown, cached: false, seconds: 0 }
    const evidence = { build: makeBuild({ steps: [step] }), changed: ['src/a'] }
    expect(await why(0, { before: { text }, files: () => write('src/a', '2'), evidence })).toEqual({
      kind: 'files-changed',
      reason: 'src/a changed since the commit of the published image.',
      unexpected: false
    })
  })

  describe('a cache that the builder could not read', () => {
    const step: Step = { stage: 'builder', instruction: 'RUN npm ci', line: 4, cached: false, seconds: 0 }
    const unreadable = (kind: FailureKind): Partial<Evidence> => ({
      build: makeBuild({
        steps: [step],
        unreadableCaches: [{ reference: 'octo/app:builder', failure: failureOf(kind) }]
      })
    })

    it('is the reason', async () => {
      expect(await why(0, { evidence: unreadable('refused') })).toMatchObject({ kind: 'refused' })
    })

    it('is not the reason if the registry tells another one', async () => {
      const published = { failure: failureOf('absent') }
      expect(await why(0, { evidence: { ...unreadable('refused'), published } })).toMatchObject({
        kind: 'not-published'
      })
    })
  })

  it('has nothing to say where all was cached', async () => {
    expect(await why(7)).toBeUndefined()
  })
})
