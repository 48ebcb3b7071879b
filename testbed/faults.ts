import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Agent } from './agent.ts'
import { startDaemon, systemPath, untilReady } from './process.ts'

export type FaultKind =
  /** Too many requests; come again in a second. */
  | '429'
  | '500'
  | '502'
  | '503'
  /** The connection breaks in the middle of the request's body. */
  | 'reset-request'
  /** The connection breaks in the middle of the answer's body; where it has none, the whole answer is lost. */
  | 'reset-response'
  /** No answer, and in the end a broken connection. */
  | 'stall'
  /** The usual answer, late. */
  | 'slow'
  /** A login that has been good. */
  | 'expired-token'
  | 'wrong-credentials'
  | 'denied'
  | 'unknown-repository'
  | 'disk-full'

/** What happens to the matching requests number `skip` + 1 to `skip` + `times`. */
export interface Fault {
  kind: FaultKind
  /** GET, or several: GET|HEAD */
  method: string
  /** Regular expression for the path, without the query. */
  path: string
  skip: number
  times: number
  /** How late an answer comes, or how long a stall lasts; 1000 by default. */
  milliseconds?: number
  /** How much of a body gets through before the connection breaks, and never more than half of it; 4096 by default. */
  bytes?: number
}

/** A fault that happened. */
export interface Injected {
  kind: FaultKind
  method: string
  path: string
  /** Milliseconds since 1970. */
  time: number
}

/** The registry as an agent sees it through a proxy that lets requests fail. */
export class FaultProxy {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Starts the proxy inside an agent's network; it ends with the agent. */
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

  /** How the agent names a repository, or an image, to reach it through the proxy. */
  image(repository: string): string {
    return `127.0.0.1:5001/${repository}`
  }

  /** From now on these faults happen, and no others; what happened before is forgotten. */
  async inject(faults: readonly Fault[]): Promise<void> {
    await writeFile(this.#file('injected.jsonl'), '')
    await this.#schedule(faults)
  }

  /** From now on nothing happens. */
  async clear(): Promise<void> {
    await this.#schedule([])
  }

  /** What has happened since the last `inject`. */
  async injected(): Promise<Injected[]> {
    const lines = (await readFile(this.#file('injected.jsonl'), 'utf8')).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Injected)
  }

  async #schedule(faults: readonly Fault[]): Promise<void> {
    // The proxy reads the file with every request: it must never see half of it.
    const temporary = this.#file('schedule.json.new')
    await writeFile(temporary, JSON.stringify(faults, undefined, 2))
    await rename(temporary, this.#file('schedule.json'))
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }
}
