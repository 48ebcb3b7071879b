import { XMLParser } from 'fast-xml-parser'
import { at, list, text } from '../lib/json.ts'
import type { FailedCase } from './result.ts'

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  // a malicious report could expand its own entities without limit
  processEntities: { enabled: true, maxTotalExpansions: 10_000, maxExpandedLength: 1_000_000 },
  // includes the numeric entities, e.g. of a line break in an attribute
  htmlEntities: true,
  isArray: (name) => ['testsuite', 'testcase', 'failure', 'error'].includes(name)
})

/**
 * Reads the failed cases of a JUnit report: `testcase` elements with a `failure` or `error` (github.com/testmoapp/junitxml),
 * in nested suites. Returns [] if `xml` is not such a report.
 */
export function readFailedCases(xml: string): FailedCase[] {
  let document: unknown
  try {
    document = parser.parse(xml)
  } catch {
    return []
  }
  return casesIn(at(document, 'testsuites') ?? document)
}

function casesIn(suite: unknown): FailedCase[] {
  const own = list(at(suite, 'testcase')).flatMap((one) => {
    const problems = [...list(at(one, 'failure')), ...list(at(one, 'error'))]
    return problems.length === 0 ? [] : [{ name: nameOf(one), message: messageOf(problems[0]) }]
  })
  return [...own, ...list(at(suite, 'testsuite')).flatMap(casesIn)]
}

function nameOf(testcase: unknown): string {
  const [group, name] = ['@classname', '@name'].map((attribute) => text(at(testcase, attribute)))
  return [group, name].filter((part) => part !== '').join(' › ') || 'a case without a name'
}

/** Returns the attribute `message`, or else the text of the element. */
function messageOf(problem: unknown): string {
  const message = text(at(problem, '@message')) || text(at(problem, '#text')) || text(problem)
  return message.trim()
}
