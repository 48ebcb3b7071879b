import { makeOutputs, type Outputs } from './outputs.ts'
import type { Report } from './report.ts'

/** Outputs of the action `build`: names of tests and images would be dropped if a part of them were masked, so numbers and digests. */
export function buildOutputs(report: Report, path: string): Record<string, string> {
  const all = makeOutputs(report, path)
  const { handedOn } = report
  return {
    digest: handedOn?.digest ?? '',
    matrix: JSON.stringify(handedOn?.tests ?? []),
    'hand-off': handedOn?.folder ?? '',
    ...pick(all, ['builder-image', 'short-sha', 'branch', 'cache-tags', 'cache-hit', 'cached-steps']),
    ...pick(all, ['total-steps', 'cache', 'engine', 'report'])
  }
}

/**
 * Outputs of the action `test`.
 *
 * @param results path of the folder with the results
 */
export function testOutputs(report: Report, path: string, results: string): Record<string, string> {
  return { result: results, ...pick(makeOutputs(report, path), ['tests', 'report']) }
}

function pick(outputs: Outputs, names: (keyof Outputs)[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, outputs[name]]))
}
