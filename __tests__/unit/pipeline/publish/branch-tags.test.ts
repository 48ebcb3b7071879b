import { describe, expect, it } from '@jest/globals'
import { branchTagsToSet } from '../../../../src/pipeline/publish/branch-tags.ts'
import { REVISION_LABEL } from '../../../../src/plan/labels.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../../support/fake-registry.ts'
import { makePlan, SHA } from '../../../support/make-plan.ts'
import { makeRun } from '../../../support/make-run.ts'
import type { RecordingLog } from '../../../support/recording-log.ts'

const TAGS = ['octo/app:master', 'ghcr.io/octo/app:master']

function runWith(contents: Contents, unreadable = ''): Parameters<typeof branchTagsToSet>[0] {
  return makeRun({
    plan: makePlan({ inputs: { tags: TAGS.join('\n') } }),
    registry: new FakeRegistry(contents, {
      fail: (request) => (request === `get ${unreadable}` ? failureOf('refused') : undefined)
    })
  })
}

describe('branchTagsToSet', () => {
  it('asks for each tag what it names', async () => {
    const contents = new Contents()
    contents.put(TAGS[0] ?? '', imageOf(`sha256:${'1'.repeat(64)}`, { labels: { [REVISION_LABEL]: SHA } }))
    const run = runWith(contents)
    expect(await branchTagsToSet(run)).toEqual({ references: TAGS, failures: [] })
    expect((run.log as RecordingLog).said('notice', 'warning')).toEqual([])
  })

  it('sets none that it cannot read, and fails', async () => {
    const [first = '', second] = TAGS
    const failures = [{ kind: 'guard', reference: first, failure: failureOf('refused') }]
    expect(await branchTagsToSet(runWith(new Contents(), first))).toEqual({ references: [second], failures })
  })
})
