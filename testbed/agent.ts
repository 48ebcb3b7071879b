import { readFileSync } from 'node:fs'
import { access, mkdir, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EngineFiles, type EngineSpec, ensureCompose, ensureEngine } from './engines.ts'
import { createNamespace, namespaceName } from './network.ts'
import {
  type Daemon,
  killTrees,
  processId,
  type RunOptions,
  type RunResult,
  run,
  startDaemon,
  systemPath,
  untilReady
} from './process.ts'
import { type ProcessorSeconds, ProcessorTime } from './processor-time.ts'
import type { Registry } from './registry.ts'
import { agentCgroup, agentFolder, removeAgent } from './remains.ts'
import { type TrustedRegistry, trustOf, writeTrust } from './trust.ts'

/** The address of the engine on its own bridge, outside the subnets of all test beds. */
const dockerAddress = '172.30.0.1'

export interface AgentOptions {
  /** Bandwidth of the link to the registry, in Mbit/s each way; unlimited by default. */
  linkMbit?: number
  /** Size of the disk with the engine's data, in MiB; the machine's disk by default. */
  diskMiB?: number
  /** A registry with a certificate that this agent trusts and the machine does not. */
  certificates?: TrustedRegistry
  /** Registries that only the engine is configured to access without TLS or with any certificate: host[:port]. */
  insecureRegistries?: readonly string[]
  /** Whether to count processor time and starts of docker clients. */
  counted?: boolean
}

/** The test bed of an agent, and its number there. */
export interface AgentPlace {
  bed: number
  number: number
  onStopped: () => void
}

/** A brand-new engine in its own network namespace, which can reach only the registry. */
export class Agent {
  readonly spec: EngineSpec
  /** Scratch folder, removed by `stop`. */
  readonly folder: string
  /** The environment with which a process uses this engine. */
  readonly env: Record<string, string>
  /** argv prefix that runs a command inside the agent's network namespace. */
  readonly prefix: string[]
  readonly #place: AgentPlace
  /** The same prefix without a control group. */
  readonly #enter: string[]
  readonly #time: ProcessorTime | undefined
  #engine: Daemon | undefined
  #stopped: Promise<void> | undefined

