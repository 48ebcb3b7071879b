import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { changesFinder } from '../../../src/git/changes.ts'
import { Git } from '../../../src/git/git.ts'
import { findPassedTests, findUnchanged } from '../../../src/pipeline/reuse.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import type { Strategy } from '../../../src/strategy/strategy.ts'
import { Contents, FakeRegistry, failureOf } from '../../support/fake-registry.ts'
import { commit, env, repository, write } from '../../support/git-repository.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun, SilentGitHub } from '../../support/make-run.ts'
import { makeBuild } from '../../support/results.ts'

const BASE = `sha256:${'b'.repeat(64)}`
const LATEST = `sha256:${'a'.repeat(64)}`
const TEXT = `FROM node:24 AS builder
COPY src ./src
RUN make
FROM node:24
COPY --from=builder /a /a
`

function image(labels: Record<string, string>, more: Partial<ImageRecord> = {}): ImageRecord {
  return { digest: LATEST, labels, runtime: '[]', layers: ['1', '2'], history: [], ...more }
}

interface World {
  text: string
  images: Record<string, ImageRecord | undefined>
}

/** A commit with its images in the registry, before `change` makes it another. */
async function find(change: (world: World) => void = () => {}): Promise<Awaited<ReturnType<typeof findUnchanged>>> {
  const published = commit('Dockerfile', 'src/a', 'docs/a')
  const labels = {
    'org.opencontainers.image.revision': published,
    'shared-docker-layers.inputs': 'inputs',
    'shared-docker-layers.bases': `node:24@${BASE}`
  }
  const world: World = {
    text: TEXT,
    images: {
      'octo/app:builder': image({ ...labels, 'shared-docker-layers.tests': 'tests' }),
      'octo/app:latest': image(labels),
      'node:24': image({}, { digest: BASE, hasTriggers: false })
    }
  }
  change(world)
  const paths = { context: repository, file: join(repository, 'Dockerfile') }
  const run = makeRun({
    plan: makePlan({ text: world.text, inputs: { context: repository, tests: 'make test' } }),
    registry: registryOf(world.images),
    changesSince: changesFinder(new Git(repository, env), new SilentGitHub(), { sha: published }, paths)
  })
  return findUnchanged(run)
}

function registryOf(images: World['images']): FakeRegistry {
  const contents = new Contents()
  for (const [reference, one] of Object.entries(images)) if (one) contents.put(reference, one)
  return new FakeRegistry(contents)
}

