/**
 * `npm run bench`: plays the same commits with every method on both image stores, interleaved, and prints the time of each.
 * `--trace team` plays the runs of a team with branches instead of a straight line of commits.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Span } from '../src/lib/timeline.ts'
import { availableEngines, pushBaseImages, TestBed } from '../testbed/index.ts'
import { drawChart } from './chart.ts'
import { METHODS, type Method } from './methods.ts'
import { pushPackages } from './packages.ts'
import { type Play, playStore } from './play.ts'
import {
  allCores,
  type MeasuredCommit,
  type Results,
  type StoreResults,
  tabulate,
  tabulateAccounts
} from './results.ts'
import { type Commit, makeStraightTrace, makeTeamTrace } from './trace.ts'

const LINK_MBIT = 1_000

const { values: options } = parseArgs({
  options: {
    trace: { type: 'string', default: 'straight' },
    store: { type: 'string' },
    methods: { type: 'string' },
    commits: { type: 'string' },
    output: { type: 'string' },
    account: { type: 'boolean', default: false },
    timeline: { type: 'boolean', default: false }
  }
})
// only the newest engine supports all methods
const newest = availableEngines().at(-1)?.version
const engines = availableEngines().filter(
  ({ version, store }) => version === newest && (options.store ?? store) === store
)
const methods = METHODS.filter(({ key, traces }) =>
  options.methods === undefined
    ? traces.some((name) => name === options.trace)
    : options.methods.split(',').includes(key)
)
const traces = new Map([
  ['straight', makeStraightTrace],
  ['team', makeTeamTrace]
])
const trace = (traces.get(options.trace)?.() ?? []).slice(0, Number(options.commits ?? Number.POSITIVE_INFINITY))
if (engines.length === 0 || methods.length === 0 || trace.length === 0) {
  throw new Error(
    `Nothing to play: --trace is straight or team, --store is overlay2 or containerd, --methods lists some of ${METHODS.map(({ key }) => key).join(',')}, --commits is at least 1`
  )
}

const start = performance.now()
const bed = await TestBed.start({ name: 'bench' })
try {
  const base = (await pushBaseImages(bed, ['node'])).node
  await pushPackages(bed)
  const play: Omit<Play, 'engine'> = { bed, base, trace, methods, linkMbit: LINK_MBIT, onMeasured: print }
  const stores: StoreResults[] = []
  for (const engine of engines) {
    const began = performance.now()
    const played = await playStore({ ...play, engine })
    stores.push(played)
    if (options.trace === 'team') write(`team-${engine.version}-${engine.store}`, resultsOf([played], began))
  }
  console.log(stores.map(tabulate).join('\n\n'))
  if (options.account) console.log(`\n${stores.map(tabulateAccounts).join('\n\n')}`)
  if (options.trace === 'straight') write('results', resultsOf(stores, start), drawChart)
} finally {
  await bed.stop()
}

function print(
  { kind, branch }: Commit,
  number: number,
  method: Method,
  measured: MeasuredCommit,
  timeline: Span[]
): void {
  const { seconds, executed, unchanged, pulled, pushed, clients } = measured
  const parts = [
    ...[String(number), kind, branch ?? '', method.key, `${seconds} s`, `${allCores(measured).toFixed(1)} core-s`],
    ...[`${executed} steps, ${unchanged} unchanged`, pulled, pushed, `${clients} clients`]
  ]
  console.error(parts.join('\t'))
  if (!options.timeline) return
  for (const { name, start: from, seconds: time } of timeline) {
    console.error(`  ${from.toFixed(2).padStart(6)} – ${(from + time).toFixed(2).padStart(6)}  ${name}`)
  }
}

function resultsOf(stores: StoreResults[], began: number): Results {
  return {
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    machine: `${availableParallelism()} cores, Linux ${release()}, Node.js ${process.version}`,
    linkMbit: LINK_MBIT,
    stores,
    minutes: Math.round((performance.now() - began) / 6_000) / 10
  }
}

function write(name: string, results: Results, draw?: (results: Results) => string): void {
  if (options.output === undefined) return
  mkdirSync(options.output, { recursive: true })
  writeFileSync(join(options.output, `${name}.json`), `${JSON.stringify(results, undefined, 2)}\n`)
  if (draw) writeFileSync(join(options.output, `${name}.svg`), draw(results))
}
