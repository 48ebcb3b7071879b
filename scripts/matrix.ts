/** `npm run matrix`: plays every Dockerfile shape and every chain of branches on every engine, and prints the number of unexpected cache misses of each commit. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { BRANCH_CHAINS, type BranchChain } from '../__tests__/support/branches/chains.ts'
import { BranchPlayer } from '../__tests__/support/branches/play.ts'
import { CHAIN_NAMES, CHAINS } from '../__tests__/support/corpus/chains.ts'
import { playChain, type Setting, settings } from '../__tests__/support/corpus/play.ts'
import { sharesWithBuildKit } from '../__tests__/support/harness.ts'
import { availableEngines, type EngineSpec, pushBaseImages, TestBed } from '../testbed/index.ts'

/** How one commit went. */
interface Cell {
  name: string
  /** Steps that were executed, but should have been cached. */
  misses: string[]
  /** Sentences on other failures. */
  lies: string[]
}

interface Row {
  title: string[]
  commits: Cell[]
  /** Errors of the chains that broke off. */
  lost: string[]
}

/** Rows with the same columns. */
interface Table {
  columns: string[]
  plays: { engine: EngineSpec; play: (base: string) => Promise<Row> }[]
}

const { values: options } = parseArgs({ options: { shape: { type: 'string' }, engine: { type: 'string' } } })

const tables: Table[] = [
  {
    columns: CHAIN_NAMES.flatMap((chain) => CHAINS[chain].map(({ name }) => `${chain}:${name}`)),
    plays: settings()
      .filter(({ shape }) => isChosen(shape.name))
      .map((setting) => ({ engine: setting.engine, play: (base: string) => playShape(base, setting) }))
  },
  ...(['ways', 'failing', 'reusing'] as const).map((chain) => ({
    columns: BRANCH_CHAINS[chain].map(({ id }) => id),
    plays: availableEngines()
      .filter(() => options.shape === 'branches' || isChosen(`branches-${chain}`))
      .map((engine) => ({ engine, play: (base: string) => playBranches(base, engine, chain) }))
  }))
].map(({ columns, plays }) => ({
  columns,
  plays: plays.filter(
    ({ engine }) => (options.engine ?? `${engine.version}-${engine.store}`) === `${engine.version}-${engine.store}`
  )
}))
if (tables.every(({ plays }) => plays.length === 0))
  throw new Error('No such shape, or the matrix does not play it on that engine.')

const start = performance.now()
const bed = await TestBed.start({ name: 'matrix' })
try {
  const base = (await pushBaseImages(bed, ['busybox'])).busybox
  const limit = pLimit(availableParallelism())
  const played = await Promise.all(
    tables.map(async ({ columns, plays }) => ({
      columns,
      rows: await Promise.all(plays.map(({ play }) => limit(() => play(base))))
    }))
  )
  for (const { columns, rows } of played) if (rows.length > 0) print(columns, rows)
  summarize(played.flatMap(({ rows }) => rows))
} finally {
  await bed.stop()
}

function isChosen(name: string): boolean {
  return (options.shape ?? name) === name
}

async function playShape(base: string, setting: Setting): Promise<Row> {
  const { shape, engine, strategy } = setting
  const commits: Cell[] = []
  const lost: string[] = []
  for (const chain of CHAIN_NAMES) {
    // a chain that breaks off must not end the others
    await playChain(bed, base, setting, chain).then(
      (played) => commits.push(...played),
      (error: unknown) => lost.push(`chain ${chain}: ${String(error)}`)
    )
  }
  return told({ title: [shape.name, engine.version, engine.store, strategy], commits, lost })
}

async function playBranches(base: string, engine: EngineSpec, chain: BranchChain): Promise<Row> {
  const commits: Cell[] = []
  const lost: string[] = []
  const player = new BranchPlayer(bed, base, engine, chain)
  try {
    for (const moment of BRANCH_CHAINS[chain]) {
      const { unchanged, faults } = await player.play(moment)
      commits.push({ name: moment.id, misses: unchanged, lies: faults })
    }
    lost.push(...(await player.judgeImages()))
  } catch (error) {
    lost.push(String(error))
  }
  const strategy = sharesWithBuildKit(engine) ? 'inline' : 'legacy'
  return told({ title: [`branches-${chain}`, engine.version, engine.store, strategy], commits, lost })
}

function told(row: Row): Row {
  console.error(row.title.join(' '))
  return row
}

function print(columns: string[], rows: Row[]): void {
  const head = ['shape', 'engine', 'store', 'strategy', ...columns]
  const table = rows.map(({ title, commits }) => [
    ...title,
    ...columns.map((column) => cell(commits.find(({ name }) => name === column)))
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...table].map((row) => row[column]?.length ?? 0)))
  for (const row of [head, ...table])
    console.log(row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '))
  console.log()
}

function summarize(rows: Row[]): void {
  const details = rows.flatMap(({ title, commits, lost }) => [
    ...lost.map((text) => `${title.join(' ')}, ${text}`),
    ...commits.flatMap(({ name, misses, lies }) =>
      [...misses.map((step) => `executed ${step}`), ...lies].map((text) => `${title.join(' ')}, ${name}: ${text}`)
    )
  ])
  if (details.length > 0) console.log(`${details.join('\n')}\n`)
  const played = rows.flatMap(({ commits }) => commits)
  const misses = played.reduce((sum, commit) => sum + commit.misses.length, 0)
  const seconds = Math.round((performance.now() - start) / 1_000)
  console.log(
    `${played.length} commits in ${seconds} s; steps executed that should have been cached: ${misses}; other failures: ${details.length - misses}`
  )
  process.exitCode = details.length === 0 ? 0 : 1
}

/** `-`: not played; a number: unexpected cache misses; `!`: other failures. */
function cell(commit: Cell | undefined): string {
  if (!commit) return '-'
  return `${commit.misses.length}${commit.lies.length > 0 ? '!' : ''}`
}
