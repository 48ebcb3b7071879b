/** `npm run demo`: plays commits of the sample application and prints the executed steps; `--log` also prints the action's logs. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { makePage } from './page.ts'
import { DemoError, type PlayedCommit, play, type Step } from './play.ts'

const { values: options } = parseArgs({ options: { log: { type: 'boolean', default: false } } })
const start = performance.now()

try {
  const played = await play({
    progress(line) {
      console.log(styleText('dim', `${seconds((performance.now() - start) / 1_000)}  ${line} …`))
    },
    commit(commit) {
      if (options.log) console.log(`\n${commit.outcome.log}${commit.outcome.post.log}`)
      console.log(`\n${describe(commit)}\n`)
    },
    answer({ image, question, text }) {
      console.log(`\n${heading(`GET ${question}`)}: ${image} answers\n  ${text}\n`)
    }
  })
  console.log(summarize(played))
  const page = join(mkdtempSync(join(tmpdir(), 'shared-docker-layers-demo-')), 'summaries.html')
  writeFileSync(
    page,
    makePage(
      `${played.length} commits`,
      played.map(({ outcome }) => outcome.summary)
    )
  )
  console.log(`\nPage with the summaries of the ${played.length} runs, as GitHub shows them: ${page}`)
} catch (error) {
  if (error instanceof DemoError && error.log !== '') console.error(`\n${error.log}`)
  console.error(
    styleText('red', error instanceof DemoError ? error.message : String((error as Error).stack), {
      stream: process.stderr
    })
  )
  process.exitCode = 1
}

function describe(played: PlayedCommit): string {
  const { commit, shortSha, engine, outcome, pushed, movingTags, traffic } = played
  return [
    heading(`${shortSha} on ${commit.branch}: ${titleOf(commit)}`),
    `  ${seconds(outcome.seconds)} with Docker ${engine.version}, ${engine.store} store, strategy ${engine.strategy}; pulled ${megabytes(traffic.pulled)}, pushed ${megabytes(traffic.pushed)}`,
    ...describeWork(played),
    `  pushed ${pushed.join(', ')}`,
    `  moving tags: ${movingTags.map(({ tag, shortSha: sha }) => `${tag} → ${sha}`).join(', ')}`
  ].join('\n')
}

function describeWork({ steps, tests, cacheOrigin, reused }: PlayedCommit): string[] {
  if (reused !== undefined) {
    return [`  built and tested nothing: the image of ${reused} has the same content and passed the same tests`]
  }
  const executed = steps.filter(({ cached }) => !cached)
  const widest = Math.max(
    ...[...executed.map(nameOf), ...tests.map(({ command }) => command)].map(({ length }) => length)
  )
  const row = (name: string, time: number, note = ''): string => `    ${name.padEnd(widest)}  ${seconds(time)}${note}`
  return [
    ...(cacheOrigin === undefined
      ? []
      : [`  cache source of the builder stage: ${cacheOrigin.commit.slice(0, 7)} of branch ${cacheOrigin.branch}`]),
    `  executed ${executed.length} of ${steps.length} steps`,
    ...executed.map((step) => row(nameOf(step), step.seconds)),
    `  ran ${tests.length} tests in parallel`,
    ...tests.map(({ command, status, seconds: time }) => row(command, time, `  ${status}`))
  ]
}

function titleOf({ subject, merges }: PlayedCommit['commit']): string {
  return merges === undefined ? subject : `merge of ${merges}`
}

function summarize(played: PlayedCommit[]): string {
  return played
    .slice(1)
    .map(({ commit, shortSha, steps, reused }) => {
      if (reused !== undefined) {
        return `${shortSha} merged ${commit.merges}. As skip-unchanged-tests is true, it only tagged the image of ${reused}.`
      }
      const files = commit.edits.map(({ file }) => file)
      const list = (cached: boolean): string =>
        steps
          .filter((step) => step.cached === cached)
          .map(nameOf)
          .join('; ')
      return [
        `${shortSha} on ${commit.branch} changed ${files.join(', ')}.`,
        `  Executed: ${list(false)}`,
        `  From the cache: ${list(true)}`
      ].join('\n')
    })
    .join('\n')
}

function nameOf({ stage, instruction }: Step): string {
  return `${stage}: ${instruction}`
}

function heading(text: string): string {
  return styleText('bold', text)
}

function seconds(value: number): string {
  return `${value.toFixed(1).padStart(5)} s`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
