import { describe, expect, it } from '@jest/globals'
import { CancelledError } from '../../src/errors.ts'
import { askedPause, retry } from '../../src/retry.ts'
import type { Run } from '../../src/run.ts'

interface Tried {
  run: Pick<Run, 'plan' | 'log' | 'signal'>
  said: string[]
  cancel: () => void
}

function prepare(retries: number): Tried {
  const said: string[] = []
  const cancellation = new AbortController()
  const run = {
    plan: { inputs: { retries } },
    log: { info: (text: string) => said.push(text) },
    signal: cancellation.signal
  }
  return { run: run as unknown as Tried['run'], said, cancel: () => cancellation.abort() }
}

/** Answers one after the other, the last one for ever. */
function answers(...list: string[]): { ask: () => Promise<string>; count: () => number } {
  let count = 0
  return { ask: async () => list[Math.min(count++, list.length - 1)] ?? '', count: () => count }
}

const failsForNow = (answer: string): string | undefined => (answer.startsWith('503') ? answer : undefined)

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
    expect(said).toHaveLength(count - 1)
    for (const text of said)
      expect(text).toMatch(/^Push a:b failed for the moment, so it is done again in [12]\.\d s: 503$/)
  })

  it('waits at least as long as the registry asks for', async () => {
    const { run } = prepare(1)
    const start = performance.now()
    await retry(run, 'Push a:b', answers('503 retry-after: 2.5s', 'good').ask, failsForNow)
    expect(performance.now() - start).toBeGreaterThan(2_400)
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

describe('askedPause', () => {
  it.each([
    ['toomanyrequests: retry-after: 1s, allowed: 44000/minute', 1_000],
    ['error from registry: retry-after: 1m2.5s, allowed', 60_000],
    ['retry-after: 124.52µs, allowed: 44000/minute', 1],
    ['Retry-After: 350ms', 350],
    ['toomanyrequests: pull rate limit', 0],
    ['retry-after: soon', 0]
  ])('%s', (text, expected) => {
    expect(askedPause(text)).toBe(expected)
  })
})
