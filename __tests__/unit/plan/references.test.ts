import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { makeRefs, tagsOfOtherCommits } from '../../../src/plan/references.ts'
import { makeInputs } from '../../support/make-plan.ts'

const COMMIT = { shortSha: '0123456', branch: 'feature/größe-2' }

describe('makeRefs', () => {
  it('names the images of the commit and the moving tags', () => {
    expect(makeRefs(makeInputs(), COMMIT, [], 'master')).toEqual({
      builder: 'octo/app:builder-0123456',
      production: 'octo/app:0123456',
      movingBuilder: 'octo/app:builder',
      movingProduction: 'octo/app:latest',
      stages: {},
      further: [],
      branch: []
    })
  })

  it('takes further tags once, and none that is ours: those move by our rules', () => {
    const refs = makeRefs(
      makeInputs({
        'latest-tag': 'stable',
        tags: 'v1\ndocker.io/octo/app:v1\nocto/app:stable\nindex.docker.io/octo/app:builder\nghcr.io/octo/app:stable'
      }),
      COMMIT,
      [],
      'master'
    )
    expect(refs.movingProduction).toBe('octo/app:stable')
    expect(refs.further).toEqual(['octo/app:v1', 'ghcr.io/octo/app:stable'])
  })

  it('sets apart the tags that docker/metadata-action names after a branch', () => {
    const tags = ['feature-gr-e-2', 'master', 'master-1', 'ghcr.io/octo/app:master', 'feature/x', 'feature']
    const inputs = makeInputs({ tags: tags.filter((tag) => tag !== 'feature/x').join('\n') })
    const { further, branch } = makeRefs(inputs, COMMIT, [], 'master')
    expect(branch).toEqual(['octo/app:feature-gr-e-2', 'octo/app:master', 'ghcr.io/octo/app:master'])
    expect(further).toEqual(['octo/app:master-1', 'octo/app:feature'])
    expect(makeRefs(inputs, { ...COMMIT, branch: '' }, [], '').branch).toEqual([])
  })

  it('takes no tag of another commit', () => {
    const inputs = makeInputs({
      tags: 'c0ffee1\ndocker.io/octo/app:c0ffee2\n0123456\nC0FFEE1\nc0ffee12\nghcr.io/octo/app:c0ffee1'
    })
    const { further, branch } = makeRefs(inputs, { ...COMMIT, branch: 'c0ffee1' }, [], 'master')
    expect(further).toEqual(['octo/app:C0FFEE1', 'octo/app:c0ffee12'])
    expect(branch).toEqual(['ghcr.io/octo/app:c0ffee1'])
    expect(tagsOfOtherCommits(inputs, COMMIT)).toEqual(['octo/app:c0ffee1', 'docker.io/octo/app:c0ffee2'])
  })

  it('names the pull request once, although docker/metadata-action does, too', () => {
    const inputs = makeInputs({ tags: 'pr-7\ndocker.io/octo/app:pr-7\nghcr.io/octo/app:pr-7' })
    const refs = makeRefs(inputs, { ...COMMIT, pullRequest: 7 }, [], 'master')
    expect(refs.pullRequest).toBe('octo/app:pr-7')
    expect(refs.further).toEqual(['ghcr.io/octo/app:pr-7'])
    expect(makeRefs(inputs, COMMIT, [], 'master').further).toEqual(['octo/app:pr-7', 'ghcr.io/octo/app:pr-7'])
  })

  it.each([
    ['cache-0123456789abcdef', 'stage-cache-0123456789abcdef'],
    ['tested-0123456789abcdef', 'stage-tested-0123456789abcdef'],
    ['pr-7', 'stage-pr-7'],
    ['builder-next', 'stage-builder-next'],
    ['c0ffee1', 'stage-c0ffee1'],
    ['c0ffee12', 'c0ffee12'],
    ['cache', 'cache'],
    ['cache-0123456789abcdef0', 'cache-0123456789abcdef0'],
    ['pr-seven', 'pr-seven']
  ])('gives the stage %s the tag %s', (name, tag) => {
    const dockerfile = parseDockerfile(`FROM alpine AS ${name}`)
    const [stage] = dockerfile.stages
    if (!stage) throw new Error('there is a stage')
    expect(makeRefs(makeInputs(), COMMIT, [{ stage }], '').stages[name]?.moving).toBe(`octo/app:${tag}`)
  })
})
