import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { askEngine, digestIn } from '../../../src/docker/engine-api.ts'
import { CancelledError } from '../../../src/lib/errors.ts'

let folder: string
let engine: Server
let onRequest: (request: IncomingMessage, response: ServerResponse) => void

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'engine-'))
  onRequest = (_, response) => response.end('{"Descriptor":{"digest":"sha256:aa"}}')
  engine = createServer((request, response) => onRequest(request, response))
  await new Promise<void>((resolve) => engine.listen(join(folder, 'docker.sock'), resolve))
})
afterEach(() => {
  engine.closeAllConnections()
  engine.close()
  rmSync(folder, { recursive: true })
})

function dockerAt(host: string, exitCode = 0): Docker {
  return { call: async () => ({ exitCode, stdout: `${host}\n`, stderr: '' }) }
}

function ask(host = `unix://${join(folder, 'docker.sock')}`, exitCode = 0, signal = new AbortController().signal) {
  return askEngine(
    dockerAt(host, exitCode),
    {},
    '/distribution/r.io/app:1/json',
    { 'x-registry-auth': 'secret' },
    signal
  )
}

describe('askEngine', () => {
  it('asks at the socket that the docker client names', async () => {
    const seen: unknown[] = []
    onRequest = ({ url, headers }, response) => {
      seen.push(url, headers['x-registry-auth'])
      response.end('{"Descriptor":{"digest":"sha256:aa"}}')
    }
    const answer = await ask()
    expect(seen).toEqual(['/distribution/r.io/app:1/json', 'secret'])
    expect(answer?.status).toBe(200)
    expect(answer && digestIn(answer)).toBe('sha256:aa')
  })

  it('returns other statuses, too', async () => {
    onRequest = (_, response) => response.writeHead(404).end('{"message":"manifest unknown"}')
    expect(await ask()).toEqual({ status: 404, json: { message: 'manifest unknown' } })
  })

  it.each([
    ['ssh://host', 0],
    ['', 0],
    ['unix:///nowhere/docker.sock', 0],
    ['unix:///nowhere/docker.sock', 1]
  ])('returns nothing if the engine cannot be asked: %j, exit code %i', async (host, exitCode) => {
    expect(await ask(host, exitCode)).toBeUndefined()
  })

  it('returns nothing if the answer is broken or too long', async () => {
    onRequest = (_, response) => response.end('x'.repeat(2_000_000))
    expect(await ask()).toBeUndefined()
    onRequest = (request) => request.destroy()
    expect(await ask()).toBeUndefined()
  })

  it('ends with a cancellation', async () => {
    const cancellation = new AbortController()
    onRequest = () => cancellation.abort()
    await expect(ask(undefined, 0, cancellation.signal)).rejects.toThrow(CancelledError)
  })
})
