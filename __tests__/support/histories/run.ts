import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crossCheck, readInputs } from '../../../src/action/inputs.ts'
import { readEventCommit } from '../../../src/action/read-commit.ts'
import { publicInputs, Secrets } from '../../../src/action/secrets.ts'
import { changesFinder } from '../../../src/git/changes.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { Timeline } from '../../../src/lib/timeline.ts'
import { runPipeline } from '../../../src/pipeline/pipeline.ts'
import { createPlan } from '../../../src/plan/create-plan.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import type { RegistryFailure } from '../../../src/registry/failure.ts'
import { makeOutputs } from '../../../src/report/outputs.ts'
import { makeReport } from '../../../src/report/report.ts'
import { emptyResult, failureOfError } from '../../../src/result/result.ts'
import { FakeRegistry } from '../fake-registry.ts'
import { RecordingLog } from '../recording-log.ts'
import { type Commits, HistoryGit, HistoryGitHub } from './commits.ts'
import { type EngineState, HistoryDocker, type Truth } from './engine.ts'
import type { DescribedEvent } from './events.ts'
import { type ContentsOfRun, REFUSED, UNREACHABLE } from './registry.ts'
import { type Ended, IMAGE, type RunFacts } from './rules.ts'
import type { Random, Scheduler } from './scheduler.ts'

/** What is the same for all runs of a history. */
export interface Setting {
  skipsUnchanged: boolean
  cacheTags: string
  /** Whether the input `tags` has the name of the branch, as docker/metadata-action gives it. */
  hasBranchTags: boolean
  hasToken: boolean
  depth: 'full' | 'shallow'
  /** Whether all runs share one engine. */
  isEngineKept: boolean
  /** How likely a run is cancelled or killed. */
  interrupts: number
}

/** How likely a request fails, and until which step the registry answers nothing. */
export interface Faults {
  requests: number
  github: number
  outageUntil: number
}

interface Playing {
  run: RunFacts
  event: DescribedEvent
  messages: string[]
  commits: Commits
  scheduler: Scheduler
  random: Random
  truth: Truth
  setting: Setting
  faults: Faults
  folder: string
  engine: EngineState
  contents: ContentsOfRun
  note: (text: string) => void
  answered: (reference: string) => void
}

/** How far a run may get before it is interrupted. */
const MOST_TURNS = 130

/** Plays one run: what the entry does, with the files, git, the plan and the pipeline of a real run. */
export async function play(playing: Playing): Promise<Ended> {
  const { run, event, setting, folder } = playing
  const workspace = join(folder, 'workspace')
  const temp = join(folder, 'temp')
  mkdirSync(workspace, { recursive: true })
  mkdirSync(temp)
  for (const [name, text] of Object.entries(run.files)) writeFileSync(join(workspace, name), text)
  writeFileSync(join(folder, 'event.json'), JSON.stringify(event.payload))
  const world = new RunWorld(playing)
  const { signal } = world
  const docker = new HistoryDocker(playing.engine, world)
  const values: Record<string, string> = {
    ...{ image: IMAGE, context: workspace, tests: run.tests.join('\n'), retries: '0' },
    ...{ 'skip-unchanged-tests': String(setting.skipsUnchanged), 'cache-tags': setting.cacheTags },
    tags: setting.hasBranchTags ? event.tags.map((tag) => `${IMAGE}:${tag}`).join('\n') : ''
  }
  const env = { ...event.env, GITHUB_EVENT_PATH: join(folder, 'event.json') }
  const log = new SharedLog(playing.messages)
  let plan: Plan | undefined
  let result = emptyResult()
  try {
    const inputs = readInputs((name) => values[name] ?? '')
    crossCheck(inputs)
    const git = new HistoryGit(playing.commits, run.head, run.files, setting.depth === 'shallow')
    const commit = await readEventCommit(env, git)
    const github = new HistoryGitHub(playing.commits, setting.hasToken, (what) => world.askGitHub(what))
    const services = { git, github, docker, log, env, signal }
    plan = await createPlan({ ...services, inputs: publicInputs(inputs), commit })
    result = await runPipeline({
      ...{ plan, docker, git, github, log, signal, secrets: new Secrets(inputs), childEnv: {}, stepEnv: {} },
      registry: new FakeRegistry(playing.contents, world.registryOptions()),
      changesSince: changesFinder(git, github, commit),
      timeline: new Timeline(),
      folder: temp,
      runId: `run-${run.id}`
    })
  } catch (error) {
    result.cancelled ||= error instanceof CancelledError
    result.failures.push(failureOfError(error))
  }
  rmSync(folder, { recursive: true })
  const report = makeReport(plan, result, [])
  const outputs = makeOutputs(report, '')
  const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
  return {
    run,
    end: world.isKilled ? 'killed' : result.cancelled ? 'cancelled' : result.failures.length > 0 ? 'failed' : 'green',
    tags: lines(outputs.tags),
    addedTags: lines(outputs['cache-tags']),
    isPublished: outputs.published === 'true',
    reason: outputs['publish-reason'],
    digests: report.publication?.digests ?? {},
    failures: report.failures,
    plansToPublish: plan?.decision.publish ?? false
  }
}

