import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { CancelledError } from '../../../src/lib/errors.ts'
import { scriptedDocker } from '../../support/scripted-docker.ts'

const docker = scriptedDocker()

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
