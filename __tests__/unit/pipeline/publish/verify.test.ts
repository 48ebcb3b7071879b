import { describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../../src/docker/docker.ts'
import { whyTaken } from '../../../../src/pipeline/publish/verify.ts'
import type { Plan } from '../../../../src/plan/plan.ts'
import type { Build, TestResult } from '../../../../src/result/result.ts'
import { makePlan } from '../../../support/make-plan.ts'
import { makeRun } from '../../../support/make-run.ts'
import { makeBuild } from '../../../support/results.ts'

const BUILDER = 'octo/app:builder-0123456'
const PRODUCTION = 'octo/app:0123456'
const [CONFIG, MANIFEST, OTHER] = ['c', 'd', 'f'].map((digit) => `sha256:${digit.repeat(64)}`) as [
  string,
  string,
  string
]

/** An image as `docker image inspect` shows it. */
interface Inspected {
  id?: string
  /** The annotation of Docker 28 with the containerd store. */
  config?: string
  revision?: string
}

function inspected({ id = CONFIG, config, revision = 'ours' }: Inspected): object {
  return {
    Id: id,
    Config: { Labels: { revision } },
    ...(config !== undefined && { Descriptor: { digest: id, annotations: { 'config.digest': config } } })
  }
}

/** An engine in which each name refers to an image, and the calls of it. */
function engineWith(images: Record<string, Inspected>, usual: Inspected): Docker & { calls: string[] } {
  const calls: string[] = []
  const call: Docker['call'] = async (args) => {
    calls.push(args.join(' '))
    const [object, verb, ...names] = args
    if (object !== 'image' || verb !== 'inspect') throw new Error(`docker ${args.join(' ')} is not expected here`)
    return { exitCode: 0, stdout: JSON.stringify(names.map((name) => inspected(images[name] ?? usual))), stderr: '' }
  }
  return { calls, call }
}

interface Situation {
  store?: 'overlay2' | 'containerd'
  /** All images in the engine but for those in `images`, by name. */
  usual?: Inspected
  images?: Record<string, Inspected>
  /** What --iidfile said. */
  built?: string
  tests?: Partial<TestResult>[]
  /** Whether the builder image stays as it is published. */
  keepsBuilder?: boolean
}

async function taken(situation: Situation): Promise<string | undefined> {
  const { store = 'overlay2', usual = {}, images = {}, built = CONFIG, tests = [], keepsBuilder = false } = situation
  const made = makePlan()
  const plan: Plan = {
    ...made,
    engine: { ...made.engine, store },
    builds: made.builds.map((stage) => ({ ...stage, labels: ['revision=ours'] }))
  }
  const docker = engineWith(images, usual)
  const builds: Build[] = plan.builds.map(({ kind, reference }) =>
    makeBuild({ kind, image: reference, imageId: built })
  )
  const failure = await whyTaken(
    makeRun({ plan, docker }),
    plan.builds.filter(({ kind }) => !(keepsBuilder && kind === 'builder')),
    builds,
    tests.map((test) => ({ command: 'a', status: 'passed', exitCode: 0, seconds: 1, ...test }))
  )
  expect(docker.calls).toHaveLength(1)
  return failure?.kind === 'name-taken' ? failure.reference : failure?.kind
}

/** What Docker 26.1 and 28.5 say of an image that buildx built with the containerd store. */
const OLD: Inspected = { id: MANIFEST }
const NEW: Inspected = { id: MANIFEST, config: CONFIG }

describe('whyTaken', () => {
  it.each<[string, Situation]>([
    ['a graph driver', {}],
    ['the containerd store of 28.5', { store: 'containerd', usual: NEW }],
    ['the containerd store of 26.1, which tells no config', { store: 'containerd', usual: OLD }],
    ['the legacy builder on the containerd store', { store: 'containerd', usual: OLD, built: MANIFEST }],
    ['tests in the image', { tests: [{ imageId: CONFIG }, {}] }],
    ['tests in the image, on the containerd store', { store: 'containerd', usual: NEW, tests: [{ imageId: MANIFEST }] }]
  ])('finds what was built: %s', async (_, situation) => {
    expect(await taken(situation)).toBeUndefined()
  })

  const other = { id: OTHER }
  it.each<[string, Situation, string]>([
    ['every name', { usual: other }, BUILDER],
    ['production', { images: { [PRODUCTION]: other } }, PRODUCTION],
    ['a moving tag', { images: { 'octo/app:latest': other } }, 'octo/app:latest'],
    ['a candidate', { images: { 'octo/app:builder-next': other } }, 'octo/app:builder-next'],
    ['every name on 28.5', { store: 'containerd', usual: { id: MANIFEST, config: OTHER } }, BUILDER],
    ['every name on 26.1', { store: 'containerd', usual: { ...OLD, revision: 'theirs' } }, BUILDER],
    ['one name on 26.1', { store: 'containerd', usual: OLD, images: { 'octo/app:latest': other } }, 'octo/app:latest'],
    [
      'production, by a check that builds on it, on 26.1',
      { store: 'containerd', usual: OLD, tests: [{ kind: 'check', imageId: OTHER }] },
      PRODUCTION
    ],
    ['the builder during the tests', { tests: [{ imageId: CONFIG }, { imageId: OTHER }] }, BUILDER],
    ['the builder that production is built from', { keepsBuilder: true, images: { [BUILDER]: other } }, BUILDER]
  ])('notices that another image has taken the name of: %s', async (_, situation, name) => {
    expect(await taken(situation)).toBe(name)
  })

  it('does not mind moving tags of a builder image that it does not push', async () => {
    expect(await taken({ keepsBuilder: true, images: { 'octo/app:builder': other } })).toBeUndefined()
  })
})
