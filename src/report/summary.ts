import { titleOfTest } from '../action/tests.ts'
import type { Span } from '../lib/timeline.ts'
import { describeDirty } from '../plan/dirty.ts'
import { describeOrigin, describeStep } from '../result/cache-verdict.ts'
import { buildsOf, type HandedOn, type PullSize, type TestResult } from '../result/result.ts'
import type { Block } from './document.ts'
import { makeGantt } from './gantt.ts'
import { platformTable } from './platform-table.ts'
import type { Report } from './report.ts'

/** Maximum number of failed tests whose last lines are shown. */
const MOST_OUTPUTS = 10

/** Makes the summary of a run for people, from the report alone. */
export function makeSummary(report: Report): Block[] {
  const { unchanged, cache, publication, pullSize, engine, commands, platforms = [] } = report
  const tests = allTests(report)
  const blocks: Block[] = [
    { kind: 'heading', text: headline(report) },
    { kind: 'list', items: report.failures },
    paragraph(report.publishReason),
    ...dirtyContext(report),
    ...(unchanged
      ? [paragraph(`Nothing has changed since commit ${unchanged.commit}: this run only tagged its image.`)]
      : []),
    { kind: 'list', items: sources(report) },
    { kind: 'list', items: platforms.flatMap(({ untested }) => (untested === undefined ? [] : [`${untested}.`])) },
    ...(cache.total === 0 ? [] : [paragraph(`${cache.cached} of ${cache.total} steps came from the cache.`)]),
    ...(pullSize ? [paragraph(describePull(pullSize, report.references?.movingProduction ?? ''))] : []),
    ...(platforms.length > 0 ? [platformTable(platforms)] : []),
    table(['phase', 'result', 'time'], commands ? [] : phases(report)),
    testTable(report.tests),
    table(
      ['test', 'failing case', 'message'],
      tests.flatMap((test) => (test.failedCases ?? []).map(({ name, message }) => [nameInTable(test), name, message]))
    ),
    ...tests
      .flatMap((test) =>
        test.lastLines === undefined ? [] : [output(`The last lines of ${nameInTable(test)}`, test.lastLines)]
      )
      .slice(0, MOST_OUTPUTS),
    table(
      ['stage', 'steps from the cache', 'first step executed', 'why'],
      cache.stages.map(({ stage, cached, total, miss }) => [
        stage,
        `${cached} of ${total}`,
        ...(miss ? [describeStep(miss), miss.reason] : ['', ''])
      ])
    ),
    table(
      ['pushed', 'digest'],
      (publication?.pushed ?? []).map((reference) => [reference, shortDigest(digestOf(publication, reference))])
    ),
    table(
      ['added cache tag'],
      report.cacheTags.map((reference) => [reference])
    ),
    // the times of a dry run are of no interest
    { kind: 'gantt', gantt: makeGantt(commands ? [] : report.timeline, repositoryOf(report), failedSpans(report)) },
    ...(commands ? [table(['what', 'reference'], referenceRows(report))] : []),
    ...(commands ? [output('What would be run', commands.join('\n'))] : []),
    ...(engine
      ? [paragraph(`Docker ${engine.version}, ${engine.store} store; strategy ${engine.strategy}: ${engine.reason}.`)]
      : [])
  ]
  return blocks.filter((block) => !isEmpty(block))
}

function dirtyContext({ commit = '', dirtyFiles: files = [], dirtyFileCount: count = 0 }: Report): Block[] {
  return count === 0 ? [] : [paragraph(`${describeDirty(commit.slice(0, 7), { files, count })}.`)]
}

function paragraph(text: string): Block {
  return { kind: 'paragraph', text }
}

function table(head: string[], rows: string[][]): Block {
  return { kind: 'table', head, rows }
}

/** The tests of all platforms. */
function allTests({ tests, platforms = [] }: Report): TestResult[] {
  return [tests, ...platforms.map((one) => one.tests)].flat()
}

/** The tests, with their machines if other ones ran them. */
function testTable(tests: readonly TestResult[]): Block {
  const hasMachines = tests.some(({ machine }) => machine !== undefined)
  return table(
    ['test', 'status', 'time', ...(hasMachines ? ['machine'] : [])],
    tests.map((test) => [
      ...[nameInTable(test), describeStatus(test), seconds(test.seconds)],
      ...(hasMachines ? [test.machine ?? 'this one'] : [])
    ])
  )
}

function output(title: string, text: string): Block {
  return { kind: 'output', title, text }
}

function isEmpty(block: Block): boolean {
  if (block.kind === 'paragraph') return block.text === ''
  if (block.kind === 'list') return block.items.length === 0
  if (block.kind === 'table') return block.rows.length === 0
  return block.kind === 'gantt' && block.gantt.sections.length === 0
}

/** Returns one sentence for each build that took its cache from another commit's cache tag. */
function sources(report: Report): string[] {
  return [report, ...(report.platforms ?? [])]
    .flatMap(buildsOf)
    .flatMap(({ stage, cacheSource, cacheOrigin }) =>
      cacheOrigin === undefined
        ? []
        : [`Cache source of stage ${stage}: ${describeOrigin(cacheOrigin)} (${cacheSource}).`]
    )
}

