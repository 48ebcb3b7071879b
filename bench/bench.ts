/** `npm run bench`: plays the same commits with every method on both image stores, interleaved, and prints the time of each. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Agent, availableEngines, type EngineSpec, pushBaseImages, TestBed } from '../testbed/index.ts'
import { SourceRepository } from '../testbed/source-repository.ts'
import { drawChart } from './chart.ts'
import { type Job, METHODS, type Method, type Step } from './methods.ts'
import { pushPackages } from './packages.ts'
import { type MeasuredCommit, type Results, type StoreResults, summarize, tabulate } from './results.ts'
import { type Commit, makeTrace } from './trace.ts'

const LINK_MBIT = 1_000
const TESTS = ['npm test', 'npm run test:integration', 'npm run lint']

const { values: options } = parseArgs({
  options: {
    store: { type: 'string' },
    methods: { type: 'string' },
    commits: { type: 'string' },
    output: { type: 'string' },
    timeline: { type: 'boolean', default: false }
  }
})
// only the newest engine supports all methods
const newest = availableEngines().at(-1)?.version
const engines = availableEngines().filter(
  ({ version, store }) => version === newest && (options.store ?? store) === store
)
const methods = METHODS.filter(({ key }) => options.methods?.split(',').includes(key) ?? true)
const trace = makeTrace().slice(0, Number(options.commits ?? Number.POSITIVE_INFINITY))
if (engines.length === 0 || methods.length === 0 || trace.length === 0) {
  throw new Error(
    `Nothing to play: --store is overlay2 or containerd, --methods lists some of ${METHODS.map(({ key }) => key).join(',')}, --commits is at least 1`
  )
}

const start = performance.now()
const bed = await TestBed.start({ name: 'bench' })
try {
  const base = (await pushBaseImages(bed, ['node'])).node
  await pushPackages(bed)
  const stores: StoreResults[] = []
  for (const engine of engines) stores.push(await playStore(engine, base))
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    machine: `${availableParallelism()} cores, Linux ${release()}, Node.js ${process.version}`,
    linkMbit: LINK_MBIT,
    stores,
    minutes: Math.round((performance.now() - start) / 6_000) / 10
  }
  console.log(stores.map(tabulate).join('\n\n'))
  if (options.output !== undefined) {
    mkdirSync(options.output, { recursive: true })
    writeFileSync(join(options.output, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
    writeFileSync(join(options.output, 'results.svg'), drawChart(results))
  }
} finally {
  await bed.stop()
}

async function playStore(engine: EngineSpec, base: string): Promise<StoreResults> {
  const source = new SourceRepository(bed.folder, trace[0]?.files ?? {})
  const measured = new Map<Method, MeasuredCommit[]>(methods.map((method) => [method, []]))
  const kept = new Map<Method, Agent>()
  for (const [number, commit] of trace.entries()) {
    const sha = number === 0 ? source.head() : source.commit(commit.files, commit.kind)
    // rotate the order, so that other load on the machine affects all methods alike
    const turn = [...methods.slice(number % methods.length), ...methods.slice(0, number % methods.length)]
    for (const method of turn) {
      const agent = kept.get(method) ?? (await bed.agent(engine, { linkMbit: LINK_MBIT }))
      const image = `${bed.registry.host}/bench/${method.key}-${engine.store}`
      try {
        const job = { agent, store: engine.store, workspace: source.checkout(sha), sha, image, tests: TESTS }
        const result = await measure(method, { ...job, buildArgs: [`BASE=${base}`] }, commit)
        measured.get(method)?.push(result)
        const { seconds, executed, pulled, pushed } = result
        console.error(
          [engine.store, number + 1, commit.kind, method.key, `${seconds} s`, `${executed} steps`, pulled, pushed].join(
            '\t'
          )
        )
      } finally {
        if (method.persistent) kept.set(method, agent)
        else await agent.stop()
      }
    }
  }
  for (const agent of kept.values()) await agent.stop()
  return {
    store: engine.store,
    ...(await checkImages(engine)),
    methods: [...measured].map(([{ key, title }, commits]) => ({ key, title, commits, ...summarize(commits) }))
  }
}

async function versionsOf(agent: Agent): Promise<{ docker: string; buildx: string }> {
  const [docker, buildx] = await Promise.all([
    agent.docker('version', '--format', '{{.Server.Version}}'),
    agent.docker('buildx', 'version')
  ])
  return { docker, buildx: buildx.split(' ')[1] ?? '' }
}

async function measure(method: Method, job: Job, commit: Commit): Promise<MeasuredCommit> {
  const before = job.agent.traffic()
  const began = performance.now()
  const { steps, timeline } = await method.play(job)
  const seconds = Math.round((performance.now() - began) / 100) / 10
  const after = job.agent.traffic()
  if (options.timeline) {
    for (const { name, start: from, seconds: time } of timeline ?? []) {
      console.error(`  ${from.toFixed(2).padStart(6)} – ${(from + time).toFixed(2).padStart(6)}  ${name}`)
    }
  }
  return {
    kind: commit.kind,
    seconds,
    executed: executedSteps(steps),
    pulled: after.pulled - before.pulled,
    pushed: after.pushed - before.pushed
  }
}

/** Counts a step once, even if several builds of a commit execute it. */
function executedSteps(steps: Step[]): number {
  const executed = steps.filter(({ cached }) => !cached)
  return new Set(executed.map(({ stage, instruction }) => `${stage} ${instruction}`)).size
}

/**
 * Checks that every method has published the application of the last commit: otherwise their times are not comparable.
 *
 * @returns the versions of the engine
 */
async function checkImages(engine: EngineSpec): Promise<{ docker: string; buildx: string }> {
  const agent = await bed.agent(engine)
  try {
    for (const { key } of methods) {
      const image = `${bed.registry.host}/bench/${key}-${engine.store}:latest`
      const version = await agent.docker('run', '--rm', image, 'node', 'dist/bundle/index.js', '--version')
      const expected = trace.at(-1)?.version
      if (version !== expected) throw new Error(`${image} has version ${version} instead of ${expected}`)
    }
    return await versionsOf(agent)
  } finally {
    await agent.stop()
  }
}
