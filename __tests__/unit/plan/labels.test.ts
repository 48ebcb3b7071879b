import { describe, expect, it } from '@jest/globals'
import { isOfAction, isProduction, makeLabels } from '../../../src/plan/labels.ts'
import { VARIANT_LABEL } from '../../../src/plan/variant.ts'
import { makeInputs } from '../../support/make-plan.ts'

const COMMIT = { sha: '0123456789'.repeat(4), branch: 'feature', sourceUrl: 'https://github.com/octo/app' }

const WHAT = { variant: 'ghi', buildArgs: 'jkl' }

describe('makeLabels', () => {
  it('labels all images; the user may change all of production but the revision', () => {
    const labels = makeLabels(
      makeInputs({ labels: 'org.opencontainers.image.revision=other\norg.opencontainers.image.source=mine\nteam=a=b' }),
      COMMIT,
      '2026-01-01T00:00:00Z',
      WHAT
    )
    const unpublished = [
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=https://github.com/octo/app',
      `org.opencontainers.image.revision=${COMMIT.sha}`,
      'shared-docker-layers.branch=feature',
      'shared-docker-layers.variant='
    ]
    expect(labels.stages).toEqual(unpublished)
    expect(labels.builder).toEqual(unpublished)
    expect(labels.production).toEqual([
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=mine',
      `org.opencontainers.image.revision=${COMMIT.sha}`,
      'team=a=b',
      'shared-docker-layers.branch=',
      'shared-docker-layers.variant=ghi',
      'shared-docker-layers.build-args=jkl'
    ])
  })

  it('gives a deployed image the same labels on every branch', () => {
    const [one, other] = ['feature', 'master'].map((branch) =>
      makeLabels(makeInputs(), { ...COMMIT, branch }, undefined, WHAT)
    )
    expect(one?.production).toEqual(other?.production)
    expect(one?.builder).not.toEqual(other?.builder)
  })

  it('leaves out what is not known', () => {
    expect(makeLabels(makeInputs(), { sha: COMMIT.sha, branch: '', sourceUrl: '' }, undefined, WHAT).builder).toEqual([
      `org.opencontainers.image.revision=${COMMIT.sha}`,
      'shared-docker-layers.branch=',
      'shared-docker-layers.variant='
    ])
  })
})

describe('The images of the action', () => {
  it.each<[string, Record<string, string>, boolean, boolean]>([
    ['production', { [VARIANT_LABEL]: 'abc', 'shared-docker-layers.branch': '' }, true, true],
    ['a stage, on a base image that is a production image', { [VARIANT_LABEL]: '' }, true, false],
    ['of the first version', { 'shared-docker-layers.inputs': 'abc' }, true, false],
    ['of another action', { 'org.opencontainers.image.revision': COMMIT.sha }, false, false]
  ])('have its labels: %s', (_, labels, isOurs, isForDeployment) => {
    expect([isOfAction(labels), isProduction(labels)]).toEqual([isOurs, isForDeployment])
  })
})
