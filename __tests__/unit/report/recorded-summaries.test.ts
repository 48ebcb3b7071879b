import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { harmless } from '../../../src/lib/text.ts'
import { markdown } from '../../../src/report/markdown.ts'
import type { Report } from '../../../src/report/report.ts'
import { makeSummary } from '../../../src/report/summary.ts'
import { plainText } from '../../../src/report/terminal.ts'
import { schemaErrors } from '../../support/report-schema.ts'

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'docs', 'summaries')

/** What each kind of run says first, and what of it must be in its summary. */
const EXPECTED: Record<string, [headline: RegExp, ...parts: RegExp[]]> = {
  'first-publish': [
    /^✅ Built, tested and published /,
    /Nothing was published as \S+:latest before: a host pulls all of this image/
  ],
  warm: [/^✅ Built, tested and published /, /A host that has \S+:latest pulls \S+ kB of/],
  cold: [/^✅ Built, tested and published /, /The instruction in line 4, before it, changed or is new: /],
  'failing-test': [
    /^❌ 2 of 3 tests did not pass: only cache tags were pushed$/,
    /failing case/,
    /The last lines of/,
    /crit, /
  ],
  fork: [/^✅ Built and tested .*; nothing was pushed$/, /fork/],
  'stale-commit': [/^✅ Built, tested and pushed /, /The moving tags are not updated: /],
  cancelled: [/^⏹️ The run was cancelled: nothing was pushed$/],
  'dry-run': [/^📋 Dry run of .*: nothing was built$/, /docker push/],
  'machines-build': [/^✅ Built \S+:builder-[0-9a-f]{7}: 3 tests to run$/, /The images are handed on in the registry/],
  'machines-test': [/^✅ 1 test passed$/],
  'machines-publish': [
    /^✅ Built, tested and published /,
    /\| status \| time \| machine \|/,
    /section Machine build[\s\S]*section Machine test 2[\s\S]*section Machine publish/
  ]
}

describe('Summaries of recorded runs', () => {
  it('there is one of each kind, with a picture', () => {
    const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
    expect(new Set(names)).toEqual(new Set(Object.keys(EXPECTED).map((name) => `${name}.json`)))
    for (const name of names) expect(existsSync(join(FOLDER, name.replace('.json', '.png')))).toBe(true)
  })

  it.each(Object.entries(EXPECTED))('%s', (name, [headline, ...parts]) => {
    const report = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Report
    expect(schemaErrors(report)).toEqual([])
    const blocks = makeSummary(report)
    expect(markdown(blocks)).toBe(readFileSync(join(FOLDER, `${name}.md`), 'utf8'))
    expect(blocks[0]).toEqual({ kind: 'heading', text: expect.stringMatching(headline) })
    const text = plainText(blocks)
    for (const part of parts) expect(`${text}\n${markdown(blocks)}`).toMatch(part)
    // for a terminal all lines are harmless, and the same facts are there
    for (const line of text.split('\n')) expect(harmless(line)).toBe(line)
    for (const { command } of report.tests) expect(text).toContain(command)
  })
})
