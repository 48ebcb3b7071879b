import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { testedTags } from '../../../src/pipeline/publish/tested-tags.ts'
import { findPassedTests, findUnchanged } from '../../../src/pipeline/reuse.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import type { Strategy } from '../../../src/strategy/strategy.ts'
import { image as identity, keysOf, type World } from '../../support/content-keys.ts'
import { Contents, FakeRegistry, failureOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'
import { makeBuild } from '../../support/results.ts'

const COMMIT = '0123456789'.repeat(4)
const DIGEST = `sha256:${'a'.repeat(64)}`
const LABELS = { 'org.opencontainers.image.revision': COMMIT }
const IMAGES = new Map([
  ['node:24', identity('node')],
  ['tools:1', identity('tools')]
])
const TEXT = `FROM node:24 AS builder
COPY src ./src
RUN make
FROM node:24
COPY --from=builder /a /a
`

function image(more: Partial<ImageRecord> = {}): ImageRecord {
  return { digest: DIGEST, labels: LABELS, runtime: '[]', layers: ['1', '2'], history: [], ...more }
}

function registryOf(images: Record<string, ImageRecord | undefined>): FakeRegistry {
  const contents = new Contents()
  for (const [reference, one] of Object.entries(images)) if (one) contents.put(reference, one)
  return new FakeRegistry(contents)
}

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reuse-'))
  mkdirSync(join(folder, 'src'))
  for (const name of ['src/a', 'docs']) write(name)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, content = '1'): void {
  writeFileSync(join(folder, name), content)
}

interface Change {
  /** The Dockerfile, before and after the change; by default TEXT. */
  text?: string
  after?: string
  dockerignore?: string
  plan?: (plan: Plan) => Plan
  world?: World
  files?: () => void
  /** Before the image was published. */
  prepare?: () => void
  tagged?: Partial<ImageRecord>
}

/** What is found after a change of what an image was published and tested from. */
async function find(change: Change = {}): Promise<Awaited<ReturnType<typeof findUnchanged>>> {
  const { text = TEXT, after = text, dockerignore = '', plan = (one: Plan) => one, world = {}, tagged = {} } = change
  const worldBefore = { folder, images: IMAGES, dockerignore }
  change.prepare?.()
  const inputs = { tests: 'make test' }
  const before = testedTags(makePlan({ text, inputs }), await keysOf(text, worldBefore)).production
  change.files?.()
  const run = makeRun({
    plan: plan(makePlan({ text: after, inputs })),
    registry: registryOf(before === undefined ? {} : { [before]: image(tagged) })
  })
  return findUnchanged(run, await keysOf(after, { ...worldBefore, ...world }))
}

