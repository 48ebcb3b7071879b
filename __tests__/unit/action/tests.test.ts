import { describe, expect, it } from '@jest/globals'
import { readTests, shellArgs, titleOf } from '../../../src/action/tests.ts'

const read = (value: string): [string, ...string[]][] =>
  readTests('tests', value).map(({ command, options }) => [command, ...options])

describe('readTests', () => {
  it.each<[string, string, [string, ...string[]][]]>([
    ['one test a line', 'a\nb c\n', [['a'], ['b c']]],
    ['no test', '\n  \n', []],
    ['blank lines, spaces and Windows line ends', '\r\n a \r\n\r\nb\r\n', [['a'], ['b']]],
    ['the same indentation of all', '  a\n  b', [['a'], ['b']]],
    ['options of one test', 'a\n  --env A=b\n  --network host\nb', [['a', '--env', 'A=b', '--network', 'host'], ['b']]],
    ['options in quotes', 'a\n  --env "A=b c"', [['a', '--env', 'A=b c']]],
    ['an option without a value', 'a\n\t--init', [['a', '--init']]],
    ['further lines of a command', 'a\n  b\n    c\nd', [['a\nb\nc'], ['d']]],
    ['further lines, and then options', 'a\n  b\n  --init\nd', [['a\nb', '--init'], ['d']]],
    ['a line that the next continues', 'a \\\n  --b\n  --init', [['a \\\n--b', '--init']]],
    ['the same without indentation', 'a \\\n--b\nc', [['a \\\n--b'], ['c']]],
    ['a command that goes on after && and |', 'a &&\nb |\nc\nd', [['a &&\nb |\nc'], ['d']]],
    ['a list that ends in the middle of a command', 'a ||\n', [['a ||']]],
    ['comments', '# first\na\n  # of the command\n# second\nb', [['a\n# of the command'], ['b']]],
    ['a quoted backslash, which continues nothing', 'a \\\\\nb', [['a \\\\'], ['b']]]
  ])('reads %s', (_, value, expected) => {
    expect(read(value)).toEqual(expected)
  })

  it.each([
    [
      '--env A=b\nnpm test',
      'Input tests has a line that begins with "--env", which begins with a dash; a test begins with its command, and its docker run options follow, each on an indented line of its own'
    ],
    [
      'a\n  --init\n  b',
      'Input tests has the line "b" after an option of the same test; put the options after the last line of the command'
    ],
    [
      'a\n  --name x',
      'Input tests has --name, which cannot be used: tests run in parallel and get names of their own; remove that line'
    ],
    [
      'a\n  --env A=b --init',
      'Input tests has a line that begins with "--env"; each indented line that begins with a dash must be one docker run option, for example --env NODE_ENV=test'
    ]
  ])('refuses %j', (value, message) => {
    expect(() => read(value)).toThrow(message)
  })
})

describe('shellArgs', () => {
  it('end a script of several lines at the first line that fails', () => {
    expect(shellArgs('a; b')).toEqual(['-c', 'a; b'])
    expect(shellArgs('a\nb')).toEqual(['-ec', 'a\nb'])
  })
})

describe('titleOf', () => {
  it.each([
    ['npm test', 'npm test'],
    ['set -e\nnpm test', 'set -e …']
  ])('of %j is %j', (command, title) => {
    expect(titleOf(command)).toBe(title)
  })
})
