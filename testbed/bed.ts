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

/** One registry, and the agents that share it. */
export class TestBed {
  readonly registry: Registry
  /** Scratch folder of this bed, removed by `stop`. */
  readonly folder: string
  readonly #number: number
  readonly #agents = new Map<number, Promise<Agent>>()
  #stopped: Promise<void> | undefined

  private constructor(number: number, registry: Registry) {
    this.#number = number
    this.folder = join(bedFolder(number), 'files')
    this.registry = registry
  }

  /** Installs what is missing, cleans up after crashed beds, and starts a registry on a bridge of its own. */
  static async start(options: { name?: string } = {}): Promise<TestBed> {
    checkMachine()
    const tools = await ensureTools()
    // An engine that cannot be fetched fails when an agent with it is asked for.
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

  /** The two addresses at which agents reach servers of this machine. */
  get addresses(): [string, string] {
    return [bridgeAddress(this.#number), secondAddress(this.#number)]
  }

  /** Starts a brand-new engine. */
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

  /** Removes everything it started, named or wrote. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    // An agent that is just starting would otherwise go on to write into what is being removed.
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
      // Somebody else's bridge has the name of this number: it is not ours to remove.
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

/** A process that ends without stopping its beds takes their processes along, and leaves somebody to remove the rest. */
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
  // With the last bed stopped our handlers are gone, and the signal does what it would have done without us.
  void Promise.allSettled([...running.keys()].map((bed) => bed.stop())).then(() => process.kill(process.pid, signal))
}
