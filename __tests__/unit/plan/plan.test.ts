import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import type { Docker } from '../../../src/docker/docker.ts'
import { Git } from '../../../src/git/git.ts'
import { createPlan } from '../../../src/plan/create-plan.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import type { Files } from '../../../testbed/source-repository.ts'
import { filesOf } from '../../support/corpus/shape.ts'
import { shapes } from '../../support/corpus/shapes.ts'
import { INFO } from '../../support/fake-docker.ts'
import { makeCommit, makeInputs, TWO_STAGES } from '../../support/make-plan.ts'
import { SilentGitHub } from '../../support/make-run.ts'
import { RecordingLog } from '../../support/recording-log.ts'

/** An engine that only tells what it is. */
const DOCKER: Docker = { call: async () => ({ exitCode: 0, stdout: JSON.stringify(INFO), stderr: '' }) }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The plan of a run in a folder with these files. */
async function planOf(
  files: Files,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
  { commit = makeCommit(), log = new RecordingLog() } = {}
): Promise<Plan> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof content === 'string') writeFileSync(path, content)
    else symlinkSync(content.target, path)
  }
  return createPlan({
    inputs: publicInputs(makeInputs({ context: folder, ...inputs })),
    commit,
    git: new Git(folder, {}),
    github: new SilentGitHub(),
    docker: DOCKER,
    log,
    ...{ env, childEnv: {}, signal: new AbortController().signal }
  })
}

describe('A plan', () => {
  it('holds no value of a secret and no token', async () => {
    const secrets = { npm: 's3cret-1', pem: 'first line of s3cret-2\nsecond line of s3cret-2' }
    const plan = await planOf(
      { Dockerfile: TWO_STAGES },
      { secrets: `npm=${secrets.npm}\n"pem=${secrets.pem}"`, 'github-token': 'ghs_s3cret-3', tests: 'npm test' }
    )
    // they are read, and the build will ask for them
    expect(plan.inputs.secrets).toEqual(['npm', 'pem'])
    expect(plan.inputs).not.toHaveProperty('githubToken')
    const text = JSON.stringify(plan)
    expect(text).toContain('npm test')
    expect(text).not.toMatch(/s3cret|ghs_/)
  })
})

describe('A plan refuses before anything is built', () => {
  it.each([
    ['no-cache-filters', 'other', 'Input no-cache-filters names "other", but there is no such stage'],
    ['build-contexts', 'builder=.', 'Input build-contexts has the name "builder", which is a stage of the Dockerfile'],
    ['build-contexts', 'a=/no/such', 'Input build-contexts: the folder of the context "a" was not found'],
    ['provenance', 'true', 'Input provenance needs the containerd image store']
  ])('%s: %s', async (name, text, message) => {
    await expect(planOf({ Dockerfile: TWO_STAGES }, { [name]: text })).rejects.toThrow(message)
  })
})

describe('The stages of a plan', () => {
  it('are those that docker picks by an argument which is given by name alone', async () => {
    const Dockerfile = [
      'ARG FLAVOUR=plain',
      'FROM busybox AS builder',
      'FROM busybox AS run-plain',
      'FROM busybox AS run-rich',
      `FROM run-\${FLAVOUR}`,
      ''
    ].join('\n')
    const baseOf = async (inputs: Record<string, string>, env: Record<string, string>) =>
      (await planOf({ Dockerfile }, inputs, env)).builds.at(-1)?.own.map(({ name }) => name)
    expect(await baseOf({ 'build-args': 'FLAVOUR' }, { FLAVOUR: 'rich' })).toEqual(['run-rich', 'stage-3'])
    expect(await baseOf({ 'build-args': 'FLAVOUR' }, {})).toEqual(['run-plain', 'stage-3'])
    expect(await baseOf({}, { FLAVOUR: 'rich' })).toEqual(['run-plain', 'stage-3'])
  })
})

describe('The .dockerignore of a plan', () => {
  const files = { Dockerfile: TWO_STAGES, '.dockerignore': 'a', 'Dockerfile.dockerignore': 'b' }

  it.each([
    ['inline', {}, 'b'],
    ['legacy', { DOCKER_BUILDKIT: '0' }, 'a']
  ])('is the one that the builder reads: %s', async (name, env, text) => {
    const { strategy, dockerignore } = await planOf(files, {}, env)
    expect([strategy.name, dockerignore]).toEqual([name, text])
  })
})

describe('The platform of a plan', () => {
  const files = { Dockerfile: TWO_STAGES }
  const other = { DOCKER_DEFAULT_PLATFORM: 'linux/s390x' }

  it('is that of the variable unless the input names one', async () => {
    expect((await planOf(files, {}, other)).inputs.platform).toBe('linux/s390x')
    expect((await planOf(files, { platform: 'linux/arm64' }, other)).inputs.platform).toBe('linux/arm64')
    expect((await planOf(files, {}, { DOCKER_DEFAULT_PLATFORM: '' })).inputs.platform).toBeUndefined()
  })

  it('makes the same plan from the variable as from the input', async () => {
    const [asVariable, asInput, neither] = [
      await planOf(files, {}, other),
      await planOf(files, { platform: 'linux/s390x' }),
      await planOf(files, {})
    ]
    expect(asVariable).toEqual(asInput)
    expect(asVariable.variant).not.toBe(neither.variant)
    expect(asVariable.fingerprints.tests).not.toBe(neither.fingerprints.tests)
  })

  it('is one, because docker run takes no more', async () => {
    await expect(planOf(files, {}, { DOCKER_DEFAULT_PLATFORM: 'linux/amd64,linux/arm64' })).rejects.toThrow(
      'The variable DOCKER_DEFAULT_PLATFORM is "linux/amd64,linux/arm64"; it must be one platform'
    )
  })
})

