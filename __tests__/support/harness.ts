import { spawn } from 'node:child_process'
import type { Agent, EngineSpec, TestBed } from '../../testbed/index.ts'
import { type Event, type Job, type Outcome, pushEvent, runAction } from '../../testbed/runner.ts'
import type { SourceRepository } from '../../testbed/source-repository.ts'

/** A Dockerfile step of a run's report. */
export interface Step {
  stage: string
  instruction: string
  cached: boolean
}

/** Whether an engine shares layers with BuildKit, by what was measured of it. */
export function sharesWithBuildKit({ version, store }: EngineSpec): boolean {
  return version !== '20.10' && !(version === '26.1' && store === 'overlay2')
}

/** Returns the engines of a test: `npm test` plays those that differ most, `npm run long` all. */
export function sampled(engines: EngineSpec[], sample: (engine: EngineSpec) => boolean): EngineSpec[] {
  const chosen = engines.filter(sample)
  return process.env.CASES === 'long' || chosen.length === 0 ? engines : chosen
}

/** Whether an engine is the one that is most like a hosted runner's: BuildKit with the containerd store. */
export function isNewest({ version, store }: EngineSpec): boolean {
  return (version === '28.5' || version === 'host') && store === 'containerd'
}

/** Whether an engine's legacy builder can use a cache at all, likewise. */
export function canBeLegacy({ store }: EngineSpec): boolean {
  return store !== 'containerd'
}

/** The variables that make an engine use the legacy strategy. */
export function legacyEnv(engine: EngineSpec): Record<string, string> {
  return sharesWithBuildKit(engine) ? { DOCKER_BUILDKIT: '0' } : {}
}

/** One repository in the registry, and the runs that publish to it, each on a brand-new agent. */
export class Project {
  readonly image: string
  readonly repository: string
  readonly #bed: TestBed
  readonly #engine: EngineSpec
  readonly #env: Record<string, string>

  constructor(bed: TestBed, engine: EngineSpec, name: string, env: Record<string, string> = {}) {
    this.#bed = bed
    this.#engine = engine
    this.#env = env
    this.repository = `octo/${name}-${engine.version}-${engine.store}`
    this.image = `${bed.registry.host}/${this.repository}`
  }

  /** Runs the action for a commit of `source` on a brand-new agent. */
  async play(
    source: SourceRepository,
    sha: string,
    inputs: Record<string, string> = {},
    event: Event = pushEvent(sha, 'master')
  ): Promise<Outcome> {
    return this.onAgent(async (agent) => {
      const outcome = await this.runOn(agent, source.checkout(sha), inputs, event)
      const left = await agent.docker('ps', '--all', '--quiet')
      if (left !== '') throw new Error(`Containers are left: ${left}`)
      return outcome
    })
  }

  /** Runs the action on an agent. */
  async runOn(
    agent: Agent,
    workspace: string,
    inputs: Record<string, string>,
    event: Event,
    env: Record<string, string> = {},
    action: Job['action'] = ''
  ): Promise<Outcome> {
    return runAction(agent, {
      action,
      workspace,
      event,
      inputs: { image: this.image, ...inputs },
      env: { ...this.#env, ...env }
    })
  }

  /** Does something on a brand-new agent. */
  async onAgent<T>(use: (agent: Agent) => Promise<T>): Promise<T> {
    const agent = await this.#bed.agent(this.#engine)
    try {
      return await use(agent)
    } finally {
      await agent.stop()
    }
  }

  async tags(): Promise<string[]> {
    return this.#bed.registry.tags(this.repository)
  }

  /** The tags that people use: without cache tags and tested tags. */
  async imageTags(): Promise<string[]> {
    return (await this.tags()).filter((tag) => !/^(cache|tested)-[0-9a-f]{16}$/.test(tag))
  }

  async digest(tag: string): Promise<string | undefined> {
    return (await this.#bed.registry.manifest(this.repository, tag))?.digest
  }

  /** The digests of the layers of an image, uncompressed. */
  async layers(tag: string): Promise<string[]> {
    return (await this.#bed.registry.config(this.repository, tag)).rootfs.diff_ids
  }

  async labels(tag: string): Promise<Record<string, string>> {
    return (await this.#bed.registry.config(this.repository, tag)).config.Labels
  }
}

/** All Dockerfile steps of a run, those of the builder first. */
export function stepsOf({ report }: Outcome): Step[] {
  const { builder, production } = report as Record<string, { steps: Step[] } | undefined>
  return [...(builder?.steps ?? []), ...(production?.steps ?? [])]
}

/** The RUN instructions that were executed, `stage: RUN …`. */
export function executedRuns(outcome: Outcome): string[] {
  return stepsOf(outcome)
    .filter(({ cached, instruction }) => !cached && instruction.startsWith('RUN'))
    .map(({ stage, instruction }) => `${stage}: ${instruction}`)
}

/** What the output `cache` says of a stage's first executed step. */
export interface Miss {
  instruction: string
  line?: number
  kind: string
  reason: string
  unexpected: boolean
}

/** The misses of a run, by stage. */
export function missesOf({ outputs }: Outcome): Record<string, Miss | undefined> {
  const stages = JSON.parse(String(outputs.cache)) as { stage: string; miss?: Miss }[]
  return Object.fromEntries(stages.flatMap(({ stage, miss }) => (miss ? [[stage, miss]] : [])))
}

/** The exit code, and the log if it is not the expected one: what a failing assertion should show. */
export function ending({ exitCode, log }: Outcome, expected = 0): { exitCode: number | null; log: string } {
  return { exitCode, log: exitCode === expected ? '' : log }
}

export function short(sha: string): string {
  return sha.slice(0, 7)
}

/** Starts a program inside the agent's network and waits for its first line; it ends with the agent. */
export async function startInside(agent: Agent, script: string): Promise<void> {
  const [enter = '', ...prefix] = agent.prefix
  const child = spawn(enter, [...prefix, process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', () => reject(new Error('it ended at once')))
  })
}

/** The lines of the log that are annotations of a kind. */
export function annotations(outcome: Outcome, kind: 'notice' | 'warning' | 'error'): string[] {
  return outcome.log
    .split('\n')
    .filter((line) => line.startsWith(`::${kind}`))
    .map((line) => line.replace(/^::\w+ [^:]*::/, `::${kind}::`).replace(/%0A.*$/, ''))
}
