import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { choosePrefetched, prefetchDockerfile } from '../../../src/pipeline/prefetch.ts'
import { splitAtBuilder } from '../../../src/plan/stage-builds.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { image as identity, keysOf, labelsWithKeys } from '../../support/content-keys.ts'
import { makePlan } from '../../support/make-plan.ts'

const BUILDER = 'FROM node:24 AS builder\nCOPY src src\nRUN make\n'
const OWN = 'COPY package.json .\nRUN npm ci\n'
const COPIED = 'COPY --from=builder /a /a\n'

/** The layers of a published image, in bytes, those of its base first, and the instructions that its history ends with. */
interface Published {
  sizes: number[]
  history: string[]
  /** Whether it has cache metadata, as far as that is known. */
  records?: boolean | 'unknown'
}

function image({ sizes, history, records = true }: Published): ImageRecord {
  const own = history.map((createdBy) => ({ createdBy, empty: /^(CMD|ENV)/.test(createdBy) }))
  const base = Array.from({ length: sizes.length - own.filter(({ empty }) => !empty).length }, () => ({
    createdBy: 'base',
    empty: false
  }))
  return {
    labels: {},
    runtime: '[]',
    layers: sizes.map(String),
    manifest: { bytes: 0, layers: sizes.map((size, index) => ({ digest: `sha256:${index}`, size })) },
    history: [...base, ...own],
    ...(records && { recorded: records === 'unknown' ? records : sizes.map((_, index) => index) })
  }
}

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'prefetch-'))
  mkdirSync(join(folder, 'src'))
  for (const name of ['package.json', 'src/a.c']) writeFileSync(join(folder, name), '')
})
afterEach(() => rmSync(folder, { recursive: true }))

const IMAGES = new Map(['node:24', 'slim', 'docker.io/library/slim'].map((name) => [name, identity(name)]))

/** @param changed files that change after the images were published */
async function choose(text: string, published: (Published | undefined)[], changed: string[] = []): Promise<string[]> {
  const plan = makePlan({ text, inputs: { image: 'app' } })
  const world = { folder, images: IMAGES }
  const [, afterBuilder] = splitAtBuilder(plan.builds)
  const before = await keysOf(text, world)
  for (const name of changed) writeFileSync(join(folder, name), 'changed')
  const sources = afterBuilder.map((build, index) => {
    const one = published[index]
    const labels = labelsWithKeys(build, before)
    return { reference: build.cacheSource, image: one && { ...image(one), labels } }
  })
  return choosePrefetched(plan, sources, await keysOf(text, world))
}

