import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { CallOptions } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import { scriptedDocker } from '../../support/scripted-docker.ts'
import { shortBounds } from '../../support/short-bounds.ts'

const docker = scriptedDocker()
const shorten = shortBounds()

describe('The bound of a call', () => {
  it('ends what goes on after it, although it prints something', async () => {
    shorten({ image: 400 })
    const talking = docker('while :; do echo a; sleep 0.05; done')
    expect(await talking.call(['image', 'inspect', 'a:1'], { bound: 'image' })).toEqual({
      exitCode: null,
      stdout: '',
      stderr: 'docker image inspect: no answer within 0.4 seconds'
    })
  })

  it('ends what does not mind SIGTERM', async () => {
    shorten({ image: 300 })
    const stubborn = docker("trap '' TERM; while :; do sleep 0.1; done")
    expect(await stubborn.call(['info'], { bound: 'image' })).toMatchObject({ exitCode: null })
  })

  it('of silence ends what says nothing', async () => {
    shorten({ transfer: 300 })
    const result = await docker('exec sleep 30').call(['push', 'a:1'], { bound: 'transfer' })
    expect(result).toEqual({ exitCode: null, stdout: '', stderr: 'docker push: no answer within 0.3 seconds' })
  })

  it('of silence lasts as long as something is said', async () => {
    shorten({ transfer: 600 })
    const talking = docker('for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done')
    expect(await talking.call(['push'], { bound: 'transfer' })).toMatchObject({
      exitCode: 0,
      stdout: '1\n2\n3\n4\n5\n6\n'
    })
  })

  it('is a failure although docker exits with 0 after SIGTERM', async () => {
    shorten({ transfer: 300 })
    const pushing = docker("trap 'exit 0' TERM; while :; do sleep 0.05; done")
    expect(await pushing.call(['push'], { bound: 'transfer' })).toMatchObject({ exitCode: null })
  })

  it('does not hide a cancellation', async () => {
    const cancellation = new AbortController()
    setTimeout(() => cancellation.abort(), 200)
    const call = docker('exec sleep 30').call(['push'], { bound: 'transfer', signal: cancellation.signal })
    await expect(call).rejects.toThrow(CancelledError)
  })

  it('is required', async () => {
    const options = {} as CallOptions
    await expect(docker('exit 0').call(['push'], options)).rejects.toThrow(/^docker push has no bound/)
    const unknown = { bound: 'toString' } as unknown as CallOptions
    await expect(docker('exit 0').call(['push'], unknown)).rejects.toThrow(/^docker push has no bound/)
  })
})

describe('A line without an end', () => {
  const BYTES = 100_000_000

  /** Reads it in a process that has 24 MiB for its objects: it ends in an error if it keeps the line, on however busy a machine. */
  function read(way: string): SpawnSyncReturns<string> {
    docker(`head -c ${BYTES} /dev/zero`)
    const script = join(import.meta.dirname, '..', '..', 'support', 'endless-line.ts')
    const node = [process.execPath, '--max-old-space-size=24', script, way]
    // a process that runs out of memory would leave a dump of it
    return spawnSync('sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...node], {
      env: { PATH: process.env.PATH },
      encoding: 'utf8'
    })
  }

  it('is passed on, and not kept', () => {
    expect(read('passed on')).toMatchObject({ status: 0, stdout: String(BYTES), stderr: '' })
  }, 120_000)

  // what shows that the process would not get through with the line in its memory
  it.each(['captured', 'by @actions/exec'])(
    'does not fit into the memory where it is kept: %s',
    (way) => {
      const { stdout, stderr } = read(way)
      expect(stdout).toBe('')
      expect(stderr).toContain('heap out of memory')
    },
    120_000
  )
})
