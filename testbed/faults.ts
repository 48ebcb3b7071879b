import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Agent } from './agent.ts'
import { startDaemon, systemPath, untilReady } from './process.ts'

export type FaultKind =
  /** Too many requests, with `Retry-After: 1`. */
  | '429'
  | '500'
  | '502'
  | '503'
  /** The connection breaks within the request's body. */
  | 'reset-request'
  /** The connection breaks within the answer's body; without a body, the whole answer is lost. */
  | 'reset-response'
  /** No answer; finally a broken connection. */
  | 'stall'
  /** The regular answer, late. */
  | 'slow'
  /** A login that was valid before. */
  | 'expired-token'
  | 'wrong-credentials'
  | 'denied'
  | 'unknown-repository'
  | 'disk-full'

/** A fault that hits the matching requests number `skip` + 1 to `skip` + `times`. */
export interface Fault {
  kind: FaultKind
  /** One method, or several: GET|HEAD */
  method: string
  /** Regular expression for the path without the query. */
  path: string
  skip: number
  times: number
  /** Delay of the answer, or duration of the stall; 1000 by default. */
  milliseconds?: number
  /** Bytes of the body that get through before the connection breaks, at most half of the body; 4096 by default. */
  bytes?: number
}

/** A fault that the proxy injected. */
export interface Injected {
  kind: FaultKind
  method: string
  path: string
  /** Milliseconds since 1970. */
  time: number
}

/** A proxy through which an agent uses the registry. It makes requests fail. */
export class FaultProxy {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Starts the proxy in an agent's network namespace; it ends with the agent. */
  static async start(agent: Agent): Promise<FaultProxy> {
    const proxy = new FaultProxy(join(agent.folder, 'faults'))
    await mkdir(proxy.#folder)
    await proxy.clear()
    const script = fileURLToPath(new URL('fault-proxy.ts', import.meta.url))
    const [enter = '', ...args] = [...agent.prefix, process.execPath, script, proxy.#folder]
    const daemon = startDaemon(agent.folder, 'fault-proxy', enter, args, {
      PATH: systemPath,
      HOME: join(agent.folder, 'home')
    })
    await untilReady(daemon, 30, async () =>
      access(proxy.#file('injected.jsonl')).then(
        () => true,
        () => false
      )
    )
    return proxy
  }

  /** The name by which the agent reaches a repository or an image through the proxy. */
  image(repository: string): string {
    return `127.0.0.1:5001/${repository}`
  }

  /** Replaces the schedule with these faults, and clears the record. */
  async inject(faults: readonly Fault[]): Promise<void> {
    await writeFile(this.#file('injected.jsonl'), '')
    await this.#schedule(faults)
  }

  /** Stops all faults. */
  async clear(): Promise<void> {
    await this.#schedule([])
  }

  /** The faults injected since the last `inject`. */
  async injected(): Promise<Injected[]> {
    const lines = (await readFile(this.#file('injected.jsonl'), 'utf8')).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Injected)
  }

  async #schedule(faults: readonly Fault[]): Promise<void> {
    // The proxy reads the file with every request, so the file must always be complete.
    const temporary = this.#file('schedule.json.new')
    await writeFile(temporary, JSON.stringify(faults, undefined, 2))
    await rename(temporary, this.#file('schedule.json'))
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }
}