describe('findUnchanged', () => {
  it('finds the image that was tested, where only files changed that no instruction reads', async () => {
    const found = await find({
      files: () => {
        write('docs', '2')
        write('other')
      }
    })
    expect(found).toEqual({
      unchanged: { image: `octo/app@${DIGEST}`, digest: DIGEST, commit: COMMIT, builderCommit: COMMIT },
      tests: [{ command: 'make test', status: 'unchanged', exitCode: null, seconds: 0, passedFor: COMMIT }]
    })
  })

  const jar = 'FROM node:24 AS builder\nCOPY target/*.jar app.jar\nFROM node:24\nCOPY --from=builder /a /a\n'
  const link = 'FROM node:24 AS builder\nCOPY current/src ./src\nFROM node:24\nCOPY --from=builder /a /a\n'
  it.each<[string, Change]>([
    ['a file that is copied', { files: () => write('src/a', '2') }],
    ['a file that git does not track', { files: () => write('src/b') }],
    [
      'an untracked file behind an allow list',
      {
        text: jar,
        dockerignore: '*\n!target/*.jar\n',
        prepare: () => {
          mkdirSync(join(folder, 'target'))
          write('target/a.jar')
        },
        files: () => write('target/a.jar', '2')
      }
    ],
    [
      'a link above the source with another target',
      {
        text: link,
        prepare: () => {
          for (const version of ['v1', 'v2']) {
            mkdirSync(join(folder, version, 'src'), { recursive: true })
            write(`${version}/src/a`, version)
          }
          symlinkSync('v1', join(folder, 'current'))
        },
        files: () => {
          rmSync(join(folder, 'current'))
          symlinkSync('v2', join(folder, 'current'))
        }
      }
    ],
    ['a file that the checkout leaves out', { files: () => rmSync(join(folder, 'src/a')) }],
    [
      'a pointer instead of a large file',
      { files: () => write('src/a', 'version https://git-lfs.github.com/spec/v1') }
    ],
    ['a mode', { files: () => chmodSync(join(folder, 'src/a'), 0o600) }],
    [
      'a submodule at another commit',
      {
        prepare: () => {
          mkdirSync(join(folder, 'src/lib'))
          execFileSync('git', ['init', '--quiet', join(folder, 'src/lib')])
        },
        files: () => write('src/lib/header.h')
      }
    ],
    ['the .dockerignore', { world: { dockerignore: 'src/a' } }],
    ['a base image that moved', { world: { images: new Map([['node:24', identity('other')]]) } }],
    [
      'another image that it copies from',
      {
        text: TEXT.replace('COPY --from=builder', 'COPY --from=tools:1 /b /b\nCOPY --from=builder'),
        world: { images: new Map([...IMAGES, ['tools:1', identity('other')]]) }
      }
    ],
    ['another command', { after: TEXT.replace('RUN make', 'RUN make all') }],
    ['another CMD', { after: `${TEXT}CMD ["a"]\n` }],
    ['another LABEL', { after: `${TEXT}LABEL a=b\n` }],
    ['a CMD of the builder, in which tests run', { after: TEXT.replace('RUN make', 'RUN make\nENV A=1') }],
    ['another machine', { world: { platform: { os: 'linux', architecture: 'arm64' } } }],
    ['a network', { world: { runOptions: { network: 'host', addHosts: [] } } }],
    ['other tests', { plan: (plan) => ({ ...plan, fingerprints: { ...plan.fingerprints, allTests: 'others' } }) }],
    ['other labels', { plan: (plan) => ({ ...plan, fingerprints: { ...plan.fingerprints, inputs: 'others' } }) }]
  ])('finds none with %s', async (_, change) => {
    expect(await find(change)).toEqual({ why: expect.stringMatching(/^no earlier run has tested this content/) })
  })

  it.each<[string, Change, RegExp]>([
    ['a base image that cannot be read', { world: { images: new Map() } }, /what line 1 of the Dockerfile reads/],
    [
      'a base image with triggers',
      { world: { images: new Map([['node:24', identity('node', { hasTriggers: true })]]) } },
      /line 1/
    ],
    ['ADD of a URL', { text: TEXT.replace('RUN make', 'ADD https://example.com/a /a') }, /line 3/],
    ['ADD of a git source', { text: TEXT.replace('RUN make', 'ADD https://example.com/a.git /a') }, /line 3/],
    ['no commit', { tagged: { labels: {} } }, /names no commit/],
    [
      'tests in doubt',
      { plan: (plan) => ({ ...plan, fingerprints: { ...plan.fingerprints, allTests: undefined } }) },
      /outside the container/
    ]
  ])('finds none with %s, and says why', async (_, change, why) => {
    expect(await find(change)).toEqual({ why: expect.stringMatching(why) })
  })

  it('finds none where the registry does not answer', async () => {
    const registry = new FakeRegistry(new Contents(), { fail: () => failureOf('unreachable', 'no route') })
    const found = await findUnchanged(
      makeRun({ plan: makePlan({ text: TEXT }), registry }),
      await keysOf(TEXT, { folder, images: IMAGES })
    )
    expect(found).toEqual({ why: expect.stringMatching(/cannot be inspected \(no route\)/) })
  })
})

describe('findPassedTests', () => {
  async function passed(
    tested: ImageRecord | undefined,
    built: ImageRecord | undefined,
    more: Partial<Plan['inputs']> = {}
  ) {
    const plan = makePlan({ text: TEXT, inputs: { 'skip-unchanged-tests': 'true' } })
    const keys = await keysOf(TEXT, { folder, images: IMAGES })
    const strategy: Strategy = {
      fetch: notExpected,
      build: notExpected,
      readBuilt: async () => (built ? { image: built } : { failure: failureOf('unknown') }),
      end: notExpected
    }
    const registry = registryOf({ [testedTags(plan, keys).builder ?? '']: tested })
    const changed = { ...plan, inputs: { ...plan.inputs, ...more } }
    return findPassedTests(makeRun({ plan: changed, registry }), strategy, makeBuild(), keys)
  }

  function notExpected(): never {
    throw new Error('the strategy is only asked for what was built')
  }

  it('takes the tests for passed in an image that is the same', async () => {
    const unchanged = { status: 'unchanged', exitCode: null, seconds: 0, passedFor: COMMIT }
    expect(await passed(image(), image())).toEqual([
      { command: 'a', ...unchanged },
      { command: 'b', ...unchanged }
    ])
  })

  it.each<[string, Parameters<typeof passed>]>([
    ['not asked for', [image(), image(), { skipUnchangedTests: false }]],
    ['other layers', [image(), image({ layers: ['1', '3'] })]],
    ['another configuration', [image(), image({ runtime: '[["User","a"]]' })]],
    ['other secrets', [image(), image(), { secrets: ['a'] }]],
    ['no image', [undefined, image()]],
    ['an image that cannot be read', [image(), undefined]],
    ['images without layers', [image({ layers: [] }), image({ layers: [] })]],
    ['no commit', [image({ labels: { 'org.opencontainers.image.revision': 'main' } }), image()]]
  ])('runs them: %s', async (_, given) => {
    expect(await passed(...given)).toBeUndefined()
  })
})
