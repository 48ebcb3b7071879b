import { describe, expect, it } from '@jest/globals'
import { CancelledError } from '../../../src/lib/errors.ts'
import { type Retry, retry, type TransientFailure } from '../../../src/lib/retry.ts'
import { RecordingLog } from '../../support/recording-log.ts'

interface Tried {
  run: Retry
  said: () => string[]
  cancel: () => void
}

function prepare(retries: number): Tried {
  const cancellation = new AbortController()
  const log = new RecordingLog()
  const run = { retries, log, signal: cancellation.signal }
  return { run, said: () => log.said(), cancel: () => cancellation.abort() }
}

/** Answers one after the other, the last one for ever. */
function answers(...list: string[]): { ask: () => Promise<string>; count: () => number } {
  let count = 0
  return { ask: async () => list[Math.min(count++, list.length - 1)] ?? '', count: () => count }
}

/** The transient failure of an answer: `503`, or with a pause in milliseconds `503 2500`. */
function failsForNow(answer: string): TransientFailure | undefined {
  const [status, pause] = answer.split(' ')
  return status === '503' ? { message: status, ...(pause !== undefined && { pause: Number(pause) }) } : undefined
}

describe('retry', () => {
  it.each([
    ['what goes well is done once', 3, ['good'], 'good', 1],
    ['what fails for good is done once', 3, ['denied'], 'denied', 1],
    ['what fails for the moment is done again', 1, ['503', 'good'], 'good', 2],
    ['and again, until it fails for good', 2, ['503', 'denied'], 'denied', 2],
    ['as often as asked, and no more', 1, ['503'], '503', 2],
    ['never, if so asked', 0, ['503', 'good'], '503', 1]
  ])('%s', async (_, retries, list, expected, count) => {
    const { run, said } = prepare(retries)
    const asked = answers(...list)
    expect(await retry(run, 'Push a:b', asked.ask, failsForNow)).toBe(expected)
    expect(asked.count()).toBe(count)
    expect(said()).toHaveLength(count - 1)
    for (const [index, text] of said().entries()) {
      expect(text).toMatch(/^Push a:b: transient error, retrying in [12]\.\d s \(attempt \d of \d\): 503$/)
      expect(text).toContain(`(attempt ${index + 2} of ${retries + 1})`)
    }
  })

  it('waits at least as long as the registry asks for', async () => {
    const { run, said } = prepare(1)
    const start = performance.now()
    await retry(run, 'Push a:b', answers('503 2500', 'good').ask, failsForNow)
    expect(performance.now() - start).toBeGreaterThan(2_400)
    expect(said()).toEqual([expect.stringContaining('retrying in 2.5 s')])
  })

  it('returns what it has if it is cancelled while it waits, and asks no more', async () => {
    const { run, cancel } = prepare(3)
    const asked = answers('503')
    setTimeout(cancel, 100)
    expect(await retry(run, 'Push a:b', asked.ask, failsForNow)).toBe('503')
    expect(asked.count()).toBe(1)
  })

  it('keeps a result that came after the cancellation', async () => {
    const { run, cancel } = prepare(3)
    const ask = async (): Promise<string> => {
      cancel()
      return 'good'
    }
    expect(await retry(run, 'Push a:b', ask, failsForNow)).toBe('good')
  })

  it('passes on what is thrown, and tries that no more', async () => {
    const { run, cancel } = prepare(3)
    let count = 0
    const fail = async (): Promise<string> => {
      count++
      throw new Error('spawn E2BIG')
    }
    await expect(retry(run, 'Push a:b', fail, failsForNow)).rejects.toThrow('spawn E2BIG')
    expect(count).toBe(1)
    cancel()
    await expect(retry(run, 'Push a:b', fail, failsForNow)).rejects.toThrow(CancelledError)
    expect(count).toBe(1)
  })
})
