import { describeStep, judgeCache } from '../cache/verdict.ts'
import type { Plan } from '../plan.ts'
import type { RunResult } from '../run.ts'
import { publishReason } from './outputs.ts'

/** Rows of a list or table, and their bytes: four of them and the two sentences stay under the 1 MiB that GitHub takes. */
const MOST_ROWS = 100
const MOST_BYTES = 200_000
const MOST_OF_A_CELL = 200
const MOST_OF_A_SENTENCE = 1_000

/** The job summary as GitHub-flavoured Markdown. */
export function makeSummary(plan: Plan | undefined, result: RunResult): string {
  const { cached, total, stages } = judgeCache(result)
  const headline =
    result.failures.length === 0
      ? `${result.unchanged ? 'Nothing to build for' : 'Built'} ${plan?.refs.production ?? ''}`
      : `The run ${result.cancelled ? 'was cancelled' : 'failed'}`
  return [
    `### ${text(headline)}`,
    ...rows(result.failures, (failure) => `- ${text(failure)}`),
    text(publishReason(plan, result)),
    ...(result.unchanged
      ? [`Nothing has changed since commit ${text(result.unchanged.commit)}: its image is this commit's, too.`]
      : []),
    ...(total === 0 ? [] : [`${cached} of ${total} steps came from the cache.`]),
    table(
      ['stage', 'steps from the cache', 'first step executed', 'why'],
      rows(stages, ({ stage, cached: hits, total: all, miss }) => {
        const why = miss ? [cell(describeStep(miss)), text(miss.reason)] : ['', '']
        return `| ${[cell(stage), `${hits} of ${all}`, ...why].join(' | ')} |`
      })
    ),
    table(
      ['test', 'status', 'time'],
      rows(result.tests, ({ command, status, seconds, passedFor }) => {
        const outcome = passedFor === undefined ? status : `${status}: passed for ${cell(passedFor)}`
        return `| ${cell(command)} | ${outcome} | ${seconds.toFixed(1)} s |`
      })
    ),
    ...rows(result.publication?.pushed ?? [], (reference) => `- ${text(reference)}`)
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function rows<T>(items: readonly T[], row: (item: T) => string): string[] {
  const shown: string[] = []
  let room = MOST_BYTES
  for (const item of items.slice(0, MOST_ROWS)) {
    const line = row(item)
    room -= Buffer.byteLength(line)
    if (room < 0) break
    shown.push(line)
  }
  return items.length > shown.length ? [...shown, `… and ${items.length - shown.length} more`] : shown
}

function table(head: string[], body: string[]): string {
  return body.length === 0 ? '' : [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...body].join('\n')
}

/** What Markdown or HTML may read as more than a character: anywhere, at the start of a line, or in a web address. */
const MARKUP = /[&<>\\`*_{}[\]()#+!|~@]|^-|(?<=^\d+)\.|(?<=www)\.|:(?=\/\/)/gi

/** Text of others: shown as it is, never as HTML or Markdown. */
function text(value: string): string {
  return shortened(value, MOST_OF_A_SENTENCE)
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .replaceAll(MARKUP, (character) => `&#${character.codePointAt(0)};`)
}

function cell(value: string): string {
  return text(shortened(value, MOST_OF_A_CELL))
}

/** Counts characters, not UTF-16 units: none is cut in two. */
function shortened(value: string, most: number): string {
  const characters = [...value]
  return characters.length > most ? `${characters.slice(0, most).join('')}…` : value
}
