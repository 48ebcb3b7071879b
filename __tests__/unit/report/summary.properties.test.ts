import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'
import { titleOf } from '../../../src/action/tests.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { markdown } from '../../../src/report/markdown.ts'
import { makeReport } from '../../../src/report/report.ts'
import { makeSummary } from '../../../src/report/summary.ts'
import type { FailedCase, RunResult } from '../../../src/result/result.ts'
import { cases, hostile } from '../../support/cases.ts'
import { makePlan } from '../../support/make-plan.ts'

/** Every text of others in a summary. */
interface Texts {
  production: string
  reason: string
  held: string[]
  failures: string[]
  stages: { stage: string; instruction: string; reason: string }[]
  tests: { command: string; passedFor: string; lastLines: string; failedCases: FailedCase[] }[]
  pushed: string[]
}

function summary(texts: Texts): string {
  const made = makePlan()
  const plan: Plan = {
    ...made,
    commit: { ...made.commit, branch: texts.reason },
    strategy: { ...made.strategy, reason: texts.reason },
    refs: { ...made.refs, production: texts.production },
    decision: { ...made.decision, reason: texts.reason }
  }
  const result: RunResult = {
    builder: {
      ...{ kind: 'builder', stage: 'b', image: 'b', cacheSource: 'b', imageId: 'i', seconds: 1, bases: [] },
      steps: texts.stages.map(({ stage, instruction }) => ({ stage, instruction, cached: false, seconds: 1 })),
      misses: texts.stages.map((stage) => ({ ...stage, kind: 'unknown', unexpected: false })),
      unreadableCaches: []
    },
    cacheStages: [],
    tests: texts.tests.map((test) => ({ ...test, status: 'unchanged', exitCode: null, seconds: 0 })),
    publication: {
      ...{ pushed: texts.pushed, published: true, digest: '', digests: {}, seconds: 1, failures: [] },
      held: texts.held.map((reason) => ({ reference: 'x', reason }))
    },
    cacheTags: texts.pushed,
    cancelled: false,
    failures: texts.failures.map((message) => ({ kind: 'error', message }))
  }
  const timeline = texts.tests.map(({ command }) => ({
    kind: 'test' as const,
    name: `Test ${titleOf(command)}`,
    start: 0,
    seconds: 1
  }))
  return markdown(makeSummary(makeReport(plan, result, timeline)))
}

function render(markdown: string): string {
  return micromark(markdown, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true })
}

/** Tags and comments in their order: rendered text has no `<` of its own. */
function elementsOf(html: string): string[] {
  return html.match(/<[^>]*>?/g) ?? []
}

function textOf(html: string): string {
  const text = html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
  return spaced(text.replaceAll('&amp;', '&'))
}

/** As it is seen: no control characters, and of white space only that there is some. */
function spaced(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
}

/** What a reader sees of a text of which `most` characters are shown. */
function shown(text: string, most: number): string {
  return spaced([...text].slice(0, most).join(''))
}

const SHOWN_OF_A_CELL = 200
const SHOWN_OF_A_SENTENCE = 1_000

const MARKUP = [
  ...[
    '# x',
    '- x',
    '+ x',
    '1. x',
    '2) x',
    '> x',
    '    x',
    '---',
    '===',
    '```',
    '~~~',
    '| a | b |',
    '\n\n',
    '  \n',
    '[ ] x'
  ],
  ...['**a**', '__a__', '_a_', '~~a~~', '`a`', '[a](b)', '![a](b)', '[a]: b', '[^1]', '[^1]: x', '<http://a.b>', '\\'],
  ...['www.x.y', 'WWW.x.yz', 'a@b.c', 'mailto:a@b.c', 'xmpp:a@b.c', 'https://x.yz', 'ftp://x.yz', 'HTTP://x.yz'],
  ...[
    '<script>',
    '<img src=x>',
    '<!-- x',
    '-->',
    '<?x',
    '<![CDATA[',
    '</table>',
    '&lt;',
    '&#60;',
    '&amp;#60;',
    '&nbsp;'
  ],
  ...['@octo', '#1', 'GH-1', 'octo/app#1', ':x:', '$x$', 'x']
]
const text = hostile(...MARKUP).filter((some) => spaced(some) !== '')

