import { describe, expect, it } from '@jest/globals'
import { harmless } from '../../../src/lib/text.ts'

describe('harmless', () => {
  it.each([
    ['plain ünïcode', 'plain ünïcode'],
    ['::error::x', ': :error::x'],
    ['  ::error::x', '  : :error::x'],
    ['a ##[error]x', 'a # #[error]x'],
    ['a\n::error::x', 'a\\u{a}::error::x'],
    ['a\u202Eb\u001b[31m', 'a\\u{202e}b\\u{1b}[31m']
  ])('%j becomes %j', (text, expected) => {
    expect(harmless(text)).toBe(expected)
  })
})
