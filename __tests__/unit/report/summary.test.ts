import { describe, expect, it } from '@jest/globals'
import type { Plan } from '../../../src/plan/plan.ts'
import { markdown } from '../../../src/report/markdown.ts'
import { makeReport } from '../../../src/report/report.ts'
import { makeSummary } from '../../../src/report/summary.ts'
import type { Failure, Publication, RunResult } from '../../../src/result/result.ts'
import { buildWith, GOOD, MISS, NOTHING, PLAN, UNCHANGED } from '../../support/results.ts'

const FAILURE: Failure = { kind: 'error', message: 'x' }

function summaryOf(plan: Plan | undefined, result: RunResult): string {
  return markdown(makeSummary(makeReport(plan, result, [])))
}

describe('makeSummary', () => {
  it('of a run that published', () => {
    const pullSize = { previous: 'octo/app:latest', bytes: 1_500, fullBytes: 118_300_000, layers: 12, reusedLayers: 10 }
    expect(summaryOf(PLAN, { ...GOOD, pullSize }).split('\n')).toEqual([
      '### ✅ Built, tested and published octo/app:fffffff',
      '',
      'It is a test.',
      '',
      '2 of 3 steps came from the cache.',
      '',
      'A host that has octo/app:latest pulls 1.5 kB of 118.3 MB: it has 10 of 12 layers already.',
      '',
      '| phase | result | time |',
      '| --- | --- | --- |',
      '| Build builder | 1 of 2 steps from the cache | 1.0 s |',
      '| Build builder | 1 of 1 steps from the cache | 1.0 s |',
      '| Test | 1 of 1 passed | 0.0 s |',
      '| Publish | 2 references | 1.0 s |',
      '',
      '| test | status | time |',
      '| --- | --- | --- |',
      '| npm test | passed | 1.3 s |',
      '',
      '| stage | steps from the cache | first step executed | why |',
      '| --- | --- | --- | --- |',
      '| builder | 1 of 2 |  |  |',
      '| stage-1 | 1 of 1 |  |  |',
      '',
      '| pushed | digest |',
      '| --- | --- |',
      '| octo/app:fffffff | sha256:2 |',
      '| octo/app:latest | sha256:2 |',
      '',
      '| added cache tag |',
      '| --- |',
      '| octo/app:cache-0123456789abcdef |',
      '',
      'Docker 28.5.1, overlay2 store; strategy inline: a test.',
      ''
    ])
  })

  it('shows the first 12 digits of a digest, and leaves the whole one to the report', () => {
    const digest = `sha256:0123456789abcdef${'0'.repeat(48)}`
    const digests = { 'octo/app:fffffff': digest, 'octo/app:latest': 'sha256:0123456789ab' }
    const result = { ...GOOD, publication: { ...(GOOD.publication as Publication), digests } }
    const report = makeReport(PLAN, result, [])
    expect(markdown(makeSummary(report)).match(/^\| octo.* \| sha256:.*$/gm)).toEqual([
      '| octo/app:fffffff | sha256:0123456789ab |',
      '| octo/app:latest | sha256:0123456789ab |'
    ])
    expect(report.publication?.digests['octo/app:fffffff']).toBe(digest)
  })

  it('of a run for which nothing had to be built', () => {
    const summary = summaryOf(PLAN, UNCHANGED)
    expect(summary).toMatch(/^### ✅ Tagged and published octo\/app:fffffff\n/)
    expect(summary).toContain('Nothing has changed since commit abc')
    expect(summary).toContain('| npm test | unchanged: passed for abc | 0.0 s |')
  })

  const HOSTILE = [
    '<img src=x onerror=alert(1)>',
    '<!-- x',
    '&lt;b&gt;',
    '[a](http://evil)',
    '![a](b)',
    '**a** __b__ ~~c~~',
    '`code` ```',
    'a|b',
    'a\\|b',
    'a\n\n# heading',
    'a\r\n| x | y | z |',
    'a\u2028b\u0085c\tb',
    '@octocat #1 GH-1',
    'https://evil.example',
    '$a$ {b}'
  ]

  it.each(HOSTILE)('shows %j as text', (hostile) => {
    const summary = summaryOf(PLAN, {
      ...GOOD,
      cacheTags: [],
      builder: {
        ...buildWith('b', [hostile, false]),
        misses: [{ ...MISS, stage: hostile, instruction: hostile, reason: hostile }]
      },
      tests: [
        {
          ...{ command: hostile, status: 'failed', exitCode: 1, seconds: 1, failure: hostile },
          failedCases: [{ name: hostile, message: hostile }]
        }
      ],
      failures: [{ kind: 'error', message: hostile }],
      publication: {
        ...{ pushed: [hostile], published: false, digest: '', digests: { [hostile]: hostile } },
        ...{ held: [], seconds: 0, failures: [] }
      }
    })
    // a row for each, with as many cells as its table has
    const tables = summary.split('\n\n').filter((part) => part.startsWith('|'))
    expect(tables.map((table) => table.split('\n').map((row) => row.split('|').length - 2))).toEqual([
      [3, 3, 3, 3, 3, 3],
      ...[
        [3, 3, 3],
        [3, 3, 3],
        [4, 4, 4, 4],
        [2, 2, 2]
      ]
    ])
    for (const line of summary.split('\n').filter((candidate) => !/^(###|\|( --- \|)+$)/.test(candidate))) {
      const shown = line
        .replace(/^- /, '')
        .replace(/^\| (.*) \|$/, '$1')
        .split(' | ')
        .join('')
      // what is left once character references are gone has no meaning in Markdown or HTML
      expect(shown.replaceAll(/&(#\d+|amp|lt);/g, '')).not.toMatch(/[<&`*_[\]|\\#@~!\p{Cc}\u2028\u2029]|:\/\//u)
    }
  })

  it.each([
    [200, 200],
    [300, 201]
  ])('shows of a command of %i characters %i', (length, shown) => {
    const tests = [{ command: 'x'.repeat(length), status: 'passed' as const, exitCode: 0, seconds: 1 }]
    expect(/^\| (x+…?) \| passed/m.exec(summaryOf(PLAN, { ...NOTHING, tests }))?.[1]).toHaveLength(shown)
  })

  it('keeps the last lines of a test within their fence', () => {
    const lastLines = 'a\n```\n<b>\n````\n'
    const tests = [{ command: 'a', status: 'failed' as const, exitCode: 1, seconds: 1, failure: 'no', lastLines }]
    expect(summaryOf(PLAN, { ...NOTHING, tests })).toContain(`\n\`\`\`\`\`\n${lastLines}\n\`\`\`\`\`\n`)
  })

  it('cuts no character in two', () => {
    const tests = [{ command: `x${'😀'.repeat(150)}`, status: 'passed' as const, exitCode: 0, seconds: 1 }]
    expect(summaryOf(PLAN, { ...NOTHING, tests })).not.toMatch(/\p{Cs}/u)
  })

  it('stays below what GitHub takes, whatever failed', () => {
    const tests = Array.from({ length: 2_000 }, (_, index) => ({
      command: `${index} ${'|'.repeat(300)}`,
      status: 'failed' as const,
      exitCode: 1,
      seconds: 1
    }))
    const failures = tests.map(({ command }): Failure => ({ kind: 'error', message: command }))
    expect(Buffer.byteLength(summaryOf(PLAN, { ...NOTHING, tests, failures }))).toBeLessThan(1_048_576)
    const one = summaryOf(PLAN, { ...NOTHING, failures: [{ kind: 'error', message: '|'.repeat(300_000) }] })
    expect(Buffer.byteLength(one)).toBeLessThan(1_048_576)
  })

  it('tells a cancelled run from a failed one', () => {
    expect(summaryOf(undefined, { ...NOTHING, failures: [FAILURE] })).toMatch(
      /^### ❌ The run failed: nothing was pushed\n/
    )
    expect(summaryOf(undefined, { ...NOTHING, cancelled: true, failures: [FAILURE] })).toMatch(
      /^### ⏹️ The run was cancelled: nothing was pushed\n/
    )
  })
})
