import { describe, expect, it } from '@jest/globals'
import { readFailedCases } from '../../../src/result/junit.ts'

const FAILED = [{ name: 'units › converts', message: '1 is not 2' }]

describe('readFailedCases', () => {
  it.each([
    [
      'suites in suites',
      `<?xml version="1.0"?><testsuites><testsuite name="a"><testsuite name="b"><testcase name="converts" classname="units">
        <failure message="1 is not 2">at line 3</failure></testcase><testcase name="fine"/></testsuite></testsuite></testsuites>`
    ],
    [
      'one suite, an error',
      '<testsuite><testcase name="converts" classname="units"><error message="1 is not 2"/></testcase></testsuite>'
    ],
    [
      'the message as text',
      '<testsuites><testsuite><testcase name="converts" classname="units"><failure>1 is not 2</failure></testcase></testsuite></testsuites>'
    ],
    [
      'cases without a suite, CDATA',
      '<testsuites><testcase name="converts" classname="units"><failure><![CDATA[1 is not 2]]></failure></testcase></testsuites>'
    ]
  ])('finds the case in %s', (_, xml) => {
    expect(readFailedCases(xml)).toEqual(FAILED)
  })

  it.each([
    [
      'all passed',
      '<testsuites><testsuite><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite></testsuites>'
    ],
    ['another document', '<coverage><failure/></coverage>'],
    ['no XML', 'not <xml'],
    ['nothing', ''],
    [
      'a bomb',
      `<!DOCTYPE a [<!ENTITY a "${'x'.repeat(1_000)}"><!ENTITY b "${'&a;'.repeat(1_000)}"><!ENTITY c "${'&b;'.repeat(1_000)}">]><testsuite><testcase name="&c;"/></testsuite>`
    ],
    [
      'a file of the runner',
      '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="x"/></testsuite>'
    ]
  ])('finds none in %s', (_, xml) => {
    expect(readFailedCases(xml)).toEqual([])
  })

  it('decodes a name and a message', () => {
    const [one] = readFailedCases(
      `<testsuite><testcase name="a &lt;b&gt;"><failure message="1&#10;2 ${'x'.repeat(5)}"/></testcase></testsuite>`
    )
    expect(one?.name).toBe('a <b>')
    expect(one?.message).toMatch(/^1\n2 x+$/)
  })
})
