import { describe, expect, it } from '@jest/globals'
import { crossCheck } from '../../../src/action/inputs.ts'
import { fits, isTagOfBranch, readPublishBranches, whyNoMovingTags } from '../../../src/action/publish-branches.ts'
import { UserError } from '../../../src/lib/errors.ts'
import { makeInputs } from '../../support/make-plan.ts'

function read(text: string): string[] {
  return readPublishBranches(() => text)
}

describe('publish-branch', () => {
  it.each<[string, string[]]>([
    ['', []],
    ['main', ['main']],
    ['refs/heads/main\n\n  release/* \nmain', ['main', 'release/*']],
    ['"a,b"\n*', ['a,b', '*']]
  ])('%j: %j', (text, branches) => {
    expect(read(text)).toEqual(branches)
  })

  it.each([
    ['refs/tags/v1', 'Input publish-branch has "refs/tags/v1"; each line must be the name of a branch'],
    ['main release', 'Input publish-branch has "main release"; each line must be the name of a branch'],
    ['main\nv?', 'Input publish-branch has "v?"; each line must be the name of a branch'],
    ['main\n*/*', 'Input publish-branch has "*/*"; a pattern may have one *'],
    ['release/*', 'Input publish-branch has "release/*"; the first line must be the name of one branch'],
    ['main,release', 'Input publish-branch has the line "main,release", with a comma']
  ])('%j is refused', (text, message) => {
    expect(() => read(text)).toThrow(UserError)
    expect(() => read(text)).toThrow(message)
  })

  it.each([
    ['release/1.x', 'release/*', true],
    ['release/', 'release/*', true],
    ['release/1/x', 'release/*', false],
    ['release', 'release/*', false],
    ['my-release/1', 'release/*', false],
    ['1.x', '*.x', true],
    ['.', '.*.', false],
    ['main', 'main', true],
    ['Main', 'main', false],
    ['main', '*', true]
  ])('%s fits %s: %s', (branch, item, does) => {
    expect(fits(branch, item)).toBe(does)
  })
})

describe('The moving tags of further branches', () => {
  const inputs = makeInputs({ 'publish-branch': 'main\nrelease/*\nmaint*\nstable', 'commit-tag': 'latest-{short}' })

  it.each([
    ['release/1.x', undefined],
    ['stable', undefined],
    ['maintenance', undefined],
    // a branch release/1-2 would have the same tags
    ['release/1+2', 'its tag latest-release-1-2 would also be that of branch "release/1-2"'],
    [
      'maint-next',
      'the action may use the tags builder-maint-next and latest-maint-next for something else of another'
    ],
    ['maint-cache', 'the action may use the tags builder-maint-cache'],
    ['release/a-stage-b', 'the action may use the tags builder-release-a-stage-b'],
    [`release/${'a'.repeat(112)}`, 'would be longer than a registry allows (128 characters)'],
    ['next', 'the action uses the tag builder-next for something else'],
    ['stage/a', 'the action uses the tag builder-stage-a for something else'],
    ['cache', 'the action uses the tag latest-cache for something else'],
    ['0123abc', 'the action uses the tag builder-0123abc for something else']
  ])('%s: %s', (branch, why) => {
    if (why === undefined) expect(whyNoMovingTags(branch, inputs)).toBeUndefined()
    else expect(whyNoMovingTags(branch, inputs)).toContain(why)
  })

  it.each([
    ['latest-release-1.x', true],
    ['builder-release-1.x', true],
    ['builder-release-1.x-next', true],
    ['latest-stable', true],
    ['latest-stable-cache', true],
    ['builder-stable-next', true],
    ['builder-stable-stage-a', true],
    ['latest-stable-debug', false],
    ['latest-main', false],
    ['release-1.x', false],
    ['v1', false]
  ])('%s is one of them: %s', (tag, is) => {
    expect(isTagOfBranch(tag, inputs)).toBe(is)
  })

  it.each<[Record<string, string>, string]>([
    [
      { 'publish-branch': 'main\nrelease/1\nrelease-1' },
      'Input publish-branch has "release/1", which cannot have moving tags of its own: its tag latest-release-1 would also be that of branch "release-1", which the input names or allows; remove it, or rename the branch'
    ],
    [{ 'publish-branch': 'main\nrelease-1\nrelease/*' }, 'would also be that of branch "release/1"'],
    [{ 'publish-branch': 'main\nnext' }, 'the action uses the tag builder-next for something else; remove it'],
    [{ 'publish-branch': 'main\nv1', 'builder-tag': 'latest-b' }, 'let neither begin with the other and a dash'],
    [
      { 'publish-branch': 'main\nv*', tags: 'latest-v1' },
      'Input tags has octo/app:latest-v1, but the action uses this tag for a branch of the input publish-branch'
    ],
    [{ 'publish-branch': 'main\nv*', 'commit-tag': 'latest-v{short}' }, 'Input commit-tag is "latest-v{short}", but']
  ])('%j is refused', (given, message) => {
    expect(() => crossCheck(makeInputs(given))).toThrow(UserError)
    expect(() => crossCheck(makeInputs(given))).toThrow(message)
  })

  it('may be those of a branch that another pattern allows, too', () => {
    const given = {
      'publish-branch': 'main\nrelease/1.x\nrelease/*\nmain',
      tags: 'ghcr.io/octo/app:latest-release-1.x'
    }
    expect(() => crossCheck(makeInputs(given))).not.toThrow()
  })
})
