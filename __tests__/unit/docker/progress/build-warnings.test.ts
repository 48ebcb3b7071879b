import { describe, expect, it } from '@jest/globals'
import { distinctWarnings, readWarning } from '../../../../src/docker/progress/build-warnings.ts'
import { PlainProgress, RawJsonProgress } from '../../../../src/docker/progress/buildkit.ts'
import { makeReport } from '../../../../src/report/report.ts'
import { buildWith, GOOD, PLAN } from '../../../support/results.ts'

const SHORT = "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 3)"
const URL = 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/'

function raw(short: string, url = URL, line?: number): Parameters<typeof readWarning>[0] {
  const range = line === undefined ? [] : [{ start: { line }, end: { line } }]
  return { short: Buffer.from(short).toString('base64'), url, range }
}

describe('A warning of a build check', () => {
  it.each([
    [
      raw(SHORT, URL, 3),
      { rule: 'FromAsCasing', message: "'as' and 'FROM' keywords' casing do not match", line: 3, url: URL }
    ],
    [raw('no rule'), { rule: '', message: 'no rule', url: URL }],
    [raw('Rule: two: parts', 'javascript:alert(1)', 0), { rule: 'Rule', message: 'two: parts', url: '' }],
    [{}, undefined]
  ])('%j', (warning, read) => {
    expect(readWarning(warning)).toEqual(read)
  })

  it('is read from rawjson, and printed', () => {
    let text = ''
    const reader = new RawJsonProgress((piece) => {
      text += piece
    })
    reader.write(Buffer.from(`${JSON.stringify({ warnings: [raw(SHORT, URL, 3), {}] })}\n`), 'stderr')
    reader.end()
    expect(reader.warnings()).toHaveLength(1)
    expect(text).toBe(`WARN: ${SHORT}\n`)
    expect(new PlainProgress(() => {}).warnings()).toEqual([])
  })

  it('counts once, in the order of the lines', () => {
    const [third, first] = [readWarning(raw(SHORT, URL, 3)), readWarning(raw(SHORT, URL, 1))].flatMap(
      (one) => one ?? []
    )
    if (!third || !first) throw new Error('both have a text')
    expect(distinctWarnings([third, first, { ...third }])).toEqual([first, third])
    const production = { ...buildWith('p', ['stage-1', true]), warnings: [third] }
    const report = makeReport(
      PLAN,
      { ...GOOD, builder: { ...buildWith('b', ['builder', true]), warnings: [third] }, production },
      []
    )
    expect(report.warnings).toEqual([third])
    expect(report.builder).not.toHaveProperty('warnings')
  })
})
