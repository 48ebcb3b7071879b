import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import {
  BOUNDS,
  BoundError,
  type BoundName,
  boundOf,
  deadline,
  describeBound,
  requireBounded,
  soonAfter
} from '../../../src/lib/bounds.ts'
import { shortBounds } from '../../support/short-bounds.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const NAMES = Object.keys(BOUNDS) as BoundName[]
const shorten = shortBounds()

const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && path !== join('lib', 'bounds.ts'))
  .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'))

describe('The bounds', () => {
  const [, section = ''] =
    /^## Bounds\n(.*?)^## /ms.exec(readFileSync(join(ROOT, 'docs', 'client-calls.md'), 'utf8')) ?? []
  const rows = [...section.matchAll(/^\| `([\w-]+)` \| (.+?) \| (.+?) \|/gm)].map(([, name, , bound]) => [name, bound])

  it('are those in the documentation', () => {
    expect(rows).toHaveLength(NAMES.length)
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries(NAMES.map((name) => [name, describeBound(boundOf(name, ''))]))
    )
  })

  it.each(NAMES.filter((name) => name !== 'clean-up'))('%s is used', (name) => {
    expect(SOURCES.filter((text) => text.includes(`'${name}'`))).not.toEqual([])
  })

  it('are the only times after which a request or a program is given up', () => {
    const others = SOURCES.filter((text) => /AbortSignal\.timeout\(/.test(text))
    expect(others).toEqual([])
  })
})

describe('A deadline', () => {
  it('is aborted after its bound, and with the signal of the run', async () => {
    shorten({ github: 50 })
    const late = deadline('github', new AbortController().signal)
    const run = new AbortController()
    const cancelled = deadline('registry', run.signal)
    expect([late.aborted, cancelled.aborted]).toEqual([false, false])
    run.abort()
    await sleep(100)
    expect([late.aborted, cancelled.aborted]).toEqual([true, true])
  })

  it('is the only kind of signal with a bound', () => {
    const { signal } = new AbortController()
    expect(() => requireBounded(deadline('registry', signal), 'GET')).not.toThrow()
    expect(() => requireBounded(signal, 'GET https://r.io')).toThrow(/^GET https:\/\/r\.io has no bound/)
  })
})

describe('soonAfter', () => {
  it('is aborted some time after the cancellation, or after the call if that is later', async () => {
    shorten({ 'clean-up': 50 })
    const run = new AbortController()
    const before = soonAfter(run.signal)
    await sleep(100)
    expect(before.aborted).toBe(false)
    run.abort()
    const after = soonAfter(run.signal)
    expect([before.aborted, after.aborted]).toEqual([false, false])
    await sleep(100)
    expect([before.aborted, after.aborted]).toEqual([true, true])
  })
})

describe('A bound that is reached', () => {
  it.each<[BoundName, string]>([
    ['git', 'git show: no answer within 60 seconds'],
    ['transfer', 'git show: no answer within 15 minutes']
  ])('is named: %s', (bound, message) => {
    expect(new BoundError('git show', bound).message).toBe(message)
  })
})
