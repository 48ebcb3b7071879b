import type { Span } from '../src/lib/timeline.ts'
import type { Agent, EngineSpec, TestBed } from '../testbed/index.ts'
import { account, estimateFourCores } from './account.ts'
import { filesIn } from './files.ts'
import { History, type Run } from './history.ts'
import type { Method, Step } from './methods.ts'
import { type CpuSeconds, type MeasuredCommit, rounded, type StoreResults, summarize } from './results.ts'
import { stepKeys, unchangedSteps } from './step-keys.ts'
import type { Commit } from './trace.ts'

const TESTS = ['npm test', 'npm run test:integration', 'npm run lint']

/** What is played on an engine. */
export interface Play {
  bed: TestBed
  engine: EngineSpec
  /** The base image of the application. */
  base: string
  trace: Commit[]
  methods: Method[]
  linkMbit: number
  /** Receives each measurement, and where its time went. */
  onMeasured(commit: Commit, number: number, method: Method, measured: MeasuredCommit, timeline: Span[]): void
}

/** Plays a trace with every method, interleaved commit by commit, each run on a brand-new agent. */
export async function playStore(play: Play): Promise<StoreResults> {
  const { bed, engine, trace, methods, linkMbit } = play
  const [first] = trace
  if (!first) throw new Error('The trace has no commits.')
  const history = new History(bed.folder, first)
  const measured = new Map<Method, MeasuredCommit[]>(methods.map((method) => [method, []]))
  const timelines = new Map<Method, Span[][]>(methods.map((method) => [method, []]))
  const kept = new Map<Method, Agent>()
  const built = new Set<string>()
  for (const [index, commit] of trace.entries()) {
    const run = history.next(commit)
    const keys = stepKeys(filesIn(history.checkout(run.sha)))
    // rotate the order, so that other load on the machine affects all methods alike
    const turn = [...methods.slice(index % methods.length), ...methods.slice(0, index % methods.length)]
    for (const method of turn) {
      const agent = kept.get(method) ?? (await bed.agent(engine, { linkMbit, counted: true }))
      try {
        const { result, executed, timeline } = await measure(play, method, agent, run, history.checkout(run.sha))
        const unchanged = unchangedSteps(executed, keys, built).length
        const all = { kind: commit.kind, ...result, unchanged }
        measured.get(method)?.push(all)
        if (index > 0) timelines.get(method)?.push(timeline)
        play.onMeasured(commit, index + 1, method, all, timeline)
      } finally {
        if (method.persistent) kept.set(method, agent)
        else await agent.stop()
      }
    }
    for (const key of keys.values()) built.add(key)
  }
  for (const agent of kept.values()) await agent.stop()
  return {
    store: engine.store,
    ...(await checkImages(play)),
    methods: methods.map((method) => {
      const commits = measured.get(method) ?? []
      const { key, title } = method
      return { key, title, commits, ...summarize(commits), account: account(timelines.get(method) ?? []) }
    })
  }
}

interface Measured {
  result: Omit<MeasuredCommit, 'kind' | 'unchanged'>
  /** Names of the steps that were executed: each counts once, even if several builds of a run execute it. */
  executed: Set<string>
  timeline: Span[]
}

async function measure(play: Play, method: Method, agent: Agent, run: Run, workspace: string): Promise<Measured> {
  const { engine, base } = play
  const image = imageOf(play, method)
  const job = { agent, store: engine.store, workspace, run, image, buildArgs: [`BASE=${base}`], tests: TESTS }
  const before = { ...agent.traffic(), ...agent.usage() }
  const began = performance.now()
  const { steps, timeline } = await method.play(job)
  const seconds = (performance.now() - began) / 1_000
  const after = { ...agent.traffic(), ...agent.usage() }
  const executed = namesOfExecuted(steps)
  const used = (key: keyof CpuSeconds): number => rounded(after.seconds[key] - before.seconds[key])
  const cpu = {
    engine: used('engine'),
    steps: used('steps'),
    tests: used('tests'),
    clients: used('clients'),
    action: used('action')
  }
  return {
    executed,
    timeline,
    result: {
      seconds: rounded(seconds),
      executed: executed.size,
      pulled: after.pulled - before.pulled,
      pushed: after.pushed - before.pushed,
      cpu,
      clients: after.clientStarts - before.clientStarts,
      fourCores: rounded(estimateFourCores(timeline, seconds))
    }
  }
}

function namesOfExecuted(steps: Step[]): Set<string> {
  const executed = steps.filter(({ cached }) => !cached)
  return new Set(executed.map(({ stage, instruction }) => `${stage} ${instruction}`))
}

function imageOf({ bed, engine }: Play, { key }: Method): string {
  return `${bed.registry.host}/bench/${key}-${engine.store}`
}

/**
 * Checks that every method has published the same application, that of the last commit of master: otherwise their times are not
 * comparable.
 *
 * @returns the versions of the engine
 */
async function checkImages(play: Play): Promise<{ docker: string; buildx: string }> {
  const { bed, engine, trace, methods } = play
  const agent = await bed.agent(engine)
  try {
    const [docker = '', buildx = ''] = await Promise.all([
      agent.docker('version', '--format', '{{.Server.Version}}'),
      agent.docker('buildx', 'version')
    ])
    const expected = trace.at(-1)?.version
    const sums = new Set<string>()
    for (const method of methods) {
      const image = `${imageOf(play, method)}:latest`
      const print = 'node dist/bundle/index.js --version && find dist -type f | sort | xargs cat | sha256sum'
      const [version, sum = ''] = (await agent.docker('run', '--rm', image, 'sh', '-c', print)).split('\n')
      if (version !== expected) throw new Error(`${image} has version ${version} instead of ${expected}`)
      sums.add(sum)
    }
    if (sums.size > 1) throw new Error(`The methods have published ${sums.size} different applications.`)
    return { docker, buildx: buildx.split(' ')[1] ?? '' }
  } finally {
    await agent.stop()
  }
}
