import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { clean, compileGlob, hasWildcard, ignoreList } from '../../../src/dockerfile/patterns.ts'
import { cases } from '../../support/cases.ts'

describe('compileGlob', () => {
  // from the tests of Go's path/match_test.go
  it.each<[pattern: string, path: string, isMatch: boolean]>([
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'a☺b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'a☺b', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a?b', 'a/b', false],
    ['[\\]a]', ']', true],
    ['[\\-]', '-', true],
    ['[x\\-]', '-', true],
    ['[\\-x]', 'a', false],
    ['[]a]', ']', false],
    ['[-]', '-', false],
    ['[x-]', 'x', false],
    ['[-x]', '-', false],
    ['\\', 'a', false],
    ['[a-b-c]', 'a', false],
    ['[', 'a', false],
    ['[^bc', 'a', false],
    ['a[', 'a', false],
    ['*x', 'xxx', true]
  ])('%j on %j: %s', (pattern, path, isMatch) => {
    expect(compileGlob(pattern)(path)).toBe(isMatch)
  })
})

it.each([
  ['a', false],
  ['*', true],
  ['a\\*', false],
  ['a\\\\*', true],
  ['[', true],
  ['a?', true]
])('hasWildcard(%j): %s', (source, expected) => {
  expect(hasWildcard(source)).toBe(expected)
})

it.each([
  ['/', '/'],
  ['a/', 'a'],
  ['./a//b/../c/', 'a/c'],
  ['', '.']
])('clean(%j): %j', (path, expected) => {
  expect(clean(path)).toBe(expected)
})

/** Whether a path is ignored, by itself or by a folder above it. */
function isIgnored(dockerignore: string, path: string): boolean {
  const patterns = ignoreList(dockerignore)
  const names = path.split('/')
  let above: ReturnType<typeof patterns.match> | undefined
  for (let length = 1; length <= names.length; length++) {
    above = patterns.match(names.slice(0, length).join('/'), above?.each)
  }
  return above?.isMatch ?? false
}

describe('ignoreList', () => {
  // most from the tests of moby/patternmatcher
  it.each<[dockerignore: string, path: string, isMatch: boolean]>([
    ['**', 'file', true],
    ['**', 'dir/file', true],
    ['**/', 'file', true],
    ['**/**', 'dir/file', true],
    ['dir/**', 'dir/file', true],
    ['dir/**', 'dir2/file', false],
    ['**/dir', 'dir', true],
    ['**/dir', 'dir/file', true],
    ['**/dir2/*', 'dir/dir2/dir2/file', true],
    ['**dir2/*', 'dir/dir2/file', true],
    ['**/dir2/**', 'dir/dir2/dir2/', true],
    ['**file', 'dir/file', true],
    ['**file', 'dir/afile', true],
    ['**/file', 'dir/afile', false],
    ['**file*txt', 'dir/dir/file.txt', true],
    ['**/*.txt', 'dir/file.txt', true],
    ['**/**/*.txt2', 'dir/dir/file.txt', false],
    ['a**/*.txt', 'a/file.txt', true],
    ['a**/*.txt', 'a/dir/file.txt', true],
    ['a/*.txt', 'a/dir/file.txt', false],
    ['a[b-d]e', 'ace', true],
    ['.*', '.foo', true],
    ['.*', 'foo', false],
    ['abc.def', 'abcdef', false],
    ['**/foo/bar', 'a/b/foo/bar', true],
    ['**/.hidden', 'a/.hidden', true],
    ['a(b)c/def', 'a(b)c/def', true],
    ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
    [
      'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
      'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
      true
    ],
    ['\\*', '*', true],
    ['*\n!b', 'b', false],
    ['*\n!b', 'b/c', false],
    ['*\n!b\nb/c', 'b/c/d', true],
    ['*\n!a/b', 'a/b', false],
    ['*\n!a/b', 'a/c', true],
    ['\uFEFFa', 'a', true],
    [' a \r', 'a', true],
    ['#a', '#a', false],
    [' #a', '#a', true],
    ['/a', 'a', true],
    ['a/', 'a', true],
    ['./a', 'a', true],
    ['!  /a', 'a', false],
    ['a\n!  /a', 'a', false],
    ['/', 'a', false],
    ['.', 'a', false]
  ])('%j on %j: %s', (dockerignore, path, isMatch) => {
    expect(isIgnored(dockerignore, path)).toBe(isMatch)
  })

  it('refuses what docker refuses', () => {
    expect(['[', 'a[', '!', '\\'].map((text) => ignoreList(text).isValid)).toEqual([false, false, false, false])
  })

  it('matches like the regular expression of docker', () => {
    const word = fc
      .array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '.'), { maxLength: 8 })
      .map((parts) => parts.join(''))
    const path = fc.stringMatching(/^[ab.]{1,3}(\/[ab]{1,3}){0,3}$/)
    fc.assert(
      fc.property(word, path, (pattern, path) => {
        const body = clean(pattern.trim()).replace(/^\/(?=.)/, '')
        fc.pre(pattern !== '' && /[?]|[^*]\*[^*]/.test(body))
        const regExp = body.replaceAll(/\*\*\/?$|\*\*\/?|[*?.]/g, (token, at: number) => {
          if (token === '*') return '[^/]*'
          if (token === '?') return '[^/]'
          if (token === '.') return '\\.'
          return at + token.length === body.length ? '.*' : '(.*/)?'
        })
        const paths = path.split('/').map((_, index, names) => names.slice(0, index + 1).join('/'))
        expect(isIgnored(pattern, path)).toBe(paths.some((one) => new RegExp(`^${regExp}$`).test(one)))
      }),
      cases()
    )
  })
})

it('is linear', () => {
  const start = performance.now()
  expect(compileGlob(`${'*a'.repeat(100)}b`)('a'.repeat(2_000))).toBe(false)
  expect(isIgnored(`${'**/a*'.repeat(50)}b`, 'a/'.repeat(100))).toBe(false)
  expect(performance.now() - start).toBeLessThan(2_000)
})