it('A plan without a git checkout warns, and names the folder and the commit', async () => {
  const log = new RecordingLog()
  await planOf({ Dockerfile: TWO_STAGES }, {}, {}, { commit: { ...makeCommit(), checkout: 'unknown' }, log })
  expect(log.said('warning')).toContainEqual(
    expect.stringMatching(
      `because the context folder "${folder}" is not in a git checkout, or git is missing; this run assumes the event's commit 0123456\\. `
    )
  )
})

describe('Tags of the user that the run must not set', () => {
  const files = { Dockerfile: TWO_STAGES }

  it.each([
    ['pull_request', true, [], 'feature'],
    ['push', false, ['octo/app:feature'], '']
  ])('a tag that names the branch of a %s', async (event, isPullRequest, branch, held) => {
    const log = new RecordingLog()
    const commit = { ...makeCommit(), event, isPullRequest, branch: 'feature' }
    const { refs, builds } = await planOf(files, { tags: 'feature' }, {}, { commit, log })
    expect(refs).toMatchObject({ branch, further: [] })
    expect(builds.at(-1)?.tags).toEqual([refs.production, ...branch])
    const notice = `Skipping octo/app:${held} of the input tags: this run does not build the branch that the tag names`
    expect(log.said('notice').filter((one) => one.startsWith('Skipping'))).toEqual(held === '' ? [] : [notice])
  })

  it('the tag of another commit', async () => {
    const log = new RecordingLog()
    const { builds } = await planOf(files, { tags: 'c0ffee1\n0123456\nv1' }, {}, { log })
    expect(builds.at(-1)?.tags).toEqual(['octo/app:0123456', 'octo/app:v1', 'octo/app:latest'])
    expect(log.said('notice')).toContain(
      'Skipping octo/app:c0ffee1 of the input tags: such a tag is that of a commit, and this run builds 0123456'
    )
  })
})

describe('A run of a further publishing branch', () => {
  const inputs = { 'publish-branch': 'master\nrelease/*', tags: 'latest\nmaster' }

  it('promotes to the tags of its branch, and to none of the first', async () => {
    const log = new RecordingLog()
    const commit = { ...makeCommit(), branch: 'release/1.x' }
    const { builds, variant } = await planOf({ Dockerfile: TWO_STAGES }, inputs, {}, { commit, log })
    expect(builds.flatMap(({ tags }) => tags)).toEqual([
      ...['builder-0123456', 'builder-release-1.x', 'builder-release-1.x-next'].map((tag) => `octo/app:${tag}`),
      ...['0123456', 'latest-release-1.x'].map((tag) => `octo/app:${tag}`)
    ])
    expect(builds.map(({ cacheSource }) => cacheSource)).toEqual(
      ['builder-release-1.x', 'latest-release-1.x'].map((tag) => `octo/app:${tag}`)
    )
    expect(log.said('notice').filter((one) => one.startsWith('Skipping'))).toEqual([
      'Skipping octo/app:latest of the input tags: moving tags are updated on the publishing branch only',
      'Skipping octo/app:master of the input tags: this run does not build the branch that the tag names'
    ])
    // of the same commit, the image is the same for all branches
    expect((await planOf({ Dockerfile: TWO_STAGES }, inputs)).variant).toBe(variant)
  })

  it('warns if the branch cannot have tags of its own', async () => {
    const log = new RecordingLog()
    const commit = { ...makeCommit(), branch: 'release/1+2' }
    const { decision } = await planOf({ Dockerfile: TWO_STAGES }, inputs, {}, { commit, log })
    expect(decision).toMatchObject({ push: true, publish: false })
    expect(log.said('warning')).toContain(decision.reason)
    const pull = { ...commit, event: 'pull_request', isPullRequest: true }
    const other = new RecordingLog()
    await planOf({ Dockerfile: TWO_STAGES }, inputs, {}, { commit: pull, log: other })
    expect(other.said('warning')).toEqual([])
  })
})

/** A plan as another machine reads it from a file. */
function readAgain<T>(plan: T): T {
  return JSON.parse(JSON.stringify(plan)) as T
}

describe('A plan that was written to a file and read again is the same', () => {
  const base = 'registry.example/base:1'
  const state = { source: 1, dependencies: 1, tail: 1, commit: 1 }

  it.each(shapes.map((shape) => [shape.name, shape] as const))('of the Dockerfile %s', async (_, shape) => {
    const plan = await planOf(filesOf(shape, base, state, 'overlay2'), { ...shape.inputs?.(base, state) })
    expect(plan.builds.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['builder', 'production']))
    expect(readAgain(plan)).toEqual(plan)
  })

  it('for the legacy builder', async () => {
    const plan = await planOf({ Dockerfile: TWO_STAGES }, {}, { DOCKER_BUILDKIT: '0' })
    expect(plan.strategy.name).toBe('legacy')
    expect(readAgain(plan)).toEqual(plan)
  })

  it.each([
    ['a Map', new Map([[0, 'an image']])],
    ['a Set', new Set(['a'])],
    ['a function', () => 'a']
  ])('which it would not be with %s in it', async (_, odd) => {
    const plan = { ...(await planOf({ Dockerfile: TWO_STAGES }, {})), odd }
    expect(readAgain(plan)).not.toEqual(plan)
  })
})
