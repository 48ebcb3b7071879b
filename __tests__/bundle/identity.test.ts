import { execFileSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Event } from '../../testbed/runner.ts'
import { commandsIn, errorsIn, FakeEngine, IMAGE, type Ran } from '../support/fake-engine.ts'

let engine: FakeEngine
/** Two commits after that of the engine, which the publishing branch does not have: of a fork, a feature branch, a merge. */
let other: string
let merge: string

beforeAll(async () => {
  engine = await FakeEngine.create()
  other = commit('other')
  merge = commit('merge')
})
afterEach(() => {
  git('checkout', '--quiet', '--force', '--detach', engine.sha)
})
afterAll(() => engine.remove())

function git(...args: string[]): string {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
  return execFileSync('git', ['-C', engine.workspace, ...identity, ...args], { encoding: 'utf8' }).trim()
}

function commit(name: string): string {
  writeFileSync(join(engine.workspace, name), name)
  git('add', '.')
  git('commit', '--quiet', '--message', name)
  return git('rev-parse', 'HEAD')
}

/** An event of the publishing branch, whose tip is the engine's commit. */
function ofMaster(name: string): Event {
  return { ...engine.push('master'), name }
}

function ofPullRequest(name = 'pull_request'): Event {
  const head = { sha: other, ref: 'topic', repo: { id: 1 } }
  return {
    ...{ name, sha: merge, ref: 'refs/pull/5/merge' },
    payload: {
      repository: { id: 1, default_branch: 'master' },
      pull_request: { number: 5, head, user: { login: 'octo' } }
    }
  }
}

function short(sha: string): string {
  return sha.slice(0, 7)
}

function said(ran: Ran, kind: 'notice' | 'warning'): string[] {
  return commandsIn(ran.log)
    .filter((line) => line.startsWith(`::${kind}`))
    .map((line) => line.replace(/^::\w+.*?::/, ''))
}

/** The commits that the labels of the images name. */
function revisions({ calls }: Ran): string[] {
  const labels = calls.flatMap(({ args }) => args.filter((arg) => arg.startsWith('org.opencontainers.image.revision=')))
  return [...new Set(labels.map((label) => label.replace(/.*=/, '')))]
}

describe('A checkout of another commit than the event is about', () => {
  it.each<[event: string]>([['repository_dispatch'], ['workflow_dispatch'], ['schedule'], ['push']])(
    '%s of the publishing branch: the image gets the tag of its own commit, and no branch moves',
    async (name) => {
      git('checkout', '--quiet', other)
      const ran = await engine.run({ event: ofMaster(name), inputs: { tags: 'master\n1.2' } })
      expect(ran.exitCode).toBe(0)
      expect(ran.outputs).toMatchObject({
        ...{ image: `${IMAGE}:${short(other)}`, 'short-sha': short(other), pushed: 'true', published: 'false' },
        tags: `${IMAGE}:${short(other)}\n${IMAGE}:1.2`
      })
      const why = `the checkout is at ${short(other)}, not at the event's commit ${short(engine.sha)}`
      expect(ran.outputs['publish-reason']).toContain(`no moving tag: ${why}.`)
      expect(said(ran, 'notice')).toEqual([
        `The images are tagged ${short(other)}, and no tag that names a branch is set: ${why}`,
        `Skipping ${IMAGE}:master of the input tags: this run does not build the branch that the tag names`
      ])
      expect(said(ran, 'warning')).toEqual([])
      expect(revisions(ran)).toEqual([other])
      expect(ran.report).toMatchObject({ commit: other, branch: 'master' })
    }
  )
})

describe('A pull request', () => {
  it.each<[checkout: string, head: () => string]>([
    ['by default its merge commit', () => merge],
    ['its head', () => other]
  ])('checked out: %s', async (_, head) => {
    git('checkout', '--quiet', head())
    // docker/metadata-action makes the same tag
    const ran = await engine.run({ event: ofPullRequest(), inputs: { tags: `${IMAGE}:pr-5` } })
    expect(ran.exitCode).toBe(0)
    expect(ran.outputs).toMatchObject({
      ...{ image: `${IMAGE}:${short(head())}`, 'short-sha': short(head()), published: 'false' },
      tags: `${IMAGE}:${short(head())}\n${IMAGE}:pr-5`
    })
    expect([...said(ran, 'notice'), ...said(ran, 'warning')]).toEqual([])
    expect(revisions(ran)).toEqual([head()])
    expect(ran.report).toMatchObject({ references: { pullRequest: `${IMAGE}:pr-5`, further: [] } })
  })

  it('checked out: something else has no tag of the pull request', async () => {
    const ran = await engine.run({ event: ofPullRequest() })
    expect(ran.outputs).toMatchObject({ tags: `${IMAGE}:${short(engine.sha)}` })
    expect(said(ran, 'notice')).toEqual([
      expect.stringContaining(`the checkout is at ${short(engine.sha)}, not at the event's commit ${short(merge)}`)
    ])
  })

  it('of which nothing is pushed has none either', async () => {
    git('checkout', '--quiet', merge)
    const ran = await engine.run({ event: ofPullRequest(), inputs: { push: 'never' } })
    expect(ran.outputs).toMatchObject({ tags: '', image: `${IMAGE}:${short(merge)}` })
    expect(ran.calls.map(({ text }) => text).join('\n')).not.toContain('pr-5')
  })
})

