import { describe, expect, it } from '@jest/globals'
import type { Evidence } from '../../../src/cache/evidence.ts'
import { explainMisses } from '../../../src/cache/explain-miss.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import type { Changes } from '../../../src/git/changes.ts'
import type { FailureKind } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import type { Step } from '../../../src/result/result.ts'
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
const HISTORY = [
  'base',
  'ARG VERSION=0',
  'COPY package.json ./ # buildkit',
  'RUN |1 VERSION=0 /bin/sh -c npm ci # buildkit',
  'COPY src ./src # buildkit',
  'RUN |1 VERSION=0 /bin/sh -c make # buildkit'
]

/** An image of that history; layers: the base's, then one for each of our entries but ARG. */
function image(
  history = HISTORY,
  {
    layers = ['base', 'a', 'b', 'c', 'd'],
    recorded = [1, 2, 3, 4]
  }: Partial<Pick<ImageRecord, 'layers' | 'recorded'>> = {}
): ImageRecord {
  const entries = history.map((createdBy) => ({ createdBy, empty: createdBy.startsWith('ARG') }))
  return { labels: {}, runtime: '[]', layers, history: entries, recorded }
}

const UNCHANGED: Changes = { changed: [], untracked: [], dockerfileChanged: false }

/** The reason for which the step in this line was the first that was executed. */
function why(line: number, evidence: Partial<Evidence> = {}): object | undefined {
  const { stages } = parseDockerfile(TEXT)
  const steps = (stages[0]?.instructions ?? [])
    .filter(({ keyword }) => keyword !== 'ARG')
    .map(
      (instruction): Step => ({
        stage: 'builder',
        instruction: instruction.text,
        line: instruction.line,
        cached: instruction.line < line,
        seconds: 0
      })
    )
  const [miss] = explainMisses({
    stageBuild: builderBuild(TEXT),
    build: makeBuild({ steps }),
    cacheMetadata: true,
    reusesLayers: true,
    published: { image: image() },
    built: { image: image() },
    base: { before: 'sha256:1', now: 'sha256:1' },
    changes: UNCHANGED,
    dockerignore: '',
    links: new Map(),
    unusualModes: [],
    executedStages: new Set(['builder']),
    stageNames: ['builder'],
    publishesAllStages: true,
    ...evidence
  })
  return miss && { kind: miss.kind, reason: miss.reason, unexpected: miss.unexpected }
}

function withoutMetadata(): ImageRecord {
  const { recorded: _, ...others } = image()
  return others
}

const replaced = (before: string, after: string): ImageRecord =>
  image(HISTORY.map((entry) => entry.replace(before, after)))

