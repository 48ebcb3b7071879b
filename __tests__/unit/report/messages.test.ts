import { describe, expect, it } from '@jest/globals'
import { failureOfWords } from '../../../src/registry/client-words.ts'
import { describeFailure, missesOf } from '../../../src/report/messages.ts'
import type { Failure, RunResult, TestResult } from '../../../src/result/result.ts'
import { failureOf } from '../../support/fake-registry.ts'
import { buildWith, GOOD, MISS, NOTHING } from '../../support/results.ts'

const SENTENCE =
  'Unexpected cache miss in stage builder, none of whose inputs has changed: line 2: RUN a. It is not known.'

describe('describeFailure', () => {
  const builder = { ...buildWith('b', ['builder', false]), misses: [{ ...MISS, unexpected: false }] }
  const stage = { ...buildWith('c', ['builder', false]), misses: [MISS], failure: 'no space' }
  const result: RunResult = {
    ...NOTHING,
    ...{ builder, cacheStages: [stage] },
    tests: [...GOOD.tests, { command: 'echo "a"', status: 'failed', exitCode: 7, seconds: 1, failure: 'exit code 7' }]
  }

  it.each<[Failure, string | RegExp]>([
    [{ kind: 'error', message: 'spawn E2BIG' }, 'spawn E2BIG'],
    [{ kind: 'cancelled' }, 'The run was cancelled'],
    [{ kind: 'engine-gone', message: 'EOF' }, 'The Docker engine stopped answering during the run (EOF)'],
    [{ kind: 'build', image: 'c' }, 'Building c failed: no space'],
    [{ kind: 'test', index: 1 }, 'The test "echo \\"a\\"" did not pass: exit code 7'],
    [{ kind: 'miss', stage: 'builder' }, SENTENCE],
    [
      { kind: 'guard', reference: 'octo/app:latest', failure: failureOf('unreachable', 'EOF') },
      /^Cannot inspect the published image octo\/app:latest, so the moving tags are not updated: .*older commit \(EOF\)\. Make sure that/
    ],
    [
      { kind: 'images-gone', message: 'No such image: x' },
      'The images that this run built are not in the engine any more (No such image: x)'
    ],
    [
      { kind: 'name-taken', reference: 'a:b' },
      'a:b names another image than the one that this run built, so nothing is pushed: another run on the same engine has taken the name; give each runner an engine of its own'
    ],
    [
      { kind: 'other-image', reference: 'a:b', pushed: 'sha256:1', built: 'sha256:2' },
      'a:b was pushed with another image (sha256:1) than the one that this run built (sha256:2), so no other tag is set: another run on the same engine has taken the name; give each runner an engine of its own'
    ]
  ])('%j', (failure, expected) => {
    const sentence = describeFailure(failure, result)
    if (typeof expected === 'string') expect(sentence).toBe(expected)
    else expect(sentence).toMatch(expected)
  })

  it.each<[Failure, string]>([
    [{ kind: 'images-gone', message: 'x' }, 'not in the engine any more (x); let no check remove them'],
    [{ kind: 'name-taken', reference: 'a:b' }, 'so nothing is pushed: a check or another run on the same engine has'],
    [
      { kind: 'other-image', reference: 'a:b', pushed: 'sha256:1', built: 'sha256:2' },
      'so no other tag is set: a check or another run on the same engine has taken the name; let no check set or remove it'
    ]
  ])('says that a check may be the reason, if there was one: %j', (failure, part) => {
    const check: TestResult = { kind: 'check', command: 'a', status: 'passed', exitCode: 0, seconds: 1 }
    expect(describeFailure(failure, { ...result, tests: [...result.tests, check] })).toContain(part)
  })
})

describe('A push that failed', () => {
  it('names the base images of the same registry, from which the engine may mount layers', () => {
    const bases = ['r.io/base:1', 'r.io/octo/app:builder', 'docker.io/library/node:24', 'r.io/base:1'].map(
      (reference) => ({
        reference,
        digest: ''
      })
    )
    const result: RunResult = { ...NOTHING, builder: { ...buildWith('b', ['builder', false]), bases } }
    const failure = failureOfWords('error from registry: denied', 'r.io/octo/app:1')
    expect(describeFailure({ kind: 'push', reference: 'r.io/octo/app:1', failure }, result)).toMatch(
      /packages: write\) and read r\.io\/base:1, from which the engine may mount layers \(error/
    )
  })

  it('says what a tag names that must not change', () => {
    const failure = failureOfWords('tag b is immutable', 'a:b')
    expect(
      describeFailure({ kind: 'push', reference: 'a:b', failure, holds: 'an image of commit 1' }, NOTHING)
    ).toMatch(
      /^a:b already names an image of commit 1, and the registry does not let this tag change: delete the tag, .*\(tag b is immutable\)$/
    )
  })

  it.each([
    [
      'unauthorized: authentication required',
      /log in to the registry before this step; the user name or the token is missing, wrong or expired/
    ],
    [
      'push access denied, repository does not exist or may require authorization: server message: invalid_token: authorization failed',
      /missing, wrong or expired/
    ],
    ['denied: permission_denied: write_package', /a token that may write to this repository .*packages: write/],
    [
      'received unexpected HTTP status: 503 Service Unavailable',
      /could not be reached to push a:b, or cannot store it now/
    ],
    [
      'name unknown: repository name not known to registry',
      /has no such repository, and does not make one by itself; create it first/
    ],
    ['x509: certificate signed by unknown authority', /give the engine its certificate/],
    // as a registry answers by HTTP
    ['HTTP status 401 (UNAUTHORIZED: authentication required)', /missing, wrong or expired/],
    ['HTTP status 403 (DENIED: requested access is denied)', /a token that may write to this repository/],
    [
      'unexpected status from POST request to http://r.io/v2/b/blobs/uploads/?mount=sha256:aa&from=octo%2Fbase: 403 Forbidden',
      /does not let the engine mount a layer from its repository octo\/base; log in with a token that may also read that repository/
    ],
    ['tag b is immutable', /^a:b cannot move to the new image, .*moving tags must be allowed to move/],
    ['something else', /^a:b could not be pushed \(something else\)$/]
  ])('%s', (text, expected) => {
    const sentence = describeFailure({ kind: 'push', reference: 'a:b', failure: failureOfWords(text, 'a:b') }, NOTHING)
    expect(sentence).toMatch(expected)
    expect(sentence).toContain(`(${text})`)
  })
})

describe('missesOf', () => {
  it('has the misses of all builds', () => {
    const production = { ...buildWith('p'), misses: [{ ...MISS, stage: 'stage-1' }] }
    const result = {
      ...NOTHING,
      builder: { ...buildWith('b'), misses: [MISS] },
      cacheStages: [buildWith('c')],
      production
    }
    expect(missesOf(result).map(({ stage }) => stage)).toEqual(['builder', 'stage-1'])
  })
})
