import { describe, expect, it } from '@jest/globals'
import type { Stage } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { makeRefs, tagsOfOthers } from '../../../src/plan/references.ts'
import { ownUseOf } from '../../../src/registry/reserved-tags.ts'
import { makeInputs, publishingOf } from '../../support/make-plan.ts'

const COMMIT = { sha: '0123456789'.repeat(4), shortSha: '0123456', branch: 'feature/größe-2' }

/** All stages of a Dockerfile, as cache stages. */
function stagesOf(text: string): { stage: Stage }[] {
  return parseDockerfile(text).stages.map((stage) => ({ stage }))
}

describe('makeRefs', () => {
  it('names the images of the commit and the moving tags', () => {
    expect(makeRefs(makeInputs(), COMMIT, [], publishingOf('master'))).toEqual({
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
    const inputs = makeInputs({
      'latest-tag': 'stable',
      tags: 'v1\ndocker.io/octo/app:v1\nindex.docker.io/octo/app:stable\nghcr.io/octo/app:builder'
    })
    const refs = makeRefs(inputs, COMMIT, [], publishingOf('master', inputs))
    expect(refs.movingProduction).toBe('octo/app:stable')
    expect(refs.further).toEqual(['octo/app:v1', 'ghcr.io/octo/app:builder'])
  })

  it('sets apart the tags that docker/metadata-action names after a branch', () => {
    const tags = ['feature-gr-e-2', 'master', 'master-1', 'ghcr.io/octo/app:master', 'feature/x', 'feature']
    const inputs = makeInputs({ tags: tags.filter((tag) => tag !== 'feature/x').join('\n') })
    const { further, branch } = makeRefs(inputs, COMMIT, [], publishingOf('master'))
    expect(branch).toEqual(['octo/app:feature-gr-e-2', 'octo/app:master', 'ghcr.io/octo/app:master'])
    expect(further).toEqual(['octo/app:master-1', 'octo/app:feature'])
    expect(makeRefs(inputs, { ...COMMIT, branch: '' }, [], publishingOf('')).branch).toEqual([])
  })

  it('sets apart what moves as the moving tag does: its name in another repository, and edge of the publishing branch', () => {
    const inputs = makeInputs({
      tags: 'ghcr.io/octo/app:latest\nghcr.io/octo/other:latest\nedge\nghcr.io/octo/app:stable'
    })
    const others = ['ghcr.io/octo/app:latest', 'ghcr.io/octo/other:latest']
    const ofMaster = makeRefs(inputs, { ...COMMIT, branch: 'master' }, [], publishingOf('master'))
    expect(ofMaster.branch).toEqual([...others, 'octo/app:edge'])
    expect(ofMaster.further).toEqual(['ghcr.io/octo/app:stable'])
    expect(makeRefs(inputs, COMMIT, [], publishingOf('master'))).toMatchObject({
      branch: others,
      further: ['octo/app:edge', 'ghcr.io/octo/app:stable']
    })
  })

  it('takes no tag of another commit', () => {
    const inputs = makeInputs({
      tags: 'c0ffee1\ndocker.io/octo/app:c0ffee2\n0123456\nC0FFEE1\nc0ffee12\nghcr.io/octo/app:c0ffee1'
    })
    const { further, branch } = makeRefs(inputs, { ...COMMIT, branch: 'c0ffee1' }, [], publishingOf('master'))
    expect(further).toEqual(['octo/app:C0FFEE1', 'octo/app:c0ffee12'])
    expect(branch).toEqual(['ghcr.io/octo/app:c0ffee1'])
    expect(tagsOfOthers(inputs, COMMIT)).toEqual(['octo/app:c0ffee1', 'docker.io/octo/app:c0ffee2'])
  })

  it('takes no tag of another commit that a template makes, and any of its own', () => {
    const inputs = makeInputs({ 'commit-tag': 'sha-{short}', tags: 'sha-c0ffee1\nc0ffee1\nsha-0123456\n0123456' })
    const refs = makeRefs(inputs, COMMIT, [], publishingOf('master'))
    expect(refs).toMatchObject({ production: 'octo/app:sha-0123456', further: ['octo/app:0123456'] })
    expect(tagsOfOthers(inputs, COMMIT)).toEqual(['octo/app:sha-c0ffee1', 'octo/app:c0ffee1'])
  })

  it('names the pull request once, although docker/metadata-action does, too', () => {
    const inputs = makeInputs({ tags: 'pr-7\ndocker.io/octo/app:pr-7\nghcr.io/octo/app:pr-7' })
    const refs = makeRefs(inputs, { ...COMMIT, pullRequest: 7 }, [], publishingOf('master'))
    expect(refs.pullRequest).toBe('octo/app:pr-7')
    expect(refs.further).toEqual(['ghcr.io/octo/app:pr-7'])
  })

  it.each([undefined, 8])('takes no tag of another pull request: %s', (pullRequest) => {
    const inputs = makeInputs({ tags: 'pr-7\ndocker.io/octo/app:pr-7\nghcr.io/octo/app:pr-7\npr-seven' })
    const commit = { ...COMMIT, ...(pullRequest !== undefined && { pullRequest }) }
    expect(makeRefs(inputs, commit, [], publishingOf('master')).further).toEqual([
      'ghcr.io/octo/app:pr-7',
      'octo/app:pr-seven'
    ])
    expect(tagsOfOthers(inputs, commit)).toEqual(['octo/app:pr-7', 'docker.io/octo/app:pr-7'])
  })

  it.each([
    'release',
    'latest',
    'builder',
    'dev',
    'builder-next',
    'pr-7',
    'c0ffee1',
    'cache-0123456789abcdef',
    'stage-1'
  ])('never gives the stage %s a tag of that name', (name) => {
    const { stages } = makeRefs(makeInputs(), COMMIT, stagesOf(`FROM alpine AS ${name}`), publishingOf(''))
    expect(stages).toEqual({
      [name]: {
        local: `octo/app:builder-0123456-stage-${name}`,
        moving: `octo/app:builder-stage-${name}`,
        candidate: `octo/app:builder-next-stage-${name}`
      }
    })
  })

  it('gives no two images one tag, whatever the stages are called', () => {
    const names = ['deps', 'deps-next', 'next', 'next-stage-deps', 'stage-3', '', 'stage', '0123456', 'stage-deps', '']
    const text = names.map((name) => `FROM alpine${name && ` AS s${name}`.replace(/ s(?=[a-z])/, ' ')}`).join('\n')
    const stages = stagesOf(text)
    const { stages: ofStages, ...others } = makeRefs(makeInputs({ tags: 'v1' }), COMMIT, stages, publishingOf('master'))
    const references = [
      ...Object.values(ofStages).flatMap((refs) => Object.values(refs)),
      ...Object.values(others).flat(),
      ...['builder-next', 'latest-cache'].map((tag) => `octo/app:${tag}`)
    ]
    expect(stages).toHaveLength(names.length)
    expect(references).toHaveLength(3 * names.length + 5 + 2)
    expect(new Set(references).size).toBe(references.length)
    // no user can ask for one of them
    for (const reference of Object.values(ofStages).flatMap((refs) => Object.values(refs))) {
      expect(ownUseOf(reference.replace('octo/app:', ''), { builderTag: 'builder', latestTag: 'latest' })).toMatch(
        /^the images of cache stages/
      )
    }
  })

  it('refuses a stage whose tag would be too long', () => {
    expect(() =>
      makeRefs(makeInputs(), COMMIT, stagesOf(`FROM alpine AS ${'a'.repeat(115)}`), publishingOf(''))
    ).toThrow(/^The tag builder-0123456-stage-a+ would be too long for a registry; give the stage a shorter name/)
  })
})
