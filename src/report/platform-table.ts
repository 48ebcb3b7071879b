import { titleOfTest } from '../action/tests.ts'
import type { TestResult } from '../result/result.ts'
import type { Block } from './document.ts'
import type { ReportedPlatform } from './report.ts'

/** Makes the table of a run of several platforms, with a column for each. */
export function platformTable(platforms: readonly ReportedPlatform[]): Block {
  const names = [...new Set(platforms.flatMap(({ tests }) => tests).map(nameOf))]
  const row = (title: string, cell: (one: ReportedPlatform) => string): string[] => [title, ...platforms.map(cell)]
  const rows = [
    row('image', describeImage),
    row('steps from the cache', ({ cache, unchanged }) => (unchanged ? '' : `${cache.cached} of ${cache.total}`)),
    ...names.map((name) => row(name, ({ tests }) => describeTest(tests.find((test) => nameOf(test) === name)))),
    row('a new host pulls', ({ pullSize }) => (pullSize ? `${(pullSize.fullBytes / 1e6).toFixed(1)} MB` : '')),
    row('a host with the previous image pulls', ({ pullSize }) =>
      pullSize?.previous === undefined ? '' : `${(pullSize.bytes / 1e6).toFixed(1)} MB`
    )
  ]
  return {
    kind: 'table',
    head: ['', ...platforms.map(({ platform }) => platform)],
    rows: rows.filter(([, ...cells]) => cells.some((cell) => cell !== ''))
  }
}

function describeImage({ digest, failures, unchanged }: ReportedPlatform): string {
  if (failures.length > 0) return 'failed'
  if (unchanged) return `unchanged since ${unchanged.commit.slice(0, 7)}`
  return digest === '' ? 'built' : digest.slice(0, 19)
}

function nameOf(test: TestResult): string {
  return titleOfTest(test).replace(/^Test /, 'test ')
}

function describeTest(test: TestResult | undefined): string {
  return test === undefined ? 'not run' : `${test.status}, ${test.seconds.toFixed(1)} s`
}
