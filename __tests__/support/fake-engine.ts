import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { jest } from '@jest/globals'
import { parse } from 'yaml'
import type { Agent } from '../../testbed/agent.ts'
import { type Event, type Outcome, pushEvent, RunningAction } from '../../testbed/runner.ts'
import type { Behaviour } from '../../testbed/stand-in-behaviour.ts'
import type { Answer, CallEvent } from './fake-docker.ts'
import { HubStandIn } from './hub-stand-in.ts'

export const IMAGE = 'octo/app'

// each run starts up to a dozen processes, perhaps on a busy machine
jest.setTimeout(30_000)

/** Names of all outputs. */
export const OUTPUTS = new Set(
  Object.keys(
    (parse(readFileSync(join(import.meta.dirname, '..', '..', 'action.yml'), 'utf8')) as { outputs: object }).outputs
  )
)

const ROOT = join(import.meta.dirname, '..', '..')
const DOCKERFILE = 'FROM alpine AS builder\nCOPY a a\nRUN make\nFROM alpine\nCOPY --from=builder a a\nRUN make\n'

/** Stands for the process of the action where it called no program. */
const ACTION = 0

/** One call of docker, from its start to its end. */
export interface Call {
  args: string[]
  /** The words joined by spaces, with RUN, SHA, SHORT, HASH, KEYS, TEMP and ID for what differs from run to run. */
  text: string
  env: Record<string, string>
  start: number
  /** Infinity if it was killed. */
  end: number
  stdin: string
  signals: string[]
  /** Id of the process that called it. */
  parent: number
}

export interface JobOptions {
  inputs?: Record<string, string>
  event?: Event
  answers?: Answer[]
  env?: Record<string, string>
  /** Further programs on PATH, or others than the usual ones: shell scripts by name. */
  programs?: Record<string, string>
  /** How the registry behaves towards the action; what docker pushes always gets there. */
  registry?: Partial<Behaviour>
}

export interface Ran extends Outcome {
  /** Of the main step. */
  calls: Call[]
  /** What `main` left in RUNNER_TEMP. */
  temp: string[]
  state: Record<string, string>
}

/** A folder with a repository, a docker that has no engine, a stand-in for Docker Hub, and runs of the action with them. */
export class FakeEngine {
  readonly folder = mkdtempSync(join(tmpdir(), 'bundle-'))
  readonly workspace = join(this.folder, 'workspace')
  readonly sha: string
  readonly hub: HubStandIn
  readonly #script = join(this.folder, 'docker.mjs')

  private constructor(hub: HubStandIn) {
    this.hub = hub
    // once here instead of in each of its many processes
    writeFileSync(this.#script, stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'fake-docker.ts'), 'utf8')))
    mkdirSync(this.workspace)
    writeFileSync(join(this.workspace, 'Dockerfile'), DOCKERFILE)
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', this.workspace, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
        env: { PATH: process.env.PATH, GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' },
        encoding: 'utf8'
      })
    git('init', '--quiet')
    git('add', '.')
    git('commit', '--quiet', '--message', 'a')
    this.sha = git('rev-parse', 'HEAD').trim()
  }

  static async create(): Promise<FakeEngine> {
    return new FakeEngine(await HubStandIn.start())
  }

  push(branch: string): Event {
    return pushEvent(this.sha, branch)
  }

  /** Starts the main step. */
  async start({
    inputs = {},
    event = this.push('master'),
    answers = [],
    env = {},
    programs = {},
    registry = {}
  }: JobOptions = {}): Promise<Started> {
    await this.hub.empty(registry)
    const { folder, env: agentEnv } = this.#fakeDocker(answers)
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
    const agent = { folder, prefix: [], env: agentEnv }
    const job = { workspace: this.workspace, event, inputs: { image: IMAGE, ...inputs }, env }
    return new Started(this, folder, new RunningAction(agent as unknown as Agent, job))
  }

  /** Runs the main step and the post step. */
  async run(options?: JobOptions): Promise<Ran> {
    return (await this.start(options)).end()
  }

  /** Runs the post step alone. */
  async post(
    env: Record<string, string>,
    answers: Answer[] = []
  ): Promise<{ exitCode: number | null; log: string; calls: Call[] }> {
    const docker = this.#fakeDocker(answers)
    const dist = join(docker.folder, 'dist')
    cpSync(join(ROOT, 'dist', 'cleanup'), dist, { recursive: true })
    const child = spawn(process.execPath, [join(dist, 'index.js')], {
      cwd: this.workspace,
      env: { ...docker.env, GITHUB_ACTIONS: 'true', ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let log = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text
      })
    }
    const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { exitCode, log, calls: this.callsIn(docker.folder) }
  }

  /** The tags that the action set itself, as calls of a program `tag`. */
  tagged(): Call[] {
    return this.hub.tagged().map(({ tag, time }) => {
      const args = ['tag', 'by', 'registry', `${IMAGE}:${tag}`]
      const text = this.#plain(args.join(' '))
      return { args, text, env: {}, start: time, end: time, stdin: '', signals: [], parent: ACTION }
    })
  }

