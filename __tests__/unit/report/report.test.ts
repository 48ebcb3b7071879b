import { describe, expect, it } from '@jest/globals'
import { annotateFailures } from '../../../src/report/annotations.ts'
import { markdown } from '../../../src/report/markdown.ts'
import { describeFailure } from '../../../src/report/messages.ts'
import { makeOutputs } from '../../../src/report/outputs.ts'
import { makeReport } from '../../../src/report/report.ts'
import { makeSummary } from '../../../src/report/summary.ts'
import { plainText } from '../../../src/report/terminal.ts'
import type { Failure, RunResult } from '../../../src/result/result.ts'
import { failureOf } from '../../support/fake-registry.ts'
import { makeSecrets } from '../../support/make-plan.ts'
import { schemaErrors } from '../../support/report-schema.ts'
import { buildWith, GOOD, NOTHING, PLAN } from '../../support/results.ts'

describe('makeReport', () => {
  it('has of a cache that could not be read only the words', () => {
    const unreadableCaches = [{ reference: 'a:b', failure: { kind: 'refused' as const, message: '401', pause: 1 } }]
    const builder = { ...buildWith('b'), unreadableCaches }
    const { builder: reported } = makeReport(PLAN, { ...NOTHING, builder }, [])
    expect(reported?.unreadableCaches).toEqual([{ reference: 'a:b', error: '401' }])
  })

  it('has failures as sentences, also those of the publication', () => {
    const failures: Failure[] = [{ kind: 'push', reference: 'a:b', failure: failureOf('unknown', 'HTTP status 418') }]
    const publication = { pushed: [], published: false, digest: '', digests: {}, held: [], seconds: 0, failures }
    const report = makeReport(PLAN, { ...GOOD, publication, failures: [...failures, { kind: 'cancelled' }] }, [])
    const sentence = 'a:b could not be pushed (HTTP status 418)'
    expect(report.failures).toEqual([sentence, 'The run was cancelled'])
    expect(report.publication?.failures).toEqual([sentence])
    expect(schemaErrors(JSON.parse(JSON.stringify(report)))).toEqual([])
  })
})

describe('A report of a build context that differs from its commit', () => {
  it('tells which files, and the summary, too', () => {
    const dirty = { files: ['src/a', 'src/b'], count: 2 }
    const report = makeReport({ ...PLAN, dirty }, NOTHING, [])
    expect(report).toMatchObject({ dirty: true, dirtyFiles: ['src/a', 'src/b'], dirtyFileCount: 2 })
    expect(schemaErrors(JSON.parse(JSON.stringify(report)))).toEqual([])
    const sentence = 'The build context differs from commit fffffff in 2 tracked files: src/a, src/b.'
    expect(makeSummary(report)).toContainEqual({ kind: 'paragraph', text: sentence })
  })

  it('has none of these fields otherwise', () => {
    const report = makeReport(PLAN, NOTHING, [])
    expect(Object.keys(report).filter((name) => name.startsWith('dirty'))).toEqual([])
    expect(JSON.stringify(makeSummary(report))).not.toContain('differs')
  })
})

/** All texts in some data, names of fields included. */
function textsIn(data: unknown): string[] {
  if (typeof data === 'string') return [data]
  if (typeof data !== 'object' || data === null) return []
  return Object.entries(data).flatMap(([key, value]) => [key, ...textsIn(value)])
}

describe('A secret with a double quote in the command of a test', () => {
  const SECRET = 'pass"word'
  const secrets = makeSecrets({ secrets: `password=${SECRET}` })
  const failure = { status: 'failed', exitCode: 1, seconds: 1, failure: `sh: ${SECRET}: not found` } as const
  const result: RunResult = {
    ...GOOD,
    tests: [
      { ...{ command: `login ${SECRET}`, lastLines: `got ${SECRET}`, ...failure } },
      { ...{ command: `again '${SECRET}'`, failedCases: [{ name: SECRET, message: SECRET }], ...failure } }
    ],
    failures: [
      { kind: 'test', index: 0 },
      { kind: 'test', index: 1 },
      { kind: 'error', message: `spawn ${SECRET}` },
      { kind: 'push', reference: 'a:b', failure: failureOf('unknown', SECRET) }
    ]
  }
  const spans = [{ kind: 'test' as const, name: `Test login ${SECRET}`, start: 0, seconds: 1 }]

  type Texts = (shown: RunResult, timeline: typeof spans) => string[]
  const report = (...shown: Parameters<Texts>) => makeReport(PLAN, ...shown)
  const places: [string, Texts][] = [
    ['a failure sentence', (shown) => shown.failures.map((one) => describeFailure(one, shown))],
    ['an annotation', (shown) => textsIn(annotateFailures(shown, 'Dockerfile'))],
    ['the report', (...shown) => textsIn(report(...shown))],
    ['the JSON of the report', (...shown) => [JSON.stringify(report(...shown))]],
    ['an output', (...shown) => Object.values(makeOutputs(report(...shown), '/report'))],
    ['the summary for a terminal', (...shown) => [plainText(makeSummary(report(...shown)))]],
    // a text of Markdown, with its character references read as the characters
    [
      'the summary',
      (...shown) => [
        markdown(makeSummary(report(...shown))).replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
      ]
    ]
  ]

  /** As it is, as in JSON, and as in JSON within JSON. */
  const FORMS = [SECRET, 'pass\\"word', 'pass\\\\\\"word']
  const hasSecret = (text: string): boolean => FORMS.some((form) => text.includes(form))

  it.each(places)('is not in %s', (_, textsOf) => {
    expect(textsOf(secrets.redactTexts(result), secrets.redactTexts(spans)).filter(hasSecret)).toEqual([])
  })

  it.each(places)('would be in %s if nothing were redacted', (_, textsOf) => {
    expect(textsOf(result, spans).filter(hasSecret)).not.toEqual([])
  })

  it('would be in the JSON of the report if that were redacted: there the quote is escaped', () => {
    const text = secrets.redact(JSON.stringify(makeReport(PLAN, result, spans)))
    expect(hasSecret(text)).toBe(true)
  })
})
