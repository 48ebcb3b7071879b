/** `npm run matrix`: plays every Dockerfile shape on every engine and prints the number of unexpected cache misses of each commit. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { CHAIN_NAMES, CHAINS } from '../__tests__/support/corpus/chains.ts'
import { type PlayedCommit, playChain, type Setting, settings } from '../__tests__/support/corpus/play.ts'
import { pushBaseImages, TestBed } from '../testbed/index.ts'

interface Row {
  title: string[]
  commits: PlayedCommit[]
  /** Errors of the chains that broke off. */
  lost: string[]
}

const { values: options } = parseArgs({ options: { shape: { type: 'string' }, engine: { type: 'string' } } })
const chosen = settings().filter(
  ({ shape, engine }) =>
    (options.shape ?? shape.name) === shape.name &&
    (options.engine ?? `${engine.version}-${engine.store}`) === `${engine.version}-${engine.store}`
)
if (chosen.length === 0) throw new Error('No such shape, or the matrix does not play it on that engine.')

const start = performance.now()
const bed = await TestBed.start({ name: 'matrix' })
try {
  const base = (await pushBaseImages(bed, ['busybox'])).busybox
  const limit = pLimit(availableParallelism())
  const rows = await Promise.all(chosen.map((setting) => limit(() => play(base, setting))))
  print(rows)
} finally {
  await bed.stop()
}

async function play(base: string, setting: Setting): Promise<Row> {
  const { shape, engine, strategy } = setting
  const commits: PlayedCommit[] = []
  const lost: string[] = []
  for (const chain of CHAIN_NAMES) {
    // a chain that breaks off must not end the others
    await playChain(bed, base, setting, chain).then(
      (played) => commits.push(...played),
      (error: unknown) => lost.push(`chain ${chain}: ${String(error)}`)
    )
  }
  const title = [shape.name, engine.version, engine.store, strategy]
  console.error(title.join(' '))
  return { title, commits, lost }
}

function print(rows: Row[]): void {
  const columns = CHAIN_NAMES.flatMap((chain) => CHAINS[chain].map(({ name }) => `${chain}:${name}`))
  const head = ['shape', 'engine', 'store', 'strategy', ...columns]
  const table = rows.map(({ title, commits }) => [
    ...title,
    ...columns.map((column) => cell(commits.find(({ name }) => name === column)))
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...table].map((row) => row[column]?.length ?? 0)))
  for (const row of [head, ...table])
    console.log(row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '))

  const details = rows.flatMap(({ title, commits, lost }) => [
    ...lost.map((text) => `${title.join(' ')}, ${text}`),
    ...commits.flatMap(({ name, misses, lies }) =>
      [...misses.map((step) => `executed ${step}`), ...lies].map((text) => `${title.join(' ')}, ${name}: ${text}`)
    )
  ])
  if (details.length > 0) console.log(`\n${details.join('\n')}`)
  const played = rows.flatMap(({ commits }) => commits)
  const misses = played.reduce((sum, commit) => sum + commit.misses.length, 0)
  const seconds = Math.round((performance.now() - start) / 1_000)
  console.log(
    `\n${played.length} commits in ${seconds} s; steps executed that should have been cached: ${misses}; other failures: ${details.length - misses}`
  )
  process.exitCode = details.length === 0 ? 0 : 1
}

/** `-`: not played; a number: unexpected cache misses; `!`: other failures. */
function cell(commit: PlayedCommit | undefined): string {
  if (!commit) return '-'
  return `${commit.misses.length}${commit.lies.length > 0 ? '!' : ''}`
}
