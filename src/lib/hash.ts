import { hash } from 'node:crypto'

/** Returns the SHA-256 of any JSON value: 64 hex digits. */
export function hashOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex')
}
