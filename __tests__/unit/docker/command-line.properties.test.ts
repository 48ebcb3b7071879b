import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { replayable } from '../../../src/docker/command-line.ts'
import { cases, hostile } from '../../support/cases.ts'

describe('replayable', () => {
  it('is what a POSIX shell reads as the same words', () => {
    // what an argument of a process can hold: text without NUL, and at most 128 KiB
    const word = hostile(' a=b', '~', '{a,b}', '$HOME', '!!', "'\\''").map((text) =>
      text.slice(0, 500).replaceAll(/[\0\p{Cs}]/gu, '')
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), word, (words, value) => {
        const line = replayable(words, { VALUE: value })
        const script = `docker() { printf '%s\\0' "$VALUE" "$@"; }\n${line}`
        const shown = execFileSync('sh', ['-c', script], { encoding: 'utf8' })
        expect(shown.split('\0')).toEqual([value, ...words, ''])
      }),
      cases(1_000)
    )
  })
})
