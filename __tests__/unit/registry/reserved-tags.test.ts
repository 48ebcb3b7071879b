import { describe, expect, it } from '@jest/globals'
import {
  commitTagOf,
  isCommitTag,
  isPullRequestTag,
  isReservedTag,
  ownUseOf
} from '../../../src/registry/reserved-tags.ts'

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

describe('Templates of commit tags', () => {
  const sha = '0123456789'.repeat(4)

  it.each([
    ['{short}', '0123456'],
    ['{sha}', sha],
    ['sha-{short}', 'sha-0123456'],
    ['v1.{sha}_x', `v1.${sha}_x`]
  ])('%s makes %s, and knows it again', (template, tag) => {
    expect(commitTagOf(template, sha)).toBe(tag)
    expect(isCommitTag(tag, template)).toBe(true)
    // also without a template
    expect(isCommitTag('0123abc', template)).toBe(true)
    expect(isCommitTag(`${tag}x`, template)).toBe(false)
    expect(isCommitTag(`x${tag}`, template)).toBe(false)
    expect(isCommitTag(tag.replace('0', 'G'), template)).toBe(false)
  })

  it.each([
    ['sha-0123456', '{short}'],
    ['sha-012345', 'sha-{short}'],
    ['v1x0123456', 'v1.{short}'],
    ['a-a', 'a-{short}-a'],
    [sha.slice(1), '{sha}'],
    [`${sha}${sha.slice(0, 23)}`, '{sha}']
  ])('%s is not of %s', (tag, template) => {
    expect(isCommitTag(tag, template)).toBe(false)
  })

  it('knows the commits of SHA-256 repositories', () => {
    expect(isCommitTag(`${sha}${sha.slice(0, 24)}`, '{sha}')).toBe(true)
  })
})

describe('Tags that the inputs builder-tag and latest-tag take', () => {
  it.each([
    ['builder', 'the builder image (input builder-tag)'],
    ['builder-next', 'candidates for the builder image (input builder-tag)'],
    ['builder-0123abc', 'local copies of the builder image (input builder-tag)'],
    ['latest-cache', 'the kept cache of the production image (input latest-tag)'],
    ['builder-stage-deps', 'the images of cache stages (input builder-tag)'],
    ['builder-stage-2', 'the images of cache stages (input builder-tag)'],
    ['builder-next-stage-deps', 'the images of cache stages (input builder-tag)'],
    ['builder-0123abc-stage-deps', 'the images of cache stages (input builder-tag)'],
    ['latest', undefined],
    ['latest-next', undefined],
    ['builder-cache', undefined],
    ['builder-alpine', undefined],
    ['builder-nextstage-a', undefined],
    ['builder-next-1', undefined],
    ['builder-stage-', undefined],
    ['builder-0123abc4', undefined],
    ['stage-deps', undefined],
    ['release', undefined],
    ['my-builder-next', undefined]
  ])('%s: %s', (tag, use) => {
    expect(ownUseOf(tag, { builderTag: 'builder', latestTag: 'latest' })).toBe(use)
    // another name of the moving tags takes others
    expect(ownUseOf(tag, { builderTag: 'b', latestTag: 'l' })).toBeUndefined()
  })
})