function some<T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(items, { maxLength: 3 })
}

const texts: fc.Arbitrary<Texts> = fc.record({
  production: text,
  reason: text,
  held: some(text),
  failures: some(text),
  stages: fc.uniqueArray(fc.record({ stage: text, instruction: text, reason: text }), {
    maxLength: 3,
    selector: ({ stage }) => stage
  }),
  tests: some(
    fc.record({
      command: text,
      passedFor: text,
      lastLines: text,
      failedCases: some(fc.record({ name: text, message: text }))
    })
  ),
  pushed: some(text)
})

/** The same run with words in the place of all that others wrote. */
function plain({ held, failures, stages, tests, pushed }: Texts): Texts {
  return {
    production: 'x',
    reason: 'x',
    held: held.map(() => 'x'),
    failures: failures.map(() => 'x'),
    stages: stages.map((_, index) => ({ stage: `x${index}`, instruction: 'x', reason: 'x' })),
    tests: tests.map(({ failedCases }) => ({
      ...{ command: 'x', passedFor: 'x', lastLines: 'x' },
      failedCases: failedCases.map(() => ({ name: 'x', message: 'x' }))
    })),
    pushed: pushed.map(() => 'x')
  }
}

describe('makeSummary', () => {
  it('has the elements that it has of harmless texts, whatever the texts are', () => {
    fc.assert(
      fc.property(texts, (hostileTexts) => {
        const html = render(summary(hostileTexts))
        expect(elementsOf(html)).toEqual(elementsOf(render(summary(plain(hostileTexts)))))
        expect(html).not.toMatch(/<(a|img|script|input|sup|section|blockquote|hr|!|\?)/i)
      }),
      cases()
    )
  })

  it('shows every text as it is', () => {
    fc.assert(
      fc.property(texts, (all) => {
        const seen = textOf(render(summary(all)))
        const inCells = [
          ...all.stages.flatMap(({ stage, instruction }) => [stage, instruction]),
          ...all.tests.map(({ command }) => titleOf(command)),
          ...all.tests.flatMap(({ failedCases }) => failedCases.map(({ name }) => name))
        ]
        for (const { passedFor } of all.tests) expect(seen).toContain(shown(passedFor, SHOWN_OF_A_CELL - 25))
        const messages = all.tests.flatMap(({ failedCases }) => failedCases.map(({ message }) => message))
        const sentences = [
          ...messages,
          ...all.failures,
          ...all.stages.map(({ reason }) => reason),
          ...all.pushed.map((one) => one.slice(0, 190))
        ]
        for (const one of inCells) expect(seen).toContain(shown(one, SHOWN_OF_A_CELL))
        for (const one of sentences) expect(seen).toContain(shown(one, SHOWN_OF_A_SENTENCE))
        if (all.failures.length === 0) {
          // before it there are some words of ours
          expect(seen).toContain(shown(all.production, SHOWN_OF_A_SENTENCE - 50))
          const reasons = [all.reason, ...all.held.map((reason) => `${reason}.`)].join(' ')
          expect(seen).toContain(shown(reasons, SHOWN_OF_A_SENTENCE))
        }
      }),
      cases()
    )
  })

  it('stays below the 1 MiB that GitHub takes, however many and long the texts are', () => {
    const long = fc
      .tuple(fc.constantFrom('|', '&', '🐳', '\u2028x', 'x'), fc.integer({ min: 1, max: 2_000 }))
      .map(([part, times]) => part.repeat(times))
    const count = fc.integer({ min: 0, max: 300 })
    fc.assert(
      fc.property(long, count, count, count, count, (one, failures, stages, tests, pushed) => {
        const all = summary({
          ...{ production: one, reason: one, held: [one], failures: Array(failures).fill(one) },
          stages: Array.from({ length: stages }, (_, index) => ({
            stage: `${index} ${one}`,
            instruction: one,
            reason: one
          })),
          tests: Array(tests).fill({
            ...{ command: one, passedFor: one, lastLines: one },
            failedCases: Array(20).fill({ name: one, message: one })
          }),
          pushed: Array(pushed).fill(one)
        })
        expect(Buffer.byteLength(all)).toBeLessThan(1_048_576)
      }),
      cases(1_000)
    )
  })
})