function headline(report: Report): string {
  const { references, failures, cancelled, publication, commands, handedOn, part, platforms, cacheTags } = report
  const tests = allTests(report)
  const unchanged = platforms ? platforms.every((one) => one.unchanged) : report.unchanged
  const isPushed = (publication?.pushed.length ?? 0) > 0
  const pushed = isPushed ? 'not everything was' : cacheTags.length > 0 ? 'only cache tags were' : 'nothing was'
  if (part === 'test') return headlineOfTests(report)
  if (cancelled) return `⏹️ The run was cancelled: ${pushed} pushed`
  if (failures.length > 0) {
    const bad = tests.filter(({ failure }) => failure !== undefined).length
    const what = bad > 0 ? `${bad} of ${tests.length} tests did not pass` : 'The run failed'
    return `❌ ${what}: ${pushed} pushed`
  }
  const image = references?.production ?? ''
  if (handedOn) return headlineOfBuild(handedOn, references?.builder ?? '')
  if (commands) return `📋 Dry run of ${image}: nothing was built`
  const verbs = unchanged ? ['Tagged'] : ['Built', ...(tests.some(wasRun) ? ['tested'] : [])]
  const last = publication?.published ? ['published'] : isPushed && !unchanged ? ['pushed'] : []
  const done = [...verbs, ...last]
  const words = done.length > 1 ? `${done.slice(0, -1).join(', ')} and ${done.at(-1)}` : done.join('')
  if (unchanged && !isPushed) return `✅ Nothing to build for ${image}`
  return `✅ ${words} ${image}${isPushed ? '' : '; nothing was pushed'}`
}

function headlineOfTests({ tests, failures, cancelled }: Report): string {
  if (cancelled) return '⏹️ The tests were cancelled'
  const bad = tests.filter(({ failure }) => failure !== undefined).length
  if (bad > 0) return `❌ ${bad} of ${tests.length} tests did not pass`
  return failures.length > 0 ? '❌ The tests did not run' : `✅ ${countOf(tests.length, 'test')} passed`
}

function headlineOfBuild({ digest, tests }: HandedOn, builder: string): string {
  if (digest === '') return '✅ Nothing to build: an earlier run has built and tested the same content'
  const rest = tests.length === 0 ? 'no test needs to run' : `${countOf(tests.length, 'test')} to run`
  return `✅ Built ${builder}: ${rest}`
}

function phases(report: Report): string[][] {
  const { timeline, publication, part } = report
  const prepare = timeline.filter(({ kind, machine = part }) => kind === 'prepare' && machine === part)
  return [
    ...prepare.map((span) => [span.name, '', seconds(span.seconds)]),
    ...buildsOf(report).map((build) => {
      const cached = build.steps.filter((step) => step.cached).length
      const steps = `${cached} of ${build.steps.length} steps from the cache`
      return [`Build ${build.stage}`, build.failure === undefined ? steps : 'failed', seconds(build.seconds)]
    }),
    ...testRow(report),
    ...(publication ? [['Publish', countOf(publication.pushed.length, 'reference'), seconds(publication.seconds)]] : [])
  ]
}

function testRow({ tests, timeline, cancelled }: Report): string[][] {
  if (tests.length === 0) return []
  const passed = tests.filter(({ failure }) => failure === undefined).length
  const result = cancelled ? `${passed} passed before the end` : `${passed} of ${tests.length} passed`
  const time = extent(timeline.filter(({ kind }) => kind === 'test'))
  return [['Test', tests.some(wasRun) ? result : 'unchanged', seconds(time)]]
}

/** Returns the seconds from the first start to the last end. */
function extent(spans: readonly Span[]): number {
  if (spans.length === 0) return 0
  const ends = spans.map(({ start, seconds: length }) => start + length)
  return Math.max(...ends) - Math.min(...spans.map(({ start }) => start))
}

/** Returns the command, after a word for what it ran in unless that was the builder image. */
function nameInTable(test: TestResult): string {
  return titleOfTest(test).replace(/^Test /, '')
}

function wasRun({ status }: TestResult): boolean {
  return status !== 'unchanged'
}

function describeStatus({ status, passedFor }: TestResult): string {
  return passedFor === undefined ? status : `${status}: passed for ${passedFor}`
}

/** Returns the names of failed tests and builds in the timeline. */
function failedSpans(report: Report): Set<string> {
  const builds = buildsOf(report).flatMap(({ image, failure }) => (failure === undefined ? [] : [`Build ${image}`]))
  const tests = report.tests.flatMap((test) => (test.failure === undefined ? [] : [titleOfTest(test)]))
  return new Set([...builds, ...tests])
}

function repositoryOf({ references }: Report): string {
  return references?.production.replace(/:[^:/]*$/, '') ?? ''
}

function referenceRows({ references }: Report): string[][] {
  if (!references) return []
  const { builder, production, pullRequest, movingBuilder, movingProduction, stages, further, branch } = references
  return [
    ['production image of this commit', production],
    ...(pullRequest === undefined ? [] : [['production image of the pull request', pullRequest]]),
    ...[...further, ...branch].map((reference) => ['production image, further', reference]),
    ['production image, moving', movingProduction],
    ['builder image of this commit', `${builder} (local)`],
    ['builder image, moving', movingBuilder],
    ...Object.entries(stages).map(([stage, { moving }]) => [`stage ${stage}, moving`, moving])
  ]
}

function describePull({ previous, bytes, fullBytes, layers, reusedLayers }: PullSize, moving: string): string {
  if (previous === undefined) {
    return `Nothing was published as ${moving} before: a host pulls all of this image, ${size(fullBytes)} in ${layers} layers.`
  }
  return `A host that has ${previous} pulls ${size(bytes)} of ${size(fullBytes)}: it has ${reusedLayers} of ${layers} layers already.`
}

/** Returns the digest of a pushed reference; '' if it is unknown. */
function digestOf(publication: Report['publication'], reference: string): string {
  const digests = publication?.digests ?? {}
  return Object.hasOwn(digests, reference) ? (digests[reference] ?? '') : ''
}

/** Returns the first 12 digits of a digest: a whole one makes the table wider than GitHub shows it. The report has whole ones. */
function shortDigest(digest: string): string {
  return digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1')
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`
}
