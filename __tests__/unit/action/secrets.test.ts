import { describe, expect, it } from '@jest/globals'
import { hiddenLines, redact, redactTexts } from '../../../src/action/mask.ts'

const INPUTS = { secrets: [], githubToken: undefined, buildArgs: [], testOptions: [] }
const VARIABLES = ['--env', 'PASSWORD=12345678', '-eAPI_KEY=87654321', '--env=AUTH=abcdefgh']

describe('hiddenLines', () => {
  it.each([
    ['each line of a secret', { secrets: [{ id: 'a', value: 'one\r\n\ntwo' }] }, ['one', 'two']],
    ['the token', { githubToken: 'ghs_x' }, ['ghs_x']],
    ['a build argument that looks like a secret', { buildArgs: ['NPM_TOKEN=0123456789', 'A=b'] }, ['0123456789']],
    ['variables of tests', { testOptions: VARIABLES }, ['12345678', '87654321', 'abcdefgh']],
    ['one as a shell would get it', { secrets: [{ id: 'a', value: "it's" }] }, ["it's", "it'\\''s"]]
  ])('are %s', (_, inputs, expected) => {
    expect(hiddenLines({ ...INPUTS, ...inputs })).toEqual(expected)
  })
})

describe('redactTexts', () => {
  it('hides in what others wrote, and leaves what programs read', () => {
    const data = {
      ...{ image: 'octo/app:s3cret', status: 'passed', seconds: 1, pushed: ['octo/app:s3cret'] },
      steps: [{ instruction: 'RUN echo s3cret', error: 's3cret s3cret', line: 3 }],
      failures: ['a s3cret b']
    }
    expect(redactTexts(data, ['s3cret'])).toEqual({
      ...data,
      steps: [{ instruction: 'RUN echo ***', error: '*** ***', line: 3 }],
      failures: ['a *** b']
    })
  })

  it('hides the longest first', () => {
    expect(redact('abc ab', ['ab', 'abc'])).toBe('*** ***')
  })
})
