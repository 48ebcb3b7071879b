import { describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec, FaultProxy } from '../../testbed/index.ts'
import { type Event, type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { ending } from '../support/harness.ts'

const engine = availableEngines().at(-1) as EngineSpec
const repository = { id: 1, default_branch: 'master', full_name: 'octo/app' }
const pullRequest = (sha: string, id: number, login = 'stranger'): object => ({
  repository,
  pull_request: { head: { sha, ref: 'master', repo: { id } }, user: { login } }
})

/** Runs that must push nothing by themselves: each is of a branch that has the publishing branch's name. */
const events: [string, (sha: string) => Event][] = [
  [
    'a pull request of a fork',
    (sha) => ({ name: 'pull_request', sha, ref: 'refs/pull/1/merge', payload: pullRequest(sha, 2) })
  ],
  [
    'a pull request of a fork that was deleted',
    (sha) => ({
      name: 'pull_request',
      sha,
      ref: 'refs/pull/1/merge',
      payload: { repository, pull_request: { head: { sha, ref: 'master', repo: null }, user: { login: 'stranger' } } }
    })
  ],
  [
    'a pull request by Dependabot',
    (sha) => ({ name: 'pull_request', sha, ref: 'refs/pull/1/merge', payload: pullRequest(sha, 1, 'dependabot[bot]') })
  ],
  [
    'pull_request_target',
    (sha) => ({ name: 'pull_request_target', sha, ref: 'refs/heads/master', payload: pullRequest(sha, 2) })
  ],
  [
    'workflow_run of a fork',
    (sha) => ({
      name: 'workflow_run',
      sha,
      ref: 'refs/heads/master',
      payload: { repository, workflow_run: { head_sha: sha, head_branch: 'master', head_repository: { id: 2 } } }
    })
  ],
  ['an event of which nobody has heard', (sha) => ({ ...pushEvent(sha, 'master'), name: 'page_build_of_tomorrow' })]
]

describe('Nobody is let in', () => {
  it.each(events)(
    '%s is built and tested, ends green and asks the registry for nothing but to read',
    async (_, event) => {
      const agent = await bed.agent(engine)
      const source = new SourceRepository(bed.folder, application(base))
      try {
        const proxy = await FaultProxy.start(agent)
        // the registry gives a stranger's token no more than this, and notes who asks
        const denied = { kind: 'denied' as const, path: '.', skip: 0, times: 1_000_000 }
        await proxy.inject([{ ...denied, method: 'POST|PUT|PATCH|DELETE' }])
        const outcome: Outcome = await runAction(agent, {
          workspace: source.checkout(source.head()),
          event: event(source.head()),
          inputs: { image: proxy.image('octo/let-in'), tests: 'test -s app.txt' }
        })
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expect(JSON.parse(String(outcome.outputs.tests))).toMatchObject([{ status: 'passed' }])
        expect(outcome.outputs).toMatchObject({ pushed: 'false', published: 'false', tags: '' })
        expect(await proxy.injected()).toEqual([])
        const notices = outcome.log.split('\n').filter((line) => line.startsWith('::notice::'))
        expect(notices).toEqual([expect.stringMatching(/ pushes nothing: /)])
        expect(outcome.outputs['publish-reason']).toMatch(/ pushes nothing: /)
      } finally {
        await agent.stop()
      }
    }
  )
})
