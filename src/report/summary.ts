import type { Plan } from '../plan.ts'
import type { RunResult } from '../run.ts'
import { judgeCache } from './cache.ts'
import { publishReason } from './outputs.ts'

/** The job summary as GitHub-flavoured Markdown. */
export function makeSummary(plan: Plan | undefined, result: RunResult): string {
  const { cached, total, stages } = judgeCache(result)
  const headline =
    result.failures.length === 0
      ? `Built ${plan?.refs.production ?? ''}`
      : `The run ${result.cancelled ? 'was cancelled' : 'failed'}`
  const tests = result.tests.map(
    ({ command, status, seconds }) => `| ${cell(command)} | ${status} | ${seconds.toFixed(1)} s |`
  )
  const rows = stages.map(({ stage, cached: hits, total: all }) => `| ${cell(stage)} | ${hits} of ${all} |`)
  return [
    `### ${text(headline)}`,
    ...result.failures.map((failure) => `- ${text(failure)}`),
    text(publishReason(plan, result)),
    ...(total === 0 ? [] : [`${cached} of ${total} steps came from the cache.`]),
    ...(rows.length === 0 ? [] : [['| stage | steps from the cache |', '| --- | --- |', ...rows].join('\n')]),
    ...(tests.length === 0 ? [] : [['| test | status | time |', '| --- | --- | --- |', ...tests].join('\n')]),
    ...(result.publication?.pushed.map((reference) => `- ${text(reference)}`) ?? [])
  ].join('\n\n')
}

/** Text of others: shown as it is, never as HTML or Markdown. */
function text(value: string): string {
  return value
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_{}[\]()#+!|~@]/g, (character) => `&#${character.codePointAt(0)};`)
    .replaceAll('://', '&#58;//')
}

const MOST_OF_A_CELL = 200

function cell(value: string): string {
  return text(value.length > MOST_OF_A_CELL ? `${value.slice(0, MOST_OF_A_CELL)}…` : value)
}