describe('explainMisses', () => {
  it.each<[string, number, Partial<Evidence>, string, RegExp, boolean]>([
    ['nothing changed', 4, {}, 'unknown', /none of its inputs/, true],
    ['nothing changed, but who knows', 4, { changes: undefined }, 'unknown', /none of its inputs/, false],
    [
      'the Dockerfile did',
      4,
      { changes: { ...UNCHANGED, dockerfileChanged: true } },
      'unknown',
      /none of its inputs/,
      false
    ],
    [
      'records are missing',
      4,
      { published: { image: image(HISTORY, { recorded: [3] }) } },
      'incomplete-metadata',
      /no record of 3 of 4 layers/,
      true
    ],
    [
      'files of a COPY before it, which another stage executed in this run',
      4,
      {
        built: { image: image(HISTORY, { layers: ['base', 'new', 'b', 'c', 'd'] }) },
        changes: { ...UNCHANGED, changed: ['package.json'] }
      },
      'files-changed',
      /^package\.json changed/,
      false
    ],
    [
      'files of a COPY before it that left what was published are no reason',
      6,
      { changes: { ...UNCHANGED, changed: ['package.json'] } },
      'unknown',
      /none of its inputs/,
      true
    ],
    [
      'what a link leads to',
      5,
      { links: new Map([['src', ['lib']]]), changes: { ...UNCHANGED, changed: ['lib/a'] } },
      'files-changed',
      /^lib\/a changed/,
      false
    ],
    [
      'an engine that reuses nothing',
      5,
      { reusesLayers: false },
      'unknown',
      /^Unknown: this engine cannot reuse/,
      false
    ],
    ['no metadata', 3, { published: { image: withoutMetadata() } }, 'no-metadata', /something else/, false],
    [
      'an image of BuildKit, for the legacy builder',
      3,
      { cacheMetadata: false },
      'no-metadata',
      /built by BuildKit, whose images are no cache for the legacy builder/,
      false
    ],
    [
      'files',
      5,
      { changes: { ...UNCHANGED, changed: ['src/b', 'docs/a', 'src/a', 'src/c', 'src/d'] } },
      'files-changed',
      /^src\/b, src\/a, src\/c and 1 more changed/,
      false
    ],
    ['other files', 5, { changes: { ...UNCHANGED, changed: ['docs/a'] } }, 'unknown', /none of its inputs/, true],
    [
      'files of another COPY are no reason for a RUN',
      6,
      { changes: { ...UNCHANGED, changed: ['docs/a'] } },
      'unknown',
      /none of its inputs/,
      true
    ],
    [
      'ignored files',
      5,
      { changes: { ...UNCHANGED, changed: ['src/a'] }, dockerignore: 'src/a' },
      'unknown',
      /none of its inputs/,
      true
    ],
    [
      'files that git does not track',
      5,
      { changes: { ...UNCHANGED, untracked: ['src/made/'] } },
      'unknown',
      /untracked files.*src\/made/,
      false
    ],
    ['an unknown commit', 5, { changes: { ...UNCHANGED, changed: undefined } }, 'unknown', /fetch-depth: 0/, false],
    ['modes', 5, { unusualModes: [{ path: 'src/a', mode: '640' }] }, 'unknown', /src\/a \(640\)/, true],
    ['modes of others', 5, { unusualModes: [{ path: 'a', mode: '640' }] }, 'unknown', /none of its inputs/, true],
    [
      'the instruction',
      6,
      { published: { image: replaced('make', 'make all') } },
      'instruction-changed',
      /^The instruction changed/,
      false
    ],
    [
      'one before it',
      6,
      { published: { image: replaced('COPY src ./src', 'COPY src ./lib') } },
      'instruction-changed',
      /in line 5, before it/,
      false
    ],
    [
      'one after it is no reason',
      4,
      { published: { image: replaced('make', 'make all') } },
      'unknown',
      /none of its inputs/,
      true
    ],
    [
      'a build argument',
      4,
      { published: { image: replaced('VERSION=0', 'VERSION=1') } },
      'build-arg-changed',
      /argument VERSION changed/,
      false
    ],
    [
      'the base',
      3,
      {
        built: { image: image(HISTORY, { layers: ['other', 'a', 'b', 'c', 'd'] }) },
        base: { before: 'sha256:1', now: 'sha256:2' }
      },
      'base-changed',
      /node:24 moved from sha256:1 to sha256:2\.$/,
      false
    ],
    [
      'the base, whose digests are not known',
      3,
      {
        built: { image: image(HISTORY, { layers: ['other', 'a', 'b', 'c', 'd'] }) },
        base: { before: undefined, now: undefined }
      },
      'base-changed',
      /node:24 moved, or FROM names another image/,
      false
    ],
    ['its config alone', 4, { base: { before: 'sha256:1', now: 'sha256:2' } }, 'base-changed', /moved from/, false],
    ['a build that failed', 4, { built: undefined }, 'unknown', /build failed/, false],
    [
      'a history that does not fit',
      4,
      { built: { image: image(['base', 'RUN x']) } },
      'unknown',
      /cannot be told/,
      false
    ],
    [
      'what was built cannot be read',
      4,
      { built: { failure: failureOf('unknown', 'No such image') } },
      'unknown',
      /the image that was built could not be inspected \(No such image\)/,
      false
    ],
    [
      'metadata of which nothing is known',
      4,
      { published: { image: image(HISTORY, { recorded: 'unknown' }) } },
      'unknown',
      /none of its inputs/,
      true
    ],
    [
      'files, beside metadata of which nothing is known',
      5,
      {
        published: { image: image(HISTORY, { recorded: 'unknown' }) },
        changes: { ...UNCHANGED, changed: ['src/a'] }
      },
      'files-changed',
      /^src\/a changed/,
      false
    ],
    [
      'what was published cannot be read',
      3,
      { published: { failure: failureOf('absent') } },
      'not-published',
      /Nothing is published as octo\/app:builder/,
      false
    ],
    ['refused', 3, { published: { failure: failureOf('refused') } }, 'refused', /Access denied to octo/, false],
    [
      'unreachable',
      3,
      { published: { failure: failureOf('unreachable') } },
      'unreachable',
      /could not be reached for octo/,
      false
    ],
    [
      'untrusted',
      3,
      { published: { failure: failureOf('untrusted', 'self-signed certificate') } },
      'unknown',
      /could not be inspected \(self-signed certificate\)/,
      false
    ],
    [
      'another failure',
      3,
      { published: { failure: failureOf('unknown', 'HTTP status 418') } },
      'unknown',
      /could not be inspected \(HTTP status 418\)/,
      false
    ]
  ])('%s', (_, line, evidence, kind, reason, unexpected) => {
    expect(why(line, evidence)).toEqual({ kind, reason: expect.stringMatching(reason), unexpected })
  })

  it.each(['ONBUILD COPY a   /b', 'COPY a   /b'])('knows a trigger that is shown as %s', (instruction) => {
    const text = 'FROM node:24 AS template\nONBUILD COPY a \\\n  /b\nFROM template AS builder\n'
    const history = ['base', 'COPY a /b # buildkit']
    const step: Step = { stage: 'builder', instruction, cached: false, seconds: 0 }
    expect(
      why(0, {
        stageBuild: builderBuild(text),
        build: makeBuild({ steps: [step] }),
        published: { image: image(history, { layers: ['base', 'a'], recorded: [1] }) },
        built: { image: image(history, { layers: ['base', 'b'] }) },
        changes: { ...UNCHANGED, changed: ['a'] }
      })
    ).toEqual({
      kind: 'files-changed',
      reason: 'a changed since the commit of the published image.',
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

    it('is the reason', () => {
      expect(why(0, unreadable('refused'))).toMatchObject({ kind: 'refused' })
    })

    it('is not the reason if the registry tells another one', () => {
      const published = { failure: failureOf('absent') }
      expect(why(0, { ...unreadable('refused'), published })).toMatchObject({ kind: 'not-published' })
    })
  })

  it('has nothing to say where all was cached', () => {
    expect(why(7)).toBeUndefined()
  })
})
