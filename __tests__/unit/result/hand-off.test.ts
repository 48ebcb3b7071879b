import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { UserError } from '../../../src/lib/errors.ts'
import { imagesOf, readHandedPlatform, readHandedResult, readHandOff } from '../../../src/result/hand-off.ts'
import { HAND_OFF_SCHEMA, PLATFORM_RESULT_SCHEMA, TEST_RESULT_SCHEMA } from '../../../src/result/hand-off-schema.ts'
import { cases, faultsOf, mutated } from '../../support/cases.ts'

const DIGEST = `sha256:${'1'.repeat(64)}`
const HAND_OFF = {
  ...{ version: 1, runId: '7', commit: 'c'.repeat(40), image: 'ghcr.io/octo/app', variant: 'v', buildArgs: 'b' },
  ...{ inputs: { tests: 'npm test' }, tests: [0], transport: 'registry', digest: DIGEST },
  images: [{ reference: 'ghcr.io/octo/app:builder-ccccccc', digest: DIGEST }],
  startedAt: 1,
  builds: [
    {
      ...{ kind: 'builder', stage: 'builder', image: 'i', cacheSource: 's', imageId: DIGEST, seconds: 1 },
      steps: [{ stage: 'builder', instruction: 'RUN x', cached: true, seconds: 0 }],
      ...{ bases: [], unreadableCaches: [] }
    }
  ],
  timeline: [{ kind: 'build', name: 'Build', start: 0, seconds: 1 }]
}
const RESULT = {
  ...{ version: 1, runId: '7', attempt: 1, commit: 'c'.repeat(40), images: 'i', index: 0, fingerprint: 'f' },
  ...{ startedAt: 1, result: { command: 'npm test', status: 'passed', exitCode: 0, seconds: 1 }, timeline: [] }
}

const PLATFORM = {
  ...{ version: 1, runId: '7', attempt: 1, commit: 'c'.repeat(40), image: 'ghcr.io/octo/app', variant: 'v' },
  ...{ buildArgs: 'b', platform: 'linux/386', digest: DIGEST, startedAt: 1, builds: HAND_OFF.builds, cacheTags: [] },
  ...{ tests: [{ kind: 'check', command: 'scan', status: 'passed', exitCode: 0, seconds: 1 }], timeline: [] }
}

describe.each([
  ['readHandOff', readHandOff, HAND_OFF, 'a hand-off'],
  ['readHandedResult', readHandedResult, RESULT, 'the result of a test'],
  ['readHandedPlatform', readHandedPlatform, PLATFORM, 'the result of a platform']
] as const)('%s', (_, read, valid, what) => {
  it('reads what another machine has written, and further fields', () => {
    expect(read(JSON.stringify(valid), 'f.json')).toEqual(valid)
    expect(read(JSON.stringify({ ...valid, later: 1 }), 'f.json')).toEqual({ ...valid, later: 1 })
  })

  it.each(Object.keys(valid))('needs %s', (name) => {
    const { [name]: __, ...rest } = valid as Record<string, unknown>
    expect(() => read(JSON.stringify(rest), 'f.json')).toThrow(
      `"f.json" is not ${what} of this version of the action (it must have required property '${name}'); use the same version`
    )
    expect(() => read(JSON.stringify({ ...valid, [name]: { a: { b: null } } }), 'f.json')).toThrow(UserError)
  })

  it('refuses whatever else there is in one clear line', () => {
    fc.assert(
      fc.property(mutated(fc.constant(JSON.stringify(valid))), (text) => {
        try {
          read(text, 'f.json')
        } catch (error) {
          if (!(error instanceof UserError)) throw error
          expect(faultsOf(error.message)).toEqual([])
        }
      }),
      cases()
    )
  })
})

describe('A hand-off', () => {
  it.each<[string, object, string]>([
    [
      'another digest than its last image',
      { digest: `sha256:${'2'.repeat(64)}` },
      'its digest is not that of its last image'
    ],
    ['an image, and no digest', { digest: '' }, 'its digest is not that of its last image'],
    ['a digest, and no image', { images: [] }, 'its digest is not that of its last image'],
    ['an option for an image', { images: [{ reference: '--x', digest: DIGEST }] }, 'an image of another repository'],
    ['a base image', { images: [{ reference: 'node:22', digest: DIGEST }] }, 'an image of another repository']
  ])('must not have %s', (_, change, why) => {
    expect(() => readHandOff(JSON.stringify({ ...HAND_OFF, ...change }), 'f.json')).toThrow(why)
  })

  it('has one hash for all of its images', () => {
    const other = { reference: 'ghcr.io/octo/app:builder-ccccccc-stage-deps', digest: `sha256:${'3'.repeat(64)}` }
    const hash = imagesOf({ ...HAND_OFF, transport: 'registry' })
    expect(imagesOf({ ...HAND_OFF, transport: 'registry', images: [other, ...HAND_OFF.images] })).not.toBe(hash)
    expect(imagesOf({ ...HAND_OFF, transport: 'artifact' })).not.toBe(hash)
  })
})

it.each([
  ['hand-off-1', HAND_OFF_SCHEMA],
  ['test-result-1', TEST_RESULT_SCHEMA],
  ['platform-result-1', PLATFORM_RESULT_SCHEMA]
])('docs/%s.schema.json is the schema', (name, schema) => {
  const file = join(import.meta.dirname, '../../../docs', `${name}.schema.json`)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)))
})
