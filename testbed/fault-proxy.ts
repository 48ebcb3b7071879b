/**
 * A process of its own in an agent's network namespace: takes HTTP requests on 127.0.0.1:5001, passes them on to
 * 127.0.0.1:5000, and lets some of them fail as `schedule.json` says. Each fault is a line of `injected.jsonl`.
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

/** How many requests a fault has matched so far. */
interface Counted {
  fault: Fault
  matched: number
}

let version = ''
let schedule: Counted[] = []

/** The schedule as it is now; a new one begins to count anew. */
function currentSchedule(): Counted[] {
  const { ino, mtimeNs } = statSync(scheduleFile, { bigint: true })
  if (version !== `${ino} ${mtimeNs}`) {
    version = `${ino} ${mtimeNs}`
    const faults = JSON.parse(readFileSync(scheduleFile, 'utf8')) as Fault[]
    schedule = faults.map((fault) => ({ fault, matched: 0 }))
  }
  return schedule
}

/** The fault that a request meets: the first in the schedule that is due, while all that match count it. */
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

// A connection of its own for each request: none that is kept alive can turn out to be closed.
const toRegistry = new Agent({ keepAlive: false })

/** Passes a request on and gives its answer back, with something done to one of the two bodies. */
async function pass(
  client: IncomingMessage,
  answer: ServerResponse,
  cut: { request?: number; response?: number; delay?: number } = {}
): Promise<void> {
  // A message that was destroyed has no socket any more.
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
    // An upstream that breaks may say so twice.
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
    // An answer without a body is lost whole: the registry has done what it was asked, and nobody learns of it.
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

/** Lets so many bytes through, and never more than half of what is to come, then resets the connection. */
function breakAfter(bytes: number, length: number | undefined, socket: Socket): Transform {
  let left = length === undefined ? bytes : Math.min(bytes, Math.floor(length / 2))
  const breakIt = (done: TransformCallback): void => {
    // A stream that fails would close the connection in order.
    socket.resetAndDestroy()
    done(new Error('broken on purpose'))
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      this.push(chunk.subarray(0, left))
      left -= chunk.length
      // What was let through is to arrive before the connection breaks.
      if (left < 0) setTimeout(breakIt, 20, done)
      else done()
    },
    flush(done) {
      breakIt(done)
    }
  })
}

async function say({ status, headers, body }: Answer, client: IncomingMessage, answer: ServerResponse): Promise<void> {
  // The answer comes after the request, as from a front end that takes bodies in before it looks at them.
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
// The file appears when the port is open: whoever started this process waits for it.
server.listen(5001, '127.0.0.1', 1024, () => appendFileSync(injectedFile, ''))
