import { describe, expect, it } from '@jest/globals'
import { crossCheck } from '../../../src/action/inputs.ts'
import { UserError } from '../../../src/lib/errors.ts'
import { makeInputs } from '../../support/make-plan.ts'

describe('commit-tag', () => {
  it.each(['', '{short}', '{sha}', 'sha-{short}', '{sha}-app', 'v1.{short}_x'])('may be %j', (template) => {
    const inputs = makeInputs({ 'commit-tag': template })
    expect(inputs.commitTag).toBe(template || '{short}')
    expect(() => crossCheck(inputs)).not.toThrow()
  })

  it.each([
    ['sha', 'Input commit-tag is "sha"; it must have exactly one of {short} and {sha}, for example sha-{short}'],
    ['{short}-{sha}', 'it must have exactly one of {short} and {sha}'],
    ['{short}{short}', 'it must have exactly one of {short} and {sha}'],
    ['{branch}-{short}', 'it must have exactly one of {short} and {sha}'],
    ['-{short}', 'Input commit-tag is "-{short}", which makes no tag; a tag is at most 128 letters'],
    ['a/{short}', 'which makes no tag'],
    [`${'a'.repeat(65)}{sha}`, 'which makes no tag'],
    [`${'a'.repeat(122)}{short}`, 'which makes no tag']
  ])('%j makes no commit tag', (template, message) => {
    expect(() => makeInputs({ 'commit-tag': template })).toThrow(UserError)
    expect(() => makeInputs({ 'commit-tag': template })).toThrow(message)
  })

  it.each<[string, Record<string, string>]>([
    ['pr-{short}', {}],
    ['cache-{short}000000000', {}],
    ['tested-000000000{short}', {}],
    ['builder-{short}', {}],
    ['builder-stage-{short}', {}],
    ['sha-{short}', { 'latest-tag': 'sha-0123abc' }],
    ['sha-{short}-next', { 'builder-tag': 'sha-0123abc' }],
    ['sha-{short}-cache', { 'latest-tag': 'sha-0123abc' }]
  ])('%j would take a tag of the action, with %j', (template, more) => {
    const inputs = makeInputs({ 'commit-tag': template, ...more })
    expect(() => crossCheck(inputs)).toThrow(UserError)
    expect(() => crossCheck(inputs)).toThrow(
      `Input commit-tag is ${JSON.stringify(template)}, but the action may use such a tag`
    )
  })
})
