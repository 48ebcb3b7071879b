import { expect, it } from '@jest/globals'
import { failureOfConnection, kindOfStatus, readRetryAfter } from '../../../src/registry/failure.ts'

it.each([
  [400, 'unknown'],
  [401, 'refused'],
  [403, 'refused'],
  [404, 'absent'],
  [405, 'unknown'],
  [408, 'unreachable'],
  [429, 'unreachable'],
  [500, 'unreachable'],
  [503, 'unreachable']
])('kindOfStatus %i: %s', (status, expected) => {
  expect(kindOfStatus(status)).toBe(expected)
})

const NOW = Date.UTC(2026, 0, 1, 12)

it.each([
  [undefined, undefined],
  ['', undefined],
  ['soon', undefined],
  ['0', 0],
  ['2', 2_000],
  [' 30 ', 30_000],
  ['3600', 60_000],
  ['Thu, 01 Jan 2026 12:00:05 GMT', 5_000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
  ['Fri, 02 Jan 2026 12:00:00 GMT', 60_000]
])('readRetryAfter %j: %s ms', (header, expected) => {
  expect(readRetryAfter(header, NOW)).toBe(expected)
})

it.each([
  ['ECONNREFUSED', 'unreachable', true],
  ['ENOTFOUND', 'unreachable', true],
  ['UND_ERR_CONNECT_TIMEOUT', 'unreachable', true],
  ['ECONNRESET', 'unreachable', undefined],
  ['UND_ERR_HEADERS_TIMEOUT', 'unreachable', undefined],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted', true],
  ['EPROTO', 'untrusted', true]
])('a connection that fails with %s is %s; the client may succeed: %s', (code, kind, clientMaySucceed) => {
  const failure = failureOfConnection(Object.assign(new Error('words'), { code }))
  expect(failure).toEqual({ kind, message: 'words', ...(clientMaySucceed && { clientMaySucceed }) })
})

it('the cause of an error counts, and the first of the addresses of a host', () => {
  const cause = Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  expect(failureOfConnection(new Error('failed', { cause })).kind).toBe('untrusted')
  const refused = Object.assign(new Error('connect ECONNREFUSED ::1'), { code: 'ECONNREFUSED' })
  const all = Object.assign(new AggregateError([refused], ''), { code: 'ECONNREFUSED' })
  expect(failureOfConnection(all)).toMatchObject({ message: 'connect ECONNREFUSED ::1', clientMaySucceed: true })
})
