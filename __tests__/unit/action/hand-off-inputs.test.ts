import { describe, expect, it } from '@jest/globals'
import {
  checkMatrix,
  handedInputs,
  readHandOffFolder,
  readResultsFolder,
  readTestIndices,
  readTransport
} from '../../../src/action/hand-off-inputs.ts'

function get(values: Record<string, string>): (name: string) => string {
  return (name) => values[name] ?? ''
}

describe('handedInputs', () => {
  const inputs = { image: 'octo/app', tests: 'npm test\n  --env TOKEN', 'test-options': '--init', 'build-args': 'A=b' }

  it('are the texts that the tests need, and no others', () => {
    expect(handedInputs(get(inputs), { lines: ['s3cret'] })).toEqual({
      tests: 'npm test\n  --env TOKEN',
      'test-options': '--init'
    })
  })

  it.each([
    ['tests', 'curl -H s3cret'],
    ['test-options', '--env TOKEN=s3cret']
  ])('%s must have no secret', (name, text) => {
    expect(() => handedInputs(get({ ...inputs, [name]: text }), { lines: ['s3cret'] })).toThrow(
      `Input ${name} has a secret, and everyone who may read the artifacts of this run could read it`
    )
  })
})

describe('readTestIndices', () => {
  it.each<[string, number, number[]]>([
    ['', 3, [0, 1, 2]],
    ['', 0, []],
    ['2', 3, [2]],
    [' 1\n0\n\n1 \n', 3, [1, 0]]
  ])('reads %j of %d tests', (text, count, expected) => {
    expect(readTestIndices(get({ test: text }), count)).toEqual(expected)
  })

  it.each<[string, number, string]>([
    ['3', 3, 'Input test has the line "3"; each line must be the index of a test, from 0 to 2'],
    ['npm test', 3, 'Input test has the line "npm test"; each line must be the index of a test, from 0 to 2'],
    ['-1', 3, 'Input test has the line "-1"'],
    ['1.0', 3, 'Input test has the line "1.0"'],
    ['0', 0, 'Input test has the line "0"; but the hand-off has no tests'],
    ['0,1', 3, 'with a comma between items; give one item a line']
  ])('refuses %j of %d tests', (text, count, message) => {
    expect(() => readTestIndices(get({ test: text }), count)).toThrow(message)
  })
})

describe('The other inputs of the hand-off', () => {
  it('name its folder, which must be given, and that of the results', () => {
    expect(readHandOffFolder(get({ 'hand-off': ' /tmp/a \n' }))).toBe('/tmp/a')
    expect(() => readHandOffFolder(get({}))).toThrow('Input hand-off is missing')
    expect(readResultsFolder(get({}))).toBeUndefined()
    expect(readResultsFolder(get({ results: 'r' }))).toBe('r')
  })

  it('name the transport', () => {
    expect(readTransport(get({}))).toBe('registry')
    expect(readTransport(get({ transport: 'artifact' }))).toBe('artifact')
    expect(() => readTransport(get({ transport: 'cache' }))).toThrow(/^Input transport is "cache"/)
  })

  it('allow no more tests than a matrix may have jobs', () => {
    expect(checkMatrix(256)).toBeUndefined()
    expect(() => checkMatrix(257)).toThrow('Input tests has 257 tests, and GitHub makes at most 256 jobs of a matrix')
  })
})
