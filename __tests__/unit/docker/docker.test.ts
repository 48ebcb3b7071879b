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
