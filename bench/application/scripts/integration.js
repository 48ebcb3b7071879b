// Starts the server, and checks that it transpiles, remembers an answer, and forgets it after three seconds.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

const server = spawn('node', ['dist/bundle/index.js'], { env: { ...process.env, PORT: '8099' }, stdio: 'inherit' })
const ask = async (path, body) =>
  (await fetch(`http://127.0.0.1:8099${path}`, body === undefined ? {} : { method: 'POST', body })).text()
try {
  for (let tries = 0; ; tries++) {
    try {
      await ask('/version')
      break
    } catch (error) {
      if (tries === 100) throw error
      await sleep(100)
    }
  }
  assert.equal(await ask('/', 'const a: number = 1'), '"use strict";const a=1;')
  const first = performance.now()
  await ask('/', 'let b: string')
  while (performance.now() - first < 3_200) await sleep(200)
  assert.equal(await ask('/', 'let b: string'), '"use strict";let b;')
  assert.equal(JSON.parse(await ask('/version')).remembered, 2)
} finally {
  server.kill()
}
