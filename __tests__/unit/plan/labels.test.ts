import { describe, expect, it } from '@jest/globals'
import { makeLabels } from '../../../src/plan/labels.ts'
import { makeInputs } from '../../support/make-plan.ts'

const COMMIT = { sha: '0123456789'.repeat(4), sourceUrl: 'https://github.com/octo/app' }

describe('makeLabels', () => {
  it('labels both images; the user may change all but the revision', () => {
    const labels = makeLabels(
      makeInputs({ labels: 'org.opencontainers.image.revision=other\norg.opencontainers.image.source=mine\nteam=a=b' }),
      COMMIT,
      '2026-01-01T00:00:00Z',
      { tests: 'abc', inputs: 'def' },
      'ghi'
    )
    const standard = [
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=https://github.com/octo/app',
      `org.opencontainers.image.revision=${COMMIT.sha}`
    ]
    expect(labels.stages).toEqual(standard)
    expect(labels.builder).toEqual([...standard, 'shared-docker-layers.inputs=def', 'shared-docker-layers.tests=abc'])
    expect(labels.production).toEqual([
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=mine',
      `org.opencontainers.image.revision=${COMMIT.sha}`,
      'team=a=b',
      'shared-docker-layers.inputs=def',
      'shared-docker-layers.variant=ghi'
    ])
  })

  it('leaves out what is not known; no label of a base image says that the tests passed', () => {
    const fingerprints = { tests: undefined, inputs: 'def' }
    expect(
      makeLabels(makeInputs(), { sha: COMMIT.sha, sourceUrl: '' }, undefined, fingerprints, 'ghi').builder
    ).toEqual([
      `org.opencontainers.image.revision=${COMMIT.sha}`,
      'shared-docker-layers.inputs=def',
      'shared-docker-layers.tests=none'
    ])
  })
})