  /** A docker of its own, for a process that is started some other way. */
  local(answers: Answer[]): { folder: string; env: Record<string, string> } {
    return this.#fakeDocker(answers)
  }

  async remove(): Promise<void> {
    await this.hub.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** The calls of the docker in a folder, in the order of their start. */
  callsIn(folder: string): Call[] {
    const events = readFileSync(join(folder, 'calls.jsonl'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as CallEvent)
    const calls = new Map<number, Call>()
    for (const event of events) {
      const call = calls.get(event.id)
      if (event.what === 'start') {
        const { id, at, args, env, parent } = event
        const text = this.#plain(args.join(' '))
        calls.set(id, { args, text, env, start: at, end: Number.POSITIVE_INFINITY, stdin: '', signals: [], parent })
      } else if (call && event.what === 'signal') call.signals.push(event.signal)
      else if (call && event.what === 'end') Object.assign(call, { end: event.at, stdin: event.stdin })
    }
    return [...calls.values()].sort((a, b) => a.start - b.start)
  }

  #fakeDocker(answers: Answer[]): { folder: string; env: Record<string, string> } {
    const folder = mkdtempSync(join(this.folder, 'docker-'))
    const docker = join(folder, 'bin', 'docker')
    mkdirSync(dirname(docker))
    writeFileSync(docker, `#!${process.execPath}\nimport(${JSON.stringify(this.#script)})\n`)
    chmodSync(docker, 0o755)
    writeFileSync(join(folder, 'answers.json'), JSON.stringify(answers))
    writeFileSync(join(folder, 'calls.jsonl'), '')
    writeFileSync(join(folder, 'registry'), this.hub.pushUrl)
    return { folder, env: { PATH: `${dirname(docker)}:/usr/bin:/bin`, HOME: folder, ...this.hub.env } }
  }

  #plain(text: string): string {
    return text
      .replaceAll(/\S*\/temp(?=\/)/g, 'TEMP')
      .replaceAll(/id-[0-9a-f-]{36}/g, 'ID')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'RUN')
      .replaceAll(/(?<=shared-docker-layers\.[\w-]+=)[0-9a-f]{16}(?![0-9a-f])/g, 'HASH')
      .replaceAll(/(?<=shared-docker-layers\.keys=)\{"version":1.*?\}(?= |$)/g, 'KEYS')
      .replaceAll(this.sha, 'SHA')
      .replaceAll(this.sha.slice(0, 7), 'SHORT')
  }
}

/** A main step that runs. */
export class Started {
  readonly #engine: FakeEngine
  readonly #folder: string
  readonly #action: RunningAction

  constructor(engine: FakeEngine, folder: string, action: RunningAction) {
    this.#engine = engine
    this.#folder = folder
    this.#action = action
  }

  get temp(): string {
    return this.#action.temp
  }

  kill(signal: NodeJS.Signals): void {
    this.#action.kill(signal)
  }

  calls(): Call[] {
    return [...this.#engine.callsIn(this.#folder), ...this.#engine.tagged()].sort((a, b) => a.start - b.start)
  }

  /** Waits for a call of docker that contains a text; a space at the text's end stands for the end of a word. */
  async untilCalled(text: string, longest = 10_000): Promise<void> {
    const deadline = Date.now() + longest
    while (!this.calls().some((call) => `${call.text} `.includes(text))) {
      if (Date.now() > deadline) throw new Error(`docker ${text} was never called:\n${this.#action.log}`)
      await sleep(10)
    }
  }

  /** Waits for the end of the main step. */
  async untilEnded(): Promise<void> {
    await this.#action.ended
  }

  async end(): Promise<Ran> {
    const outcome = await this.#action.end()
    return {
      ...outcome,
      calls: this.calls().filter(({ parent }) => parent === this.#action.pid || parent === ACTION),
      temp: readdirSync(this.temp),
      state: stateOf(readFileSync(join(this.temp, '..', 'state'), 'utf8'))
    }
  }
}

function stateOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^(.+?)<<(ghadelimiter_.+)\n([\s\S]*?)\n\2$/gm)].map(([, name = '', , value = '']) => [
      name,
      value
    ])
  )
}

/** The workflow commands in a log that the runner would obey, with their whole line. */
export function commandsIn(log: string): string[] {
  const obeyed: string[] = []
  let token: string | undefined
  for (const line of log.split(/\r\n|\r|\n/)) {
    if (token !== undefined) {
      if (line === `::${token}::`) token = undefined
    } else {
      token = /^::stop-commands::(.+)$/.exec(line)?.[1]
      if (token === undefined && /^\s*::[a-z-]+[ :]|##\[/.test(line)) obeyed.push(line)
    }
  }
  return obeyed
}

export function errorsIn(log: string): string[] {
  return commandsIn(log)
    .filter((line) => line.startsWith('::error'))
    .map((line) => line.replace(/^::error.*?::/, ''))
}