describe('findUnchanged', () => {
  it('finds the published images where only files changed that no instruction reads', async () => {
    let before = ''
    const found = await find(({ images }) => {
      before = images['octo/app:latest']?.labels['org.opencontainers.image.revision'] ?? ''
      write('docs/a', '2')
      write('other')
    })
    expect(found).toEqual({
      unchanged: { image: `octo/app@${LATEST}`, digest: LATEST, commit: before, builderCommit: before },
      tests: [{ command: 'make test', status: 'unchanged', exitCode: null, seconds: 0, passedFor: before }]
    })
  })

  const without = (name: string, ...labels: string[]) => {
    return ({ images }: World): void => {
      const found = images[name]
      for (const label of labels) delete found?.labels[label]
    }
  }
  const withText = (before: string, after: string) => {
    return (world: World): void => {
      world.text = world.text.replace(before, after)
    }
  }
  it.each<[string, (world: World) => void, RegExp]>([
    ['a file that is copied', () => write('src/a', '2'), /"src\/a" changed/],
    ['a file that git does not track', () => write('src/b'), /"src\/b" changed, or git does not track it/],
    ['a base image that moved', ({ images }) => (images['node:24'] = image({})), /base image node:24 moved/],
    ['a base image that cannot be read', ({ images }) => (images['node:24'] = undefined), /base image node:24 moved/],
    [
      'a base image with triggers',
      ({ images }) => (images['node:24'] = image({}, { digest: BASE, hasTriggers: true })),
      /instructions of its own/
    ],
    ['no builder', ({ images }) => (images['octo/app:builder'] = undefined), /not both/],
    ['no production', ({ images }) => (images['octo/app:latest'] = undefined), /not both/],
    ['no commit', without('octo/app:latest', 'org.opencontainers.image.revision'), /name no commit/],
    ['other inputs', without('octo/app:latest', 'shared-docker-layers.inputs'), /an input/],
    ['other tests', without('octo/app:builder', 'shared-docker-layers.tests'), /the tests differ/],
    ['an unknown base', without('octo/app:latest', 'shared-docker-layers.bases'), /base image node:24/],
    [
      'a commit that nobody knows',
      ({ images }) => {
        const labels = images['octo/app:builder']?.labels
        if (labels) labels['org.opencontainers.image.revision'] = 'f'.repeat(40)
      },
      /has the commit/
    ],
    ['ADD of a URL', withText('RUN make', 'ADD https://example.com/a /a'), /line 3/],
    ['a variable in a source', withText('COPY src', 'COPY $src'), /line 2/],
    ['a trigger', withText('RUN make', 'ONBUILD RUN make'), /line 3/],
    ['COPY --parents', withText('COPY src', 'COPY --parents src'), /line 2/],
    ['a base that only the engine knows', withText('FROM node:24\n', 'FROM node-$TARGETARCH\n'), /only the engine/],
    [
      'another image that it copies from',
      withText('COPY --from=builder', 'COPY --from=tools:1 /b /b\nCOPY --from=builder'),
      /base image tools:1/
    ],
    [
      'a wildcard beside a change',
      (world) => {
        withText('COPY src ./src', 'COPY s* ./')(world)
        write('docs/a', '2')
      },
      /"docs\/a" changed/
    ],
    [
      'a digest that is not known',
      ({ images }) => {
        const { digest: _, ...known } = images['octo/app:latest'] ?? image({})
        images['octo/app:latest'] = known
      },
      /digest|no commit/
    ]
  ])('finds none with %s', async (_, change, why) => {
    expect(await find(change)).toEqual({ why: expect.stringMatching(why) })
  })
})

describe('findPassedTests', () => {
  const SHA = '0123456789'.repeat(4)
  const labels = { 'org.opencontainers.image.revision': SHA, 'shared-docker-layers.tests': 'tests' }

  function passed(
    published: ImageRecord | undefined,
    built: ImageRecord | undefined,
    fingerprint?: string,
    skip = true
  ) {
    const plan = {
      ...makePlan({ inputs: { 'skip-unchanged-tests': String(skip) } }),
      fingerprints: { tests: fingerprint, inputs: '' }
    }
    const strategy: Strategy = {
      start: notExpected,
      build: notExpected,
      readBuilt: async () => (built ? { image: built } : { failure: failureOf('unknown') }),
      end: notExpected
    }
    const builder = makeBuild({ cacheSource: 'builder' })
    return findPassedTests(makeRun({ plan, registry: registryOf({ builder: published }) }), strategy, builder)
  }

  function notExpected(): never {
    throw new Error('the strategy is only asked for what was built')
  }

  it('takes the tests for passed in an image that is the same', async () => {
    const unchanged = { status: 'unchanged', exitCode: null, seconds: 0, passedFor: SHA }
    expect(await passed(image(labels), image({}), 'tests')).toEqual([
      { command: 'a', ...unchanged },
      { command: 'b', ...unchanged }
    ])
  })

  it.each<[string, Parameters<typeof passed>]>([
    ['not asked for', [image(labels), image({}), 'tests', false]],
    ['other layers', [image(labels), image({}, { layers: ['1', '3'] }), 'tests']],
    ['another configuration', [image(labels), image({}, { runtime: '[["User","a"]]' }), 'tests']],
    ['other tests', [image(labels), image({}), 'others']],
    ['tests in doubt', [image(labels), image({}), undefined]],
    [
      'tests in doubt, then and now',
      [image({ ...labels, 'shared-docker-layers.tests': 'none' }), image({}), undefined]
    ],
    ['no image published', [undefined, image({}), 'tests']],
    ['an image that cannot be read', [image(labels), undefined, 'tests']],
    ['images without layers', [image(labels, { layers: [] }), image({}, { layers: [] }), 'tests']],
    ['no commit', [image({ ...labels, 'org.opencontainers.image.revision': 'main' }), image({}), 'tests']]
  ])('runs them: %s', async (_, given) => {
    expect(await passed(...given)).toBeUndefined()
  })
})