describe('A checkout without git', () => {
  const hidden = (): string => join(engine.folder, 'hidden')

  it.each<[string, () => Event, () => string, string]>([
    ['push', () => engine.push('master'), () => engine.sha, 'true'],
    ['pull_request', () => ofPullRequest(), () => merge, 'false']
  ])('is taken for the commit of the event, with a warning: %s', async (_, event, expected, published) => {
    const folder = join(engine.workspace, '.git')
    renameSync(folder, hidden())
    try {
      const ran = await engine.run({ event: event() })
      expect(ran.outputs).toMatchObject({ image: `${IMAGE}:${short(expected())}`, published })
      expect(said(ran, 'warning')).toEqual([
        expect.stringMatching(
          `^Git cannot tell which commit is checked out, because the context folder .*; this run assumes the event's commit ${short(expected())}\\. `
        )
      ])
      expect(revisions(ran)).toEqual([expected()])
      expect(ran.report).not.toHaveProperty('dirty')
    } finally {
      renameSync(hidden(), folder)
    }
  })
})

describe('A tracked file that an earlier step has changed', () => {
  it('is told, and the image published', async () => {
    writeFileSync(join(engine.workspace, 'Dockerfile'), `${git('show', 'HEAD:Dockerfile')}\n# edited\n`)
    writeFileSync(join(engine.workspace, 'untracked'), '')
    const ran = await engine.run()
    const sentence = `The build context differs from commit ${short(engine.sha)} in 1 tracked file: Dockerfile`
    expect(said(ran, 'warning')).toEqual([sentence])
    expect(ran.summary).toContain(sentence)
    expect(ran.report).toMatchObject({ dirty: true, dirtyFiles: ['Dockerfile'], dirtyFileCount: 1 })
    expect(ran.outputs.published).toBe('true')
  })
})

describe('A further tag that is named after the branch', () => {
  /** Runs the event while these tags name an image of a commit. */
  async function runAfter(
    published: string,
    tags: string[],
    event: Event,
    inputs: Record<string, string>
  ): Promise<Ran> {
    const started = await engine.start({ event, inputs })
    const labels = { Labels: { 'org.opencontainers.image.revision': published } }
    const config = JSON.stringify({ config: labels, history: [], rootfs: { diff_ids: [] } })
    for (const tag of tags) engine.hub.registry.addImage(IMAGE, tag, { config })
    return started.end()
  }

  it('stays where it names a newer commit, like the moving tags', async () => {
    const late = await runAfter(other, ['latest', 'master', '1.2'], engine.push('master'), { tags: 'master\n1.2' })
    expect(late.outputs).toMatchObject({ tags: `${IMAGE}:${short(engine.sha)}\n${IMAGE}:1.2`, published: 'false' })
    expect(said(late, 'notice')).toEqual([
      `The moving tags are not updated: ${IMAGE}:latest already names the newer commit ${short(other)}; this run of ${short(engine.sha)} is late`,
      `${IMAGE}:master is not updated: ${IMAGE}:master already names the newer commit ${short(other)}; this run of ${short(engine.sha)} is late`
    ])
  })

  it('stays on another branch, too, and moves forward there', async () => {
    const inputs = { tags: 'feature-x' }
    const late = await runAfter(other, ['feature-x'], engine.push('feature/x'), inputs)
    expect(late.outputs.tags).toBe(`${IMAGE}:${short(engine.sha)}`)
    git('checkout', '--quiet', other)
    const event = { ...engine.push('feature/x'), sha: other }
    const next = await runAfter(engine.sha, ['feature-x'], event, inputs)
    expect(next.outputs.tags).toBe(`${IMAGE}:${short(other)}\n${IMAGE}:feature-x`)
  })
})

describe('An engine on which another run has taken every name', () => {
  it.each([[''], ['npm test']])('nothing is pushed, with the tests %j', async (tests) => {
    const names = ['builder-SHORT', 'builder', 'builder-next', 'SHORT', 'latest']
    const stdout = JSON.stringify(names.map(() => ({ Id: `sha256:${'0'.repeat(64)}` })))
    const ran = await engine.run({ inputs: { tests }, answers: [{ to: `image inspect ${IMAGE}:builder-`, stdout }] })
    expect(errorsIn(ran.log)).toEqual([
      expect.stringMatching(/^octo\/app:builder-\w+ names another image than the one/)
    ])
    expect(ran.outputs).toMatchObject({ pushed: 'false', tags: '' })
    expect(ran.calls.filter(({ args }) => args[0] === 'push')).toEqual([])
  })
})
