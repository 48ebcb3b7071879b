import { spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, type AgentOptions } from './agent.ts'
import { availableEngines, checkMachine, type EngineSpec, ensureEngine, ensureTools } from './engines.ts'
import { bridgeAddress, createBridge, maxNumber, secondAddress } from './network.ts'
import { killNow, processId } from './process.ts'
import { type Registry, startRegistry } from './registry.ts'
import { bedFolder, bedProcesses, type Owner, removeBed, removeDeadBeds, scratch, withScratchLock } from './remains.ts'

/** A test bed: one registry, and the agents that share it. */
export class TestBed {
  readonly registry: Registry
  /** Scratch folder of this test bed, removed by `stop`. */
  readonly folder: string
  readonly #number: number
  readonly #agents = new Map<number, Promise<Agent>>()
  #stopped: Promise<void> | undefined

  private constructor(number: number, registry: Registry) {
    this.#number = number
    this.folder = join(bedFolder(number), 'files')
    this.registry = registry
  }

  /** Installs missing packages, removes crashed test beds, and starts a registry on its own bridge. */
  static async start(options: { name?: string } = {}): Promise<TestBed> {
    checkMachine()
    const tools = await ensureTools()
    // An engine that cannot be downloaded fails only when a test requests an agent with it.
    const versions = new Set(availableEngines().map(({ version }) => version))
    await Promise.allSettled([...versions].map(ensureEngine))
    const number = await claimNumber(options.name ?? 'bed')
    try {
      const registry = await startRegistry(number, join(bedFolder(number), 'registry'), join(tools, 'docker-registry'))
      const bed = new TestBed(number, registry)
      await mkdir(bed.folder)
      stopWithProcess(bed, number)
      return bed
    } catch (error) {
      await withScratchLock(() => removeBed(number))
      throw error
    }
  }

  /** The two addresses at which agents can reach servers on this machine. */
  get addresses(): [string, string] {
    return [bridgeAddress(this.#number), secondAddress(this.#number)]
  }

  /** Starts an agent with a brand-new engine. */
  async agent(spec: EngineSpec, options: AgentOptions = {}): Promise<Agent> {
    if (this.#stopped) throw new Error('This test bed has been stopped.')
    let number = 1
    while (this.#agents.has(number)) number++
    if (number > maxNumber) throw new Error(`A test bed has room for ${maxNumber} agents.`)
    const onStopped = () => this.#agents.delete(number)
    const agent = Agent.start(spec, { bed: this.#number, number, onStopped }, this.registry, options)
    this.#agents.set(number, agent)
    return agent
  }

  /** Removes all processes, names and files of this test bed. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    // An agent that is still starting would write to folders that are being removed.
    const agents = await Promise.allSettled(this.#agents.values())
    await Promise.all(agents.map((agent) => (agent.status === 'fulfilled' ? agent.value.stop() : undefined)))
    await withScratchLock(() => removeBed(this.#number))
    forget(this)
  }
}

async function claimNumber(name: string): Promise<number> {
  return withScratchLock(async () => {
    await removeDeadBeds()
    await mkdir(scratch, { recursive: true })
    const owner: Owner = { ...processId(), name }
    for (let number = 0; number <= maxNumber; number++) {
      if (!(await makeFolder(bedFolder(number)))) continue
      await writeFile(join(bedFolder(number), 'owner'), JSON.stringify(owner))
      if (await createBridge(number)) return number
      // A bridge with this name exists. It does not belong to a test bed, so it stays.
      await rm(bedFolder(number), { recursive: true })
    }
    throw new Error(`This machine has ${maxNumber + 1} test beds already.`)
  })
}

async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

const running = new Map<TestBed, number>()

/** If this process ends without stopping its test beds, kills their processes and starts `cleanup.ts` to remove the rest. */
function stopWithProcess(bed: TestBed, number: number): void {
  if (running.size === 0) {
    process.on('exit', killAll)
    process.on('SIGINT', stopAll)
    process.on('SIGTERM', stopAll)
  }
  running.set(bed, number)
}

function forget(bed: TestBed): void {
  running.delete(bed)
  if (running.size > 0) return
  process.off('exit', killAll)
  process.off('SIGINT', stopAll)
  process.off('SIGTERM', stopAll)
}

function killAll(): void {
  for (const number of running.values()) killNow(bedProcesses(number))
  const cleanup = fileURLToPath(new URL('cleanup.ts', import.meta.url))
  spawn(process.execPath, [cleanup, '--after', String(process.pid)], { detached: true, stdio: 'ignore' }).unref()
}

function stopAll(signal: NodeJS.Signals): void {
  // Stopping the last test bed removes these handlers, so the signal then has its default effect.
  void Promise.allSettled([...running.keys()].map((bed) => bed.stop())).then(() => process.kill(process.pid, signal))
}
