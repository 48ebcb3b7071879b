import { setTimeout as sleep } from 'node:timers/promises'
import type { Behaviour, Subject, TooMany } from './stand-in-behaviour.ts'
import { RegistryError, type Reply } from './stand-in-reply.ts'
import { sha256 } from './stand-in-store.ts'

/** Number of chunks in an endless body: more than any client reads. */
const ENDLESS = 1_000_000
const TRICKLE_MS = 100

const digestHeader = 'docker-content-digest'

/**
 * Applies the behaviour of this registry to an answer.
 *
 * @param subject the object that the request reads; undefined if it reads nothing
 */
export function distort(reply: Reply, subject: Subject | undefined, behaviour: Behaviour): Reply {
  const { [digestHeader]: digest, ...others } = reply.headers
  const { noDigestHeader, lyingDigest, corrupt } = behaviour
  const isRead = subject !== undefined
  const isShown = digest !== undefined && !(noDigestHeader && isRead)
  return {
    status: reply.status,
    headers: { ...others, ...(isShown && { [digestHeader]: lyingDigest && isRead ? sha256(digest) : digest }) },
    body: isRead && corrupt === subject ? corrupted(reply.body) : reply.body
  }
}

/** Changes the last digit, so that JSON stays JSON; without digits, changes the last byte. */
function corrupted(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const text = copy.toString('latin1')
  const at = Math.max(...[...'0123456789'].map((digit) => text.lastIndexOf(digit)))
  if (at >= 0) copy[at] = text[at] === '9' ? 0x38 : (copy[at] ?? 0) + 1
  else if (copy.length > 0) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}

/** A body that continues forever with spaces, which JSON allows, as fast as the client reads. */
export function* endless(bytes: Buffer): Generator<Buffer> {
  const spaces = Buffer.alloc(64 * 1024, ' ')
  yield bytes
  for (let left = ENDLESS; left > 0; left--) yield spaces
}

/** The same body, slowly, byte by byte. */
export async function* trickle(bytes: Buffer): AsyncGenerator<Buffer> {
  const space = Buffer.from(' ')
  for (let index = 0; index < ENDLESS; index++) {
    yield index < bytes.length ? bytes.subarray(index, index + 1) : space
    await sleep(TRICKLE_MS)
  }
}

export function tooManyRequests({ retryAfter, seconds }: TooMany): RegistryError {
  // A date has no fractions of a second, and rounding down would be too early.
  const date = new Date(Math.ceil(Date.now() / 1_000 + seconds) * 1_000).toUTCString()
  const header = { 'retry-after': retryAfter === 'date' ? date : String(seconds) }
  return new RegistryError(429, 'TOOMANYREQUESTS', 'too many requests', header)
}
