import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent, EngineSpec, TestBed } from '../../testbed/index.ts'
import { type Event, type Job, type Outcome, pushEvent, RunningAction, runAction } from '../../testbed/runner.ts'
import type { SourceRepository } from '../../testbed/source-repository.ts'
import { Project } from './harness.ts'

/** One workflow run that several brand-new machines share; what they hand on lies in folders, as in artifacts. */
export class Pipeline {
  readonly project: Project
  readonly #source: SourceRepository
  readonly #sha: string
  readonly #event: Event
  readonly #inputs: Record<string, string>
  readonly #env: Record<string, string>
  readonly #folder: string

  constructor(
    bed: TestBed,
    engine: EngineSpec,
    name: string,
    source: SourceRepository,
    inputs: Record<string, string>,
    event?: Event,
    runId = '1'
  ) {
    this.project = new Project(bed, engine, name)
    this.#source = source
    this.#sha = source.head()
    this.#event = event ?? pushEvent(this.#sha, 'master')
    this.#inputs = { image: this.project.image, ...inputs }
    this.#env = { GITHUB_RUN_ID: runId }
    this.#folder = join(bed.folder, `artifacts-${name}-${engine.version}-${engine.store}-${runId}-${this.#sha}`)
    mkdirSync(join(this.#folder, 'results'), { recursive: true })
  }

  /** Where the hand-off is after `build`. */
  get handOff(): string {
    return join(this.#folder, 'hand-off')
  }

  /** Where the results of the tests are. */
  get results(): string {
    return join(this.#folder, 'results')
  }

  async build(inputs: Record<string, string> = {}): Promise<Outcome> {
    return this.project.onAgent(async (agent) => {
      const outcome = await this.#run(agent, 'build', inputs)
      const { 'hand-off': made = '' } = outcome.outputs
      if (made !== '') cpSync(made, this.handOff, { recursive: true })
      return outcome
    })
  }

  /** Runs tests on a brand-new machine, and hands on their results. */
  async test(indices: readonly number[], env: Record<string, string> = {}): Promise<Outcome> {
    return this.project.onAgent(async (agent) => {
      const inputs = { 'hand-off': this.handOff, test: indices.join('\n') }
      const outcome = await this.#run(agent, 'test', inputs, { RUNNER_NAME: `machine ${indices.join()}`, ...env })
      this.#keepResult(outcome, Number(env.GITHUB_RUN_ATTEMPT) || 1)
      return outcome
    })
  }

  /** Cancels a test on a brand-new machine once its log matches, as GitHub's runner does. */
  async cancelTest(index: number, at: RegExp): Promise<Outcome> {
    return this.project.onAgent(async (agent) => {
      const action = new RunningAction(agent, this.#job('test', { 'hand-off': this.handOff, test: String(index) }))
      while (!at.test(action.log)) await sleep(20)
      await action.cancel()
      const outcome = await action.end()
      this.#keepResult(outcome, 1)
      await refuseContainers(agent)
      return outcome
    })
  }

  async publish(folders: { handOff?: string; results?: string } = {}): Promise<Outcome> {
    return this.project.onAgent((agent) => this.publishOn(agent, folders))
  }

  async publishOn(
    agent: Agent,
    { handOff = this.handOff, results = this.results }: { handOff?: string; results?: string } = {},
    inputs: Record<string, string> = {}
  ): Promise<Outcome> {
    return this.#run(agent, 'publish', { 'hand-off': handOff, results, ...inputs })
  }

  #keepResult({ outputs: { result = '' } }: Outcome, attempt: number): void {
    if (result !== '') cpSync(result, join(this.results, `attempt-${attempt}`), { recursive: true })
  }

  #job(action: 'build' | 'test' | 'publish', inputs: Record<string, string>, env: Record<string, string> = {}): Job {
    return {
      ...{ action, event: this.#event },
      workspace: this.#source.checkout(this.#sha),
      inputs: { ...(action === 'test' ? {} : this.#inputs), ...inputs },
      env: { ...this.#env, ...env }
    }
  }

  async #run(
    agent: Agent,
    action: 'build' | 'test' | 'publish',
    inputs: Record<string, string>,
    env: Record<string, string> = {}
  ): Promise<Outcome> {
    const outcome = await runAction(agent, this.#job(action, inputs, env))
    await refuseContainers(agent)
    return outcome
  }
}

async function refuseContainers(agent: Agent): Promise<void> {
  const left = await agent.docker('ps', '--all', '--quiet')
  if (left !== '') throw new Error(`Containers are left: ${left}`)
}
