import { describe, expect, it } from '@jest/globals'
import { readInputs } from '../../../src/action/inputs.ts'
import { makeLabels } from '../../../src/plan/labels.ts'
import { makeRefs } from '../../../src/plan/references.ts'

function inputs(values: Record<string, string> = {}): ReturnType<typeof readInputs> {
  return readInputs((name) => ({ image: 'octo/app', ...values })[name] ?? '')
}

const build = { sha: '0123456789'.repeat(4), shortSha: '0123456', sourceUrl: 'https://github.com/octo/app' }

describe('makeRefs', () => {
  it('names the images of the commit and the moving tags', () => {
    expect(makeRefs(inputs(), build, [])).toEqual({
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
      inputs({
        'latest-tag': 'stable',
        tags: 'v1\ndocker.io/octo/app:v1\nocto/app:stable\nindex.docker.io/octo/app:builder\nghcr.io/octo/app:stable'
      }),
      build,
      []
    )
    expect(refs.movingProduction).toBe('octo/app:stable')
    expect(refs.further).toEqual(['octo/app:v1', 'ghcr.io/octo/app:stable'])
  })
})

describe('makeLabels', () => {
  it('labels both images; the user may change all but the revision', () => {
    const labels = makeLabels(
      inputs({ labels: 'org.opencontainers.image.revision=other\norg.opencontainers.image.source=mine\nteam=a=b' }),
      build,
      '2026-01-01T00:00:00Z',
      { tests: 'abc', inputs: 'def' }
    )
    const standard = [
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=https://github.com/octo/app',
      `org.opencontainers.image.revision=${build.sha}`
    ]
    expect(labels.stages).toEqual(standard)
    expect(labels.builder).toEqual([...standard, 'shared-docker-layers.inputs=def', 'shared-docker-layers.tests=abc'])
    expect(labels.production).toEqual([
      'org.opencontainers.image.created=2026-01-01T00:00:00Z',
      'org.opencontainers.image.source=mine',
      `org.opencontainers.image.revision=${build.sha}`,
      'team=a=b',
      'shared-docker-layers.inputs=def'
    ])
  })

  it('leaves out what is not known; no label of a base image says that the tests passed', () => {
    const fingerprints = { tests: undefined, inputs: 'def' }
    expect(makeLabels(inputs(), { sha: build.sha, sourceUrl: '' }, undefined, fingerprints).builder).toEqual([
      `org.opencontainers.image.revision=${build.sha}`,
      'shared-docker-layers.inputs=def',
      'shared-docker-layers.tests=none'
    ])
  })
})
