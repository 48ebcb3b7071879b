import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { DockerCli, failureOf, isEngineGone, readEngineInfo } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { Timeline } from '../../../src/lib/timeline.ts'

let folder: string
const path = process.env.PATH ?? ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'docker-'))
})
afterEach(() => {
  process.env.PATH = path
  rmSync(folder, { recursive: true })
})

/** A docker that is this shell script. */
function docker(script: string): DockerCli {
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  // @actions/exec looks for it on the PATH of its own process
  process.env.PATH = `${folder}:${path}`
  return new DockerCli({ PATH: path }, new Timeline())
}

describe('The patience of a call', () => {
  it('ends what says nothing', async () => {
    const result = await docker('exec sleep 30').call(['push'], { patience: 300 })
    expect(result).toEqual({ exitCode: null, stdout: '', stderr: 'no answer within 0.3 seconds' })
  })

  it('lasts as long as something is said', async () => {
    const talking = docker('for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done')
    expect(await talking.call(['push'], { patience: 600 })).toMatchObject({ exitCode: 0, stdout: '1\n2\n3\n4\n5\n6\n' })
  })

  it('does not hide a cancellation', async () => {
    const cancellation = new AbortController()
    setTimeout(() => cancellation.abort(), 200)
    const call = docker('exec sleep 30').call(['push'], { patience: 10_000, signal: cancellation.signal })
    await expect(call).rejects.toThrow(CancelledError)
  })
})

it('a line without an end is passed on, and not kept', async () => {
  let bytes = 0
  const before = process.memoryUsage().rss
  const printing = docker('head -c 100000000 /dev/zero')
  const start = performance.now()
  await printing.call(['run'], { capture: false, onOutput: (chunk) => (bytes += chunk.length) })
  expect(bytes).toBe(100_000_000)
  // kept by @actions/exec it would be a string of 100 MB, made anew with each of some 1,500 chunks
  expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000)
  expect(performance.now() - start).toBeLessThan(15_000)
}, 30_000)

describe('readEngineInfo', () => {
  const info = (more: object): string =>
    JSON.stringify({ ServerVersion: '28.5.1', OSType: 'linux', Driver: 'overlay2', ...more })

  it.each<[string, object, object]>([
    [
      'a graph driver, a buildx and a context',
      { ClientInfo: { Context: 'mine', Plugins: [{ Name: 'buildx', Version: 'v0.29.1' }] } },
      { version: '28.5.1', store: 'overlay2', buildx: 'v0.29.1', context: 'mine', insecure: { hosts: [], ranges: [] } }
    ],
    [
      'the containerd store',
      { Driver: 'overlayfs', DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] },
      { store: 'containerd', buildx: undefined, context: 'default' }
    ],
    [
      'registries that it may ask without TLS',
      {
        RegistryConfig: {
          InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
          IndexConfigs: {
            'docker.io': { Name: 'docker.io', Secure: true },
            'registry.local:5000': { Name: 'registry.local:5000', Secure: false },
            'odd.local': {}
          }
        }
      },
      { insecure: { hosts: ['registry.local:5000'], ranges: ['::1/128', '127.0.0.0/8'] } }
    ],
    [
      'no registries',
      { RegistryConfig: { InsecureRegistryCIDRs: null, IndexConfigs: null } },
      { insecure: { hosts: [], ranges: [] } }
    ]
  ])('reads %s', async (_, more, expected) => {
    const engine = await readEngineInfo(docker(`cat <<'EOF'\n${info(more)}\nEOF`))
    expect(engine).toMatchObject(expected)
  })
})

describe('failureOf', () => {
  it.each([
    [0, 'a warning\n', undefined],
    [1, 'first\nlast\n', 'last'],
    [1, 'error from registry: unknown\nunknown\n', 'error from registry: unknown'],
    [1, 'errors:\nunauthorized: authentication required\nunauthorized\n', 'unauthorized: authentication required'],
    [1, '', 'exit code 1'],
    [null, 'no answer within 1 seconds', 'no answer within 1 seconds']
  ])('exit code %p, %j', (exitCode, stderr, expected) => {
    expect(failureOf({ exitCode, stderr, stdout: '' })).toBe(expected)
  })
})

describe('isEngineGone', () => {
  it.each([
    ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?', true],
    ['error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/build": EOF', true],
    ['failed to connect to the docker API at unix:///var/run/docker.sock: dial unix', true],
    ['read unix @->/run/docker.sock: read: connection reset by peer', true],
    ['dial tcp 127.0.0.1:5999: connect: connection refused', false],
    ['EOF', false]
  ])('%s', (text, expected) => {
    expect(isEngineGone(text)).toBe(expected)
  })
})
