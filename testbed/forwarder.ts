/**
 * A process in the network namespace of an agent. It forwards connections from 127.0.0.1 to a registry, and writes the number of
 * bytes in each direction to a file.
 *
 * Usage: node forwarder.ts <port> <registry host> <registry port> <counter file>
 */
import { openSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const [listenPort = '', host = '', port = '', counterFile = ''] = process.argv.slice(2)
const bytes = { pulled: 0, pushed: 0 }
let counter: number | undefined

function count(direction: keyof typeof bytes): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes[direction] += chunk.length
      writeCounters()
      done(null, chunk)
    }
  })
}

function writeCounters(): void {
  counter ??= openSync(counterFile, 'w')
  const buffer = Buffer.alloc(16)
  buffer.writeDoubleLE(bytes.pulled, 0)
  buffer.writeDoubleLE(bytes.pushed, 8)
  writeSync(counter, buffer, 0, buffer.length, 0)
}

async function forward(client: Socket): Promise<void> {
  const registry = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
  client.setNoDelay(true)
  try {
    // Each direction ends separately: a client may close its side and still read the answer.
    await Promise.all([pipeline(client, count('pushed'), registry), pipeline(registry, count('pulled'), client)])
  } catch {
    // Pass a broken connection on to the other side.
    client.resetAndDestroy()
    registry.resetAndDestroy()
  }
}

const server = createServer({ allowHalfOpen: true }, (client) => void forward(client))
// The file appears once the port is open. `Agent` waits for it.
server.listen(Number(listenPort), '127.0.0.1', 1024, writeCounters)