  private constructor(spec: EngineSpec, place: AgentPlace, files: EngineFiles, options: AgentOptions) {
    const { bed, number } = place
    const folder = agentFolder(bed, number)
    const trust = options.certificates && trustOf(folder, options.certificates)
    this.spec = spec
    this.folder = folder
    this.#time = options.counted ? new ProcessorTime(agentCgroup(bed, number), folder) : undefined
    // `ip netns exec` would hide the control groups; nsenter enters only the network namespace.
    this.#enter = ['nsenter', `--net=/run/netns/${namespaceName(bed, number)}`, '--', ...(trust?.prefix ?? [])]
    this.prefix = [...(this.#time?.prefix('action') ?? []), ...this.#enter]
    this.env = {
      PATH: this.#time ? `${this.#time.path}:${files.clientPath}` : files.clientPath,
      HOME: join(folder, 'home'),
      DOCKER_HOST: `unix://${join(folder, 'docker.sock')}`,
      DOCKER_CONFIG: join(folder, 'home', '.docker'),
      ...trust?.env
    }
    this.#place = place
  }

  /** Starts an agent for a test bed. If that fails, it removes everything it created. */
  static async start(spec: EngineSpec, place: AgentPlace, registry: Registry, options: AgentOptions): Promise<Agent> {
    const files = await ensureEngine(spec.version)
    const agent = new Agent(spec, place, files, options)
    try {
      await mkdir(agent.#pluginFolder, { recursive: true })
      if (files.buildx) await symlink(files.buildx, join(agent.#pluginFolder, 'docker-buildx'))
      if (options.certificates) await writeTrust(agent.folder, options.certificates)
      await agent.#time?.prepare(files.clientPath)
      await createNamespace(place.bed, place.number, options.linkMbit)
      if (options.diskMiB !== undefined) await mountDisk(join(agent.folder, 'data'), options.diskMiB)
      await Promise.all([
        agent.#startEngine(files, options),
        agent.#startForwarder(5000, registry.url, agent.#counterFile)
      ])
      return agent
    } catch (error) {
      await agent.stop()
      throw new Error(`No agent with Docker ${spec.version} (${spec.store}): ${(error as Error).message}`, {
        cause: error
      })
    }
  }

  /** Runs a command inside the namespace with `env`, without a shell. */
  async run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
    const [enter = '', ...prefix] = this.prefix
    return run(enter, [...prefix, command, ...args], {
      cwd: this.folder,
      ...options,
      env: { ...this.env, ...options.env }
    })
  }

  /** Runs the docker client; returns its trimmed stdout. */
  async docker(...args: string[]): Promise<string> {
    return (await this.run('docker', args)).stdout.trim()
  }

  /** Gives the docker client the plugin docker compose, which hosted runners have. */
  async addCompose(): Promise<void> {
    const plugin = await ensureCompose()
    if (plugin !== undefined) await symlink(plugin, join(this.#pluginFolder, 'docker-compose'))
  }

  /** Makes a server at the test bed's address reachable from this agent as 127.0.0.1:PORT, until the agent stops; returns that host. */
  async forward(port: number, url: string): Promise<string> {
    await this.#startForwarder(port, url, join(this.folder, `traffic-${port}`))
    return `127.0.0.1:${port}`
  }

  /** Bytes pulled from and pushed to the registry so far. */
  traffic(): { pulled: number; pushed: number } {
    const counters = readFileSync(this.#counterFile)
    return { pulled: counters.readDoubleLE(0), pushed: counters.readDoubleLE(8) }
  }

  /** Processor time so far, and how often a docker client has been started; only of an agent that is `counted`. */
  usage(): { seconds: ProcessorSeconds; clientStarts: number } {
    if (!this.#time) throw new Error('This agent does not count processor time.')
    return { seconds: this.#time.seconds(), clientStarts: this.#time.clientStarts() }
  }

  /** Kills the engine and all its containers, as if the machine broke down. */
  async killEngine(): Promise<void> {
    if (this.#engine) await killTrees([processId(this.#engine.pid)])
  }

  /** Ends the engine and all other processes in the namespace, and removes their files. */
  async stop(): Promise<void> {
    const { bed, number, onStopped } = this.#place
    this.#stopped ??= removeAgent(bed, number).then(onStopped)
    return this.#stopped
  }

  get #pluginFolder(): string {
    return join(this.folder, 'home', '.docker', 'cli-plugins')
  }

  get #counterFile(): string {
    return join(this.folder, 'traffic')
  }

  async #startEngine(files: EngineFiles, options: AgentOptions): Promise<void> {
    const socket = join(this.folder, 'docker.sock')
    const config = join(this.folder, 'daemon.json')
    await writeFile(config, JSON.stringify(daemonConfig(this.spec, this.folder, options)))
    const dockerd = [
      'dockerd',
      `--config-file=${config}`,
      `--host=unix://${socket}`,
      `--data-root=${join(this.folder, 'data')}`,
      `--exec-root=${join(this.folder, 'exec')}`,
      `--pidfile=${join(this.folder, 'docker.pid')}`,
      `--cgroup-parent=/${agentCgroup(this.#place.bed, this.#place.number)}`,
      // A systemd on the host would get process IDs of another namespace.
      '--exec-opt=native.cgroupdriver=cgroupfs',
      `--bip=${dockerAddress}/16`,
      '--default-address-pool=base=172.31.0.0/16,size=24'
    ]
    // With its own process and mount namespaces, the kernel ends all processes and mounts of the engine with its init.
    const isolate = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--']
    const init = ['sh', script('engine-init.sh'), this.folder, dockerAddress]
    const group = this.#time?.prefix('engine') ?? []
    const [enter = '', ...args] = [...group, ...this.#enter, ...isolate, ...init, ...dockerd]
    const daemon = startDaemon(this.folder, 'dockerd', enter, args, {
      PATH: files.daemonPath,
      HOME: join(this.folder, 'home')
    })
    this.#engine = daemon
    await untilReady(daemon, 30, () => answersPing(socket))
  }

  async #startForwarder(listenPort: number, url: string, counterFile: string): Promise<void> {
    const { hostname, port } = new URL(url)
    const [enter = '', ...prefix] = this.#enter
    const addresses = [String(listenPort), hostname, port]
    const args = [...prefix, process.execPath, script('forwarder.ts'), ...addresses, counterFile]
    const daemon = startDaemon(this.folder, `forwarder-${listenPort}`, enter, args, {
      PATH: systemPath,
      HOME: join(this.folder, 'home')
    })
    await untilReady(daemon, 30, async () =>
      access(counterFile).then(
        () => true,
        () => false
      )
    )
  }
}

/** Mounts a small disk below an agent's folder. `removeAgent` unmounts it. */
export async function mountDisk(folder: string, mebibytes: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'shared-docker-layers', folder])
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

function daemonConfig(
  { version, store }: EngineSpec,
  folder: string,
  { insecureRegistries }: AgentOptions
): Record<string, unknown> {
  return {
    ...(insecureRegistries && { 'insecure-registries': insecureRegistries }),
    // Docker 20.10 supports no other store, and would write a key to /etc/docker.
    ...(version === '20.10'
      ? { 'deprecated-key-path': join(folder, 'key.json') }
      : { features: { 'containerd-snapshotter': store === 'containerd' } }),
    ...(store === 'overlay2' ? { 'storage-driver': 'overlay2' } : {})
  }
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ping.once('timeout', () => ping.destroy())
    ping.once('error', () => resolve(false))
    ping.end()
  })
}
