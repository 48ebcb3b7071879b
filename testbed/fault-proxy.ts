/**
 * A proxy process in the network namespace of an agent. It forwards HTTP requests from 127.0.0.1:5001 to 127.0.0.1:5000, and
 * injects the faults of `schedule.json`. It records each injected fault as a line of `injected.jsonl`.
 *
 * Usage: node fault-proxy.ts <folder of both files>
 */
import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, answerOf } from './fault-answers.ts'
import type { Fault, Injected } from './faults.ts'

const [folder = ''] = process.argv.slice(2)
const scheduleFile = join(folder, 'schedule.json')
const injectedFile = join(folder, 'injected.jsonl')

/** A fault, and the number of requests that it has matched so far. */
interface Counted {
  fault: Fault
  matched: number
}

let version = ''
let schedule: Counted[] = []

/** Reads the current schedule. A new schedule starts with new counts. */
function currentSchedule(): Counted[] {
  const { ino, mtimeNs } = statSync(scheduleFile, { bigint: true })
  if (version !== `${ino} ${mtimeNs}`) {
    version = `${ino} ${mtimeNs}`
    const faults = JSON.parse(readFileSync(scheduleFile, 'utf8')) as Fault[]
    schedule = faults.map((fault) => ({ fault, matched: 0 }))
  }
  return schedule
}

/** Returns the fault for a request: the first one in the schedule that is due. Every fault that matches counts the request. */
function faultFor(method: string, path: string): Fault | undefined {
  let due: Fault | undefined
  for (const counted of currentSchedule()) {
    const { fault } = counted
    if (!fault.method.split('|').includes(method) || !new RegExp(fault.path).test(path)) continue
    counted.matched++
    if (counted.matched > fault.skip && counted.matched <= fault.skip + fault.times) due ??= fault
  }
  return due
}

// Each request gets its own connection, because a kept-alive one may turn out to be closed.
const toRegistry = new Agent({ keepAlive: false })

/** Forwards a request and its answer. `cut` breaks one of the two bodies, or delays the answer. */
async function pass(
  client: IncomingMessage,
  answer: ServerResponse,
  cut: { request?: number; response?: number; delay?: number } = {}
): Promise<void> {
  // A destroyed message has no socket: keep it.
  const { socket } = client
  const upstream = request({
    agent: toRegistry,
    host: '127.0.0.1',
    port: 5000,
    method: client.method ?? 'GET',
    path: client.url ?? '/',
    headers: { ...client.headers, connection: 'close' }
  })
  const responded = new Promise<IncomingMessage>((resolve, reject) => {
    // A broken upstream may emit several errors.
    upstream.once('response', resolve).on('error', reject)
  })
  try {
    const sent =
      cut.request === undefined
        ? pipeline(client, upstream)
        : pipeline(client, breakAfter(cut.request, lengthOf(client), socket), upstream)
    const [response] = await Promise.all([responded, sent])
    if (cut.delay !== undefined) await sleep(cut.delay)
    const { connection: _, ...headers } = response.headers
    if (cut.response === undefined) {
      answer.writeHead(response.statusCode ?? 502, headers)
      await pipeline(response, answer)
      return
    }
    const length = client.method === 'HEAD' ? 0 : lengthOf(response)
    // Without a body, the whole answer is lost: the registry has executed the request, but the client does not learn of it.
    if (length !== 0) answer.writeHead(response.statusCode ?? 502, headers)
    await pipeline(response, breakAfter(cut.response, length, socket), answer)
  } catch {
    socket.resetAndDestroy()
    upstream.destroy()
  }
}

function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/** Lets that many bytes through, but at most half of the body, and then resets the connection. */
function breakAfter(bytes: number, length: number | undefined, socket: Socket): Transform {
  let left = length === undefined ? bytes : Math.min(bytes, Math.floor(length / 2))
  const breakIt = (done: TransformCallback): void => {
    // A failing stream would close the connection gracefully.
    socket.resetAndDestroy()
    done(new Error('broken on purpose'))
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      this.push(chunk.subarray(0, left))
      left -= chunk.length
      // The bytes so far must arrive before the connection breaks.
      if (left < 0) setTimeout(breakIt, 20, done)
      else done()
    },
    flush(done) {
      breakIt(done)
    }
  })
}

async function say({ status, headers, body }: Answer, client: IncomingMessage, answer: ServerResponse): Promise<void> {
  // Read the whole request before answering, like a front end that buffers bodies.
  await pipeline(client, async (body) => {
    for await (const _ of body);
  })
  answer.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  answer.end(client.method === 'HEAD' ? undefined : body)
}

async function inject(fault: Fault, client: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { kind, bytes = 4_096, milliseconds = 1_000 } = fault
  const { socket } = client
  switch (kind) {
    case 'reset-request':
      return pass(client, answer, { request: bytes })
    case 'reset-response':
      return pass(client, answer, { response: bytes })
    case 'slow':
      return pass(client, answer, { delay: milliseconds })
    case 'stall':
      await sleep(milliseconds)
      socket.resetAndDestroy()
      return
    default:
      return say(answerOf(kind, client.method ?? 'GET', client.url ?? ''), client, answer)
  }
}

async function handle(client: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/' } = client
  const [path = '/'] = url.split('?')
  if (path === '/token') {
    answer.setHeader('content-type', 'application/json')
    answer.end('{"token":"fresh","access_token":"fresh","expires_in":300}')
    return
  }
  const fault = faultFor(method, path)
  if (!fault) return pass(client, answer)
  const injected: Injected = { kind: fault.kind, method, path, time: Date.now() }
  appendFileSync(injectedFile, `${JSON.stringify(injected)}\n`)
  await inject(fault, client, answer)
}

const server = createServer((client, answer) => {
  const { socket } = client
  handle(client, answer).catch(() => socket.resetAndDestroy())
})
server.keepAliveTimeout = 0
server.requestTimeout = 0
// The file appears once the port is open. `FaultProxy.start` waits for it.
server.listen(5001, '127.0.0.1', 1024, () => appendFileSync(injectedFile, ''))
