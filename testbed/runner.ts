import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import type { Agent } from './agent.ts'

const ROOT = join(import.meta.dirname, '..')

/** The event of a workflow, as the runner passes it on. */
export interface Event {
  /** GITHUB_EVENT_NAME */
  name: string
  sha: string
  /** refs/heads/…, refs/tags/…, refs/pull/N/merge */
  ref: string
  payload: unknown
}

/** One step `uses: shared-docker-layers` of a job. */
export interface Job {
  /** Folder of the action in the repository: the one at the top, or one for a part of the job on several machines. */
  action?: '' | 'build' | 'test' | 'publish'
  /** Folder of the checkout, in which the step runs. */
  workspace: string
  event: Event
  /** The step's `with:`. */
  inputs: Record<string, string>
  /** Further variables of the job. */
  env?: Record<string, string>
}

/** The results of the main step and the post step. */
export interface Outcome {
  exitCode: number | null
  /** Standard output and standard error of the main step. */
  log: string
  outputs: Record<string, string>
  summary: string
  /** The JSON report; undefined if the step left none. */
  report: unknown
  seconds: number
  post: { exitCode: number | null; log: string }
}

/** The event of a push to a branch, with the fields that the action reads. */
export function pushEvent(sha: string, branch: string, defaultBranch = 'master'): Event {
  return {
    name: 'push',
    sha,
    ref: `refs/heads/${branch}`,
    payload: { ref: `refs/heads/${branch}`, after: sha, repository: { default_branch: defaultBranch } }
  }
}

/** The signals of a cancellation, and the milliseconds to wait after each. */
const CANCELLATION = [
  ['SIGINT', 7_500],
  ['SIGTERM', 2_500]
] as const

/** A running main step, which can be cancelled. */
export class RunningAction {
  readonly #agent: Agent
  readonly #job: Job
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #started = performance.now()
  readonly #ended: Promise<number | null>
  #log = ''

  /** Starts the committed dist/ on an agent as a runner does: in the agent's network namespace, with the inputs of action.yml. */
  constructor(agent: Agent, job: Job) {
    this.#agent = agent
    this.#job = job
    this.#folder = join(agent.folder, `step-${randomUUID()}`)
    mkdirSync(join(this.#folder, 'temp'), { recursive: true })
    // outside the repository, to prove that the bundle needs no node_modules
    cpSync(join(ROOT, 'dist'), join(this.#folder, 'dist'), { recursive: true })
    for (const file of ['output', 'state', 'summary', 'env', 'path']) writeFileSync(this.#file(file), '')
    writeFileSync(this.#file('event.json'), JSON.stringify(job.event.payload))
    this.#child = this.#spawn(join('dist', job.action ?? '', 'index.js'), {}, (text) => {
      this.#log += text
    })
    this.#ended = ended(this.#child)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get log(): string {
    return this.#log
  }

  /** Fulfilled with the exit code of the main step. */
  get ended(): Promise<number | null> {
    return this.#ended
  }

  /** The folder that the step sees as RUNNER_TEMP. */
  get temp(): string {
    return this.#file('temp')
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /**
   * Cancels the step as GitHub's runner does: SIGINT, after 7.5 s SIGTERM, after another 2.5 s SIGKILL (actions/runner
   * ProcessInvoker.cs).
   *
   * @returns whether the step ended before SIGKILL
   */
  async cancel(): Promise<boolean> {
    for (const [signal, patience] of CANCELLATION) {
      this.kill(signal)
      const ended = await Promise.race([this.#ended.then(() => true), sleep(patience, false, { ref: false })])
      if (ended) return true
    }
    this.kill('SIGKILL')
    return false
  }

  /** Waits for the end of the main step and runs the post step. */
  async end(): Promise<Outcome> {
    const exitCode = await this.#ended
    const seconds = (performance.now() - this.#started) / 1_000
    const state = readCommandFile(this.#file('state'))
    const post = { exitCode: null as number | null, log: '' }
    const child = this.#spawn(
      'dist/cleanup/index.js',
      Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])),
      (text) => {
        post.log += text
      }
    )
    post.exitCode = await ended(child)
    const outputs = readCommandFile(this.#file('output'))
    return {
      exitCode,
      log: this.#log,
      outputs,
      report: outputs.report ? JSON.parse(readFileSync(outputs.report, 'utf8')) : undefined,
      summary: readFileSync(this.#file('summary'), 'utf8'),
      seconds,
      post
    }
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }

  #spawn(script: string, env: Record<string, string>, onText: (text: string) => void): ChildProcess {
    const [command = '', ...prefix] = [...this.#agent.prefix, process.execPath, join(this.#folder, script)]
    const child = spawn(command, prefix, {
      cwd: this.#job.workspace,
      env: { ...this.#environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    child.stdout?.setEncoding('utf8').on('data', onText)
    child.stderr?.setEncoding('utf8').on('data', onText)
    return child
  }

  #environment(): Record<string, string> {
    const { action = '', event, inputs, env, workspace } = this.#job
    const withDefaults = { ...inputDefaults(action), ...inputs }
    return {
      ...this.#agent.env,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_EVENT_NAME: event.name,
      GITHUB_EVENT_PATH: this.#file('event.json'),
      GITHUB_SHA: event.sha,
      GITHUB_REF: event.ref,
      GITHUB_REF_NAME: event.ref.replace(/^refs\/(heads|tags|pull)\//, ''),
      GITHUB_REF_TYPE: event.ref.startsWith('refs/tags/') ? 'tag' : 'branch',
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_ACTOR: 'octocat',
      GITHUB_WORKSPACE: workspace,
      GITHUB_OUTPUT: this.#file('output'),
      GITHUB_STATE: this.#file('state'),
      GITHUB_STEP_SUMMARY: this.#file('summary'),
      GITHUB_ENV: this.#file('env'),
      GITHUB_PATH: this.#file('path'),
      RUNNER_TEMP: this.#file('temp'),
      RUNNER_ENVIRONMENT: 'github-hosted',
      ...Object.fromEntries(
        Object.entries(withDefaults).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
      ),
      ...env
    }
  }
}

/** Runs the main step, then the post step. */
export async function runAction(agent: Agent, job: Job): Promise<Outcome> {
  return new RunningAction(agent, job).end()
}

/** The defaults of an action.yml. The only expression, that of the token, becomes empty: no token. */
function inputDefaults(folder: string): Record<string, string> {
  const described = parse(readFileSync(join(ROOT, folder, 'action.yml'), 'utf8')) as {
    inputs: Record<string, { default?: unknown }>
  }
  return Object.fromEntries(
    Object.entries(described.inputs).map(([name, input]) => {
      const value = String(input.default ?? '')
      return [name, value.includes('${{') ? '' : value]
    })
  )
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

/** Parses GITHUB_OUTPUT or GITHUB_STATE in the format of @actions/core: name<<delimiter, the lines of the value, the delimiter. */
function readCommandFile(path: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = readFileSync(path, 'utf8').split('\n')
  for (let index = 0; index < lines.length; index++) {
    const [, name, delimiter] = /^(.+?)<<(ghadelimiter_.+)$/.exec(lines[index] ?? '') ?? []
    if (name === undefined || delimiter === undefined) continue
    const end = lines.indexOf(delimiter, index)
    values[name] = lines.slice(index + 1, end).join('\n')
    index = end
  }
  return values
}
