import { describe, expect, it } from '@jest/globals'
import { makeRefs } from '../../../src/plan/references.ts'
import { makeInputs } from '../../support/make-plan.ts'

const COMMIT = { shortSha: '0123456' }

describe('makeRefs', () => {
  it('names the images of the commit and the moving tags', () => {
    expect(makeRefs(makeInputs(), COMMIT, [])).toEqual({
      builder: 'octo/app:builder-0123456',
      production: 'octo/app:0123456',
      movingBuilder: 'octo/app:builder',
      movingProduction: 'octo/app:latest',
      stages: {},
      further: []
    })
  })

  it('takes further tags once, and none that is ours: those move by our rules', () => {
    const refs = makeRefs(
      makeInputs({
        'latest-tag': 'stable',
        tags: 'v1\ndocker.io/octo/app:v1\nocto/app:stable\nindex.docker.io/octo/app:builder\nghcr.io/octo/app:stable'
      }),
      COMMIT,
      []
    )
    expect(refs.movingProduction).toBe('octo/app:stable')
    expect(refs.further).toEqual(['octo/app:v1', 'ghcr.io/octo/app:stable'])
  })
})
