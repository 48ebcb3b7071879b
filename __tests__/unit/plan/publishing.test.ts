import { describe, expect, it } from '@jest/globals'
import { decidePublish, maySetTag } from '../../../src/plan/publish-policy.ts'
import { findPublishing } from '../../../src/plan/publishing.ts'
import { makeRefs } from '../../../src/plan/references.ts'
import { makeCommit, makeInputs } from '../../support/make-plan.ts'

const FURTHER = { 'publish-branch': 'main\nrelease/*\nstable' }

describe('The publishing branch of a run', () => {
  it.each([
    ['main', 'main', 'builder', 'latest'],
    ['release/1.x', 'release/1.x', 'builder-release-1.x', 'latest-release-1.x'],
    ['stable', 'stable', 'builder-stable', 'latest-stable'],
    ['feature', 'main', 'builder', 'latest'],
    ['', 'main', 'builder', 'latest']
  ])('of branch %j is %s, with %s and %s', (branch, publishing, builderTag, latestTag) => {
    const found = findPublishing(makeInputs(FURTHER), 'main', branch)
    expect(found).toEqual({ branch: publishing, builderTag, latestTag, all: ['main', 'release/*', 'stable'] })
    const decision = decidePublish('auto', found, { ...makeCommit(), branch })
    expect(decision.publish).toBe(branch !== '' && branch !== 'feature')
  })

  it('says which branches promote', () => {
    const found = findPublishing(makeInputs(FURTHER), 'main', 'feature')
    const { reason } = decidePublish('auto', found, { ...makeCommit(), branch: 'feature' })
    expect(reason).toMatch(/: only branches "main", "release\/\*", "stable" move those\.$/)
  })

  it('is none if another branch could have the same tags: then the run does not promote, and says why', () => {
    const found = findPublishing(makeInputs(FURTHER), 'main', 'release/1+2')
    expect(found).toMatchObject({ branch: 'main', latestTag: 'latest' })
    const decision = decidePublish('always', found, { ...makeCommit(), branch: 'release/1+2' })
    expect(decision).toMatchObject({ push: true, publish: false })
    expect(decision.reason).toContain(
      '"release/1+2" cannot have moving tags of its own, because its tag latest-release-1-2'
    )
  })

  it('is not promoted by a pull request, a tag, or another checkout', () => {
    const commit = { ...makeCommit(), branch: 'release/1.x' }
    const found = findPublishing(makeInputs(FURTHER), 'main', 'release/1.x')
    for (const more of [{ isPullRequest: true }, { tag: 'v1' }, { checkout: 'other' as const }, { isFork: true }])
      expect(decidePublish('always', found, { ...commit, ...more }).publish).toBe(false)
  })
})

describe('The references of a further publishing branch', () => {
  const tags = 'latest\nrelease-1.x\nmain\nv1\nghcr.io/octo/app:latest\nghcr.io/octo/app:latest-release-1.x\nstable'
  const inputs = makeInputs({ ...FURTHER, tags, 'commit-tag': 'sha-{short}' })
  const commit = { ...makeCommit(), branch: 'release/1.x' }
  const publishing = findPublishing(inputs, 'main', commit.branch)
  const refs = makeRefs(inputs, commit, [{ stage: { index: 1, name: 'deps' } as never }], publishing)

  it('have the names of the branch; what other machines and scripts know by its form has not', () => {
    expect(refs).toMatchObject({
      builder: 'octo/app:builder-0123456',
      production: 'octo/app:sha-0123456',
      movingBuilder: 'octo/app:builder-release-1.x',
      movingProduction: 'octo/app:latest-release-1.x',
      stages: {
        deps: {
          local: 'octo/app:builder-0123456-stage-deps',
          moving: 'octo/app:builder-release-1.x-stage-deps',
          candidate: 'octo/app:builder-release-1.x-next-stage-deps'
        }
      },
      further: ['octo/app:v1']
    })
  })

  it('have no tag of another publishing branch', () => {
    const decision = decidePublish('auto', publishing, commit)
    const set = refs.branch.filter((tag) => maySetTag(tag, commit, decision, publishing, inputs))
    expect(set).toEqual(['octo/app:release-1.x', 'ghcr.io/octo/app:latest-release-1.x'])
  })
})