describe('choosePrefetched', () => {
  const useful: Published = { sizes: [900, 5, 100, 3], history: ['COPY package.json .', 'RUN npm ci', 'COPY /a /a'] }

  it.each<[string, string, (Published | undefined)[], string[], string[]]>([
    ['what production has of its own', `${BUILDER}FROM node:24\n${OWN}${COPIED}`, [useful], [], ['app:latest']],
    ['that, and not its base', `${BUILDER}FROM slim\n${OWN}${COPIED}`, [useful], [], ['app:latest']],
    [
      'nothing of an image that is as good as new',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [{ ...useful, sizes: [900, 5, 100, 30] }],
      ['src/a.c'],
      []
    ],
    [
      'the base instead',
      `${BUILDER}FROM slim\n${OWN}${COPIED}`,
      [{ ...useful, sizes: [900, 5, 100, 30] }],
      ['src/a.c'],
      ['slim']
    ],
    ['the base where nothing is published', `${BUILDER}FROM slim\n${OWN}${COPIED}`, [undefined], [], ['slim']],
    [
      'the base where all else comes from the builder',
      `${BUILDER}FROM slim\n${COPIED}CMD a\n`,
      [{ sizes: [9, 1], history: ['COPY /a /a', 'CMD a'] }],
      ['src/a.c'],
      ['slim']
    ],
    [
      'nothing if a file that comes first has changed',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [useful],
      ['package.json'],
      []
    ],
    [
      'all of an image of the same content',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [{ ...useful, sizes: [900, 5, 100, 30] }],
      [],
      ['app:latest']
    ],
    ['what no changed file concerns', `${BUILDER}FROM node:24\n${OWN}${COPIED}`, [useful], ['src/a.c'], ['app:latest']],
    [
      'nothing where the builder is the base',
      `${BUILDER}FROM builder\nRUN a\n`,
      [{ sizes: [9, 8], history: ['RUN a'] }],
      [],
      []
    ],
    ['nothing where there is no base', `${BUILDER}FROM scratch\n${COPIED}`, [undefined], [], []],
    [
      'nothing of an image of another Dockerfile',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [{ sizes: [900, 5], history: ['COPY other .'] }],
      [],
      []
    ],
    ['nothing of a base that only the engine knows', `${BUILDER}FROM slim-$TARGETARCH\n${COPIED}`, [undefined], [], []],
    [
      'a stage that is published by itself, which depends on the builder in nothing',
      `${BUILDER}FROM node:24 AS deps\n${OWN}FROM slim\nCOPY --from=deps /d /d\n${COPIED}`,
      [
        { sizes: [900, 5, 100], history: ['COPY package.json .', 'RUN npm ci'] },
        { sizes: [50, 100, 3], history: ['COPY /d /d', 'COPY /a /a'] }
      ],
      [],
      ['app:builder-stage-deps', 'app:latest']
    ],
    [
      'neither a stage whose files have changed nor what copies from it',
      `${BUILDER}FROM node:24 AS deps\n${OWN}FROM slim\nCOPY --from=deps /d /d\n${COPIED}`,
      [
        { sizes: [900, 5, 100], history: ['COPY package.json .', 'RUN npm ci'] },
        { sizes: [50, 100, 3], history: ['COPY /d /d', 'COPY /a /a'] }
      ],
      ['package.json'],
      ['slim']
    ],
    [
      'nothing of an image without cache metadata',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [{ ...useful, records: false }],
      [],
      []
    ],
    [
      'an image of which it is not known whether it has cache metadata',
      `${BUILDER}FROM node:24\n${OWN}${COPIED}`,
      [{ ...useful, records: 'unknown' }],
      [],
      ['app:latest']
    ],
    [
      'nothing that the builder reads, too',
      `${BUILDER}COPY --from=docker.io/library/slim /a /a\nFROM slim\n${COPIED}`,
      [undefined],
      [],
      []
    ],
    ['no base of a platform of its own', `${BUILDER}FROM --platform=linux/arm64 slim\n${COPIED}`, [undefined], [], []],
    ['nothing that is no reference', `ARG X="a b"\n${BUILDER}FROM $X\n${COPIED}`, [undefined], [], []],
    [
      'a base once',
      `${BUILDER}FROM slim AS deps\n${OWN}FROM slim\nCOPY --from=deps /d /d\n${COPIED}`,
      [undefined, undefined],
      [],
      ['slim']
    ]
  ])('%s', async (_, text, published, changed, expected) => {
    expect(await choose(text, published, changed)).toEqual(expected)
  })

  it('the base instead of an image without content keys', () => {
    const plan = makePlan({ text: `${BUILDER}FROM slim\n${OWN}${COPIED}` })
    const source = { reference: 'octo/app:latest', image: image(useful) }
    expect(choosePrefetched(plan, [source], new Map())).toEqual(['slim'])
  })
})

describe('prefetchDockerfile', () => {
  it('copies from every image, each in a stage of its own', () => {
    const { stages, buildKitFeatures } = parseDockerfile(prefetchDockerfile(['app:latest', 'slim']))
    expect(stages.flatMap(({ instructions }) => instructions.flatMap(({ imagesFrom }) => imagesFrom))).toEqual([
      'app:latest',
      'slim'
    ])
    expect(stages.map(({ base }) => base)).toEqual(['scratch', 'scratch', 'scratch'])
    expect(stages.at(-1)?.copiesFrom).toEqual([0, 1])
    expect(buildKitFeatures).toEqual([])
  })
})
