import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Behaviour } from '../../testbed/stand-in-behaviour.ts'
import { StandInRegistry } from '../../testbed/stand-in-registry.ts'

const REPOSITORY = 'octo/app'

/** Docker Hub for programs that go through this proxy: all that they connect to is one stand-in. */
export class HubStandIn {
  readonly #proxy: Server
  readonly #sockets = new Set<Socket>()
  #registry: StandInRegistry

  private constructor(registry: StandInRegistry) {
    this.#registry = registry
    this.#proxy = createServer((request, response) => void this.#push(request, response))
    this.#proxy.on('connect', (_, socket: Socket) => this.#tunnel(socket))
  }

  static async start(): Promise<HubStandIn> {
    const hub = new HubStandIn(await StandInRegistry.start())
    await new Promise<void>((resolve) => hub.#proxy.listen(0, '127.0.0.1', resolve))
    return hub
  }

  /** The environment of a program that shall take this for Docker Hub. */
  get env(): Record<string, string> {
    return { HTTPS_PROXY: this.pushUrl, HTTP_PROXY: this.pushUrl, NO_PROXY: 'localhost' }
  }

  /** Where the stand-in for docker posts what it pushes. */
  get pushUrl(): string {
    return `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}/`
  }

  /** From now on it has no image. */
  async empty(behaviour: Partial<Behaviour>): Promise<void> {
    await this.#registry.stop()
    this.#registry = await StandInRegistry.start(behaviour)
  }

  /** The registry at this moment. */
  get registry(): StandInRegistry {
    return this.#registry
  }

  /** The tags that the action itself set or tried to set, in order. */
  tagged(): { tag: string; time: number }[] {
    return this.#registry.requests
      .filter(({ method, userAgent }) => method === 'PUT' && userAgent === 'shared-docker-layers')
      .map(({ path, time }) => ({ tag: path.replace(/^.*\/manifests\//, ''), time }))
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#proxy.close()
    await this.#registry.stop()
  }

  async #push(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { reference, config } = (await json(request)) as { reference: string; config: string }
    const tag = reference.replace(/^.*:/, '')
    response.end(this.#registry.addImage(REPOSITORY, tag, { config }).digest)
  }

  #tunnel(client: Socket): void {
    const [host, port] = this.#registry.host.split(':')
    const server = connect(Number(port), host)
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    }
    server.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(server).pipe(client)
    })
  }
}
