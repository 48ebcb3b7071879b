import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Seconds of processor time that parts of an agent have used. */
export interface ProcessorSeconds {
  /** The engine itself: it transfers, unpacks and compresses layers. */
  engine: number
  /** The commands of RUN instructions. */
  steps: number
  /** Containers that the docker client ran. */
  tests: number
  /** Docker clients and their plugins. */
  clients: number
  /** All other processes that the agent runs: the action itself. */
  action: number
}

const COUNTED = ['engine', 'tests', 'clients', 'action'] as const
type Counted = (typeof COUNTED)[number]

/** Counts the processor time of one agent with control groups below the agent's own, whose count is the sum of all. */
export class ProcessorTime {
  readonly #cgroup: string
  readonly #folder: string

  /**
   * @param cgroup the control group of the agent, below which the engine puts its containers
   * @param folder the agent's scratch folder
   */
  constructor(cgroup: string, folder: string) {
    this.#cgroup = cgroup
    this.#folder = folder
  }

  /**
   * Creates the control groups, and a docker command that counts its starts, moves to the group of the clients, and puts the containers of
   * `docker run` into that of the tests. An option of the tests could not do that: the action would not skip unchanged tests with it.
   *
   * @param clientPath the PATH of the real docker command
   */
  async prepare(clientPath: string): Promise<void> {
    for (const name of COUNTED) await mkdir(this.#group(name), { recursive: true })
    await mkdir(this.path, { recursive: true })
    await writeFile(this.#starts, '')
    const script = [
      '#!/bin/sh',
      `echo >> '${this.#starts}'`,
      `echo $$ > '${join(this.#group('clients'), 'cgroup.procs')}'`,
      `PATH='${clientPath}'`,
      'if [ "$1" = run ]; then',
      '  shift',
      `  exec docker run --cgroup-parent='/${this.#cgroup}/tests' "$@"`,
      'fi',
      'exec docker "$@"'
    ]
    await writeFile(join(this.path, 'docker'), `${script.join('\n')}\n`)
    await chmod(join(this.path, 'docker'), 0o755)
  }

  /** The folder of that docker command. */
  get path(): string {
    return join(this.#folder, 'bin')
  }

  /** argv prefix that runs a command in a group. */
  prefix(name: 'engine' | 'action'): string[] {
    // bash, because sh drops variables such as INPUT_BUILD-ARGS
    return ['bash', '-c', 'echo $$ > "$0" && exec "$@"', join(this.#group(name), 'cgroup.procs')]
  }

  /** The time that the agent has used so far. */
  seconds(): ProcessorSeconds {
    const own = (name: Counted): number => secondsOf(this.#group(name))
    const counted = { engine: own('engine'), tests: own('tests'), clients: own('clients'), action: own('action') }
    const others = Object.values(counted).reduce((sum, seconds) => sum + seconds, 0)
    return { ...counted, steps: Math.max(0, secondsOf(join(hierarchy(), this.#cgroup)) - others) }
  }

  /** How often a docker client has been started. */
  clientStarts(): number {
    return statSync(this.#starts).size
  }

  get #starts(): string {
    return join(this.#folder, 'client-starts')
  }

  #group(name: Counted): string {
    return join(hierarchy(), this.#cgroup, name)
  }
}

/** With cgroup v1, processor time has a hierarchy of its own. */
function hierarchy(): string {
  const root = '/sys/fs/cgroup'
  return existsSync(join(root, 'cgroup.controllers')) ? root : join(root, 'cpuacct')
}

/** A group counts its descendants, too, also those that have been removed. */
function secondsOf(group: string): number {
  const usage = join(group, 'cpuacct.usage')
  if (existsSync(usage)) return Number(readFileSync(usage, 'utf8')) / 1e9
  const microseconds = /^usage_usec (\d+)$/m.exec(readFileSync(join(group, 'cpu.stat'), 'utf8'))?.[1]
  return Number(microseconds) / 1e6
}
