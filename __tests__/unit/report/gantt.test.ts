import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Span } from '../../../src/lib/timeline.ts'
import { makeGantt, mermaidOf } from '../../../src/report/gantt.ts'
import { cases, hostile } from '../../support/cases.ts'

const SPANS: Span[] = [
  { kind: 'run', name: 'All', start: 0, seconds: 9 },
  { kind: 'build', name: 'Build octo/app:builder-1', start: 1, seconds: 2.5 },
  { kind: 'command', name: 'docker buildx build', start: 1, seconds: 2.5 },
  { kind: 'test', name: 'Test npm test', start: 3.5, seconds: 0 },
  { kind: 'publish', name: 'Push octo/app:latest', start: 4, seconds: 0.25 }
]

describe('The timeline as a Mermaid gantt', () => {
  it('shows phases in sections, with short names, and what failed', () => {
    expect(mermaidOf(makeGantt(SPANS, 'octo/app', new Set(['Test npm test'])))).toBe(
      `gantt
dateFormat x
axisFormat %s s
tickInterval 1second
todayMarker off
section Build
Build builder-1 :1000, 2500ms
section Test
Test npm test :crit, 3500, 1ms
section Publish
Push latest :4000, 250ms`
    )
  })

  it.each([
    [12, '1second'],
    [13, '2second'],
    [60, '5second'],
    [360, '30second'],
    [361, '1minute'],
    [7_200, '10minute']
  ])('has few ticks, also of %i seconds', (seconds, tick) => {
    const spans: Span[] = [{ kind: 'build', name: 'Build a', start: 0, seconds }]
    expect(mermaidOf(makeGantt(spans, 'octo/app', new Set()))).toContain(`\ntickInterval ${tick}\n`)
  })

  it('counts what is too much', () => {
    const many = Array.from({ length: 60 }, (): Span => ({ kind: 'test', name: 'Test a', start: 0, seconds: 1 }))
    const lines = mermaidOf(makeGantt(many, 'octo/app', new Set())).split('\n')
    expect(lines.filter((line) => line.startsWith('Test a'))).toHaveLength(50)
    expect(lines.at(-1)).toBe('section … and 10 more')
  })

  it('has a line for each, whatever its name is', () => {
    const names = hostile(':', '%%', '#35;', 'section x', 'click a call b()', '\n', '```', ';', '"', '<b>', 'title x')
    fc.assert(
      fc.property(fc.array(names, { minLength: 1, maxLength: 5 }), (all) => {
        const spans = all.map((name): Span => ({ kind: 'test', name: `Test ${name}`, start: 0, seconds: 1 }))
        const lines = mermaidOf(makeGantt(spans, 'octo/app', new Set())).split('\n')
        expect(lines.slice(6)).toHaveLength(all.length)
        for (const line of lines.slice(6)) expect(line).toMatch(/^Test[^:;#%"`<>(){}[\]\\|]* :0, 1000ms$/)
      }),
      cases()
    )
  })
})
