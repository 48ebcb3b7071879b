import { describe, expect, it } from '@jest/globals'
import { isCommitTag, isPullRequestTag, isReservedTag } from '../../../src/registry/reserved-tags.ts'

describe('Tags of the action', () => {
  it.each([
    ['cache-0123456789abcdef', true, false],
    ['tested-0123456789abcdef', true, false],
    ['cache-0123456789abcdeg', false, false],
    ['cache-0123456789abcde', false, false],
    ['xcache-0123456789abcdef', false, false],
    ['cache-0123456789abcdef-next', false, false],
    ['pr-1', false, true],
    ['pr-', false, false],
    ['pr-1a', false, false],
    ['latest-cache', false, false]
  ])('%s: reserved %s, of a pull request %s', (tag, reserved, pullRequest) => {
    expect([isReservedTag(tag), isPullRequestTag(tag)]).toEqual([reserved, pullRequest])
  })

  it.each([
    ['0123abc', true],
    ['0123ABC', false],
    ['0123abg', false],
    ['0123ab', false],
    ['0123abcd', false]
  ])('%s: of a commit %s', (tag, ofCommit) => {
    expect(isCommitTag(tag)).toBe(ofCommit)
  })
})
