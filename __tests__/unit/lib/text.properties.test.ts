import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { harmless } from '../../../src/lib/text.ts'
import { cases, hostile } from '../../support/cases.ts'

/** Whether the runner takes a line for a command, of whatever name (actions/runner, `ActionCommand.cs`). */
function isCommand(line: string): boolean {
  // C# trims a character more than JavaScript
  const trimmed = line.replace(/^[\s\u0085]+/, '')
  return /^::.*::/s.test(trimmed) || /##\[.*\]/s.test(line)
}

const COMMANDS = [
  '::error::x',
  '::set-output name=a::b',
  '::stop-commands::x',
  '::',
  ']',
  '##[add-mask]',
  '##',
  '#',
  '[error]'
]

describe('harmless', () => {
  it('is one line that the runner never takes for a command', () => {
    fc.assert(
      fc.property(hostile(...COMMANDS), (text) => {
        const line = harmless(text)
        expect(isCommand(line)).toBe(false)
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
      }),
      cases()
    )
  })

  it('leaves alone what is harmless', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), hostile(...COMMANDS)), (text) => {
        if (!/[\p{Cc}\p{Cf}\u2028\u2029]|##\[|^\s*::/u.test(text)) expect(harmless(text)).toBe(text)
      }),
      cases()
    )
  })
})