/** A log whose messages the rules read while the run goes on. */
class SharedLog extends RecordingLog {
  readonly #messages: string[]

  constructor(messages: string[]) {
    super()
    this.#messages = messages
  }

  override info(message: string): void {
    this.#messages.push(message)
  }

  override notice(message: string): void {
    this.#messages.push(message)
  }

  override warning(message: string): void {
    this.#messages.push(message)
  }
}

/** What surrounds one run: its turns, its faults and its end. */
class RunWorld {
  readonly truth: Truth
  readonly random: Random
  isKilled: boolean = false
  readonly #playing: Playing
  readonly #cancellation = new AbortController()
  /** The turn at which the run is interrupted. */
  readonly #interruptAt: number
  readonly #isKill: boolean
  #turns = 0

  constructor(playing: Playing) {
    this.#playing = playing
    this.truth = playing.truth
    this.random = playing.random
    const isInterrupted = this.random.chance(playing.setting.interrupts)
    this.#interruptAt = isInterrupted ? 1 + this.random.below(MOST_TURNS) : Number.POSITIVE_INFINITY
    this.#isKill = this.random.chance(0.5)
  }

  get signal(): AbortSignal {
    return this.#cancellation.signal
  }

  /** Waits for the turn of a call, at which the run may also be cancelled or killed. */
  readonly turn = async (what: string): Promise<void> => {
    if (this.isKilled) throw new CancelledError()
    const { scheduler, run, folder } = this.#playing
    // ids differ from one play of a history to the next
    const text = what.replaceAll(folder, '').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    await scheduler.turn(run.id, text)
    if (!what.startsWith('answer') && this.random.chance(this.#playing.faults.requests)) {
      await scheduler.turn(run.id, `hangs: ${text}`, 60)
    }
    if (++this.#turns === this.#interruptAt) {
      this.isKilled = this.#isKill
      this.#playing.note(`${this.#isKill ? 'killed' : 'cancelled'} at ${text.slice(0, 60)}`)
      this.#cancellation.abort()
    }
    // a killed run does nothing more
    if (this.isKilled) throw new CancelledError()
  }

  async askGitHub(what: string): Promise<boolean> {
    await this.turn(what)
    return !this.random.chance(this.#playing.faults.github)
  }

  readonly fault = (what: string): { before?: string; after?: string } => {
    const failure = this.#failure()
    if (failure === undefined) return {}
    this.#playing.note(`${what} fails: ${failure.message}`)
    const words =
      failure.kind === 'refused' ? 'denied: requested access is denied' : 'received unexpected HTTP status: 503'
    return what.startsWith('push') && this.random.chance(0.5) ? { after: words } : { before: words }
  }

  readonly get = (reference: string): ReturnType<ContentsOfRun['get']> => this.#playing.contents.get(reference)

  readonly put: ContentsOfRun['put'] = (reference, image) => this.#playing.contents.put(reference, image)

  readonly answered = (reference: string): void => this.#playing.answered(reference)

  registryOptions(): ConstructorParameters<typeof FakeRegistry>[1] & object {
    const told = (request: string, failure: RegistryFailure | undefined): RegistryFailure | undefined => {
      if (failure) this.#playing.note(`${request} fails: ${failure.message}`)
      return failure
    }
    return {
      turn: this.turn,
      signal: this.signal,
      fail: (request) => told(request, this.#failure()),
      lose: (request) => {
        const failure = request.startsWith('put') ? told(`answer to ${request}`, this.#failure()) : undefined
        if (!failure && request.startsWith('put')) this.#playing.answered(request.slice('put '.length))
        return failure
      }
    }
  }

  #failure(): RegistryFailure | undefined {
    const { faults, scheduler } = this.#playing
    if (scheduler.step < faults.outageUntil) return UNREACHABLE
    if (!this.random.chance(faults.requests)) return undefined
    return this.random.chance(0.7) ? UNREACHABLE : REFUSED
  }
}
