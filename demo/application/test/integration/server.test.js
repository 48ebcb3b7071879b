import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'

let server
let url

before(async () => {
  server = spawn(process.execPath, ['dist/server.js'], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(createInterface(server.stdout), 'line')
  url = `http://127.0.0.1:${/port (\d+)$/.exec(line)[1]}`
})

after(async () => {
  server.kill()
  const [exitCode] = await once(server, 'exit')
  assert.equal(exitCode, 0)
})

async function get(path, options) {
  const response = await fetch(url + path, options)
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
}

test('serves the start page, compressed or not', async () => {
  const [plain, compressed] = await Promise.all(
    ['identity', 'gzip'].map((encoding) => get('/', { headers: { 'accept-encoding': encoding } }))
  )
  assert.deepEqual({ ...plain, body: '' }, { status: 200, type: 'text/html; charset=utf-8', body: '' })
  assert.match(plain.body, /<h1>Pocket converter<\/h1>.*<form action="\/convert">/)
  assert.deepEqual(compressed, plain)
})

test('converts', async () => {
  assert.deepEqual(await get('/convert?value=3&from=km&to=m'), {
    status: 200,
    type: 'application/json',
    body: '{"value":3,"from":"km","to":"m","result":3000}\n'
  })
})

test('says what is wrong with a request', async () => {
  const answers = await Promise.all([
    get('/convert?value=3&from=km'),
    get('/convert?value=3&from=km&to=kg'),
    get('/nowhere'),
    get('/units', { method: 'POST' })
  ])
  assert.deepEqual(
    answers.map(({ status, body }) => [status, JSON.parse(body).error]),
    [
      [400, 'The parameter to is missing.'],
      [400, 'km is a length, but kg is a mass.'],
      [404, 'There is nothing at /nowhere.'],
      [405, 'There is no POST here.']
    ]
  )
})
