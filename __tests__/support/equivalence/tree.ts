import { createHash } from 'node:crypto'

const BLOCK = 512

/** Reads a tar archive; returns a line for each entry, by path: all that an image keeps of it but the times. */
export function treeOf(tar: Buffer): Map<string, string> {
  const tree = new Map<string, string>()
  let next: Partial<Record<string, string>> = {}
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const header = tar.subarray(at, at + BLOCK)
    if (header.every((byte) => byte === 0)) break
    const type = String.fromCharCode(header[156] ?? 0)
    const size = Number(next.size ?? octal(header, 124, 12))
    const body = tar.subarray(at + BLOCK, at + BLOCK + size)
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
    if (type === 'x') next = paxRecords(body)
    else if (type === 'L') next.path = text(body, 0, size)
    else if (type === 'K') next.linkpath = text(body, 0, size)
    else if (type !== 'g') {
      const prefix = text(header, 345, 155)
      const path = next.path ?? (prefix === '' ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`)
      const link = next.linkpath ?? text(header, 157, 100)
      const owner = `${octal(header, 108, 8)}:${octal(header, 116, 8)}`
      const content = createHash('sha256').update(body).digest('hex').slice(0, 16)
      const attributes = Object.entries(next).filter(([name]) => /xattr/.test(name))
      const about = [octal(header, 100, 8).toString(8), owner, `type ${type}`, link, size > 0 ? content : 'empty']
      tree.set(path.replace(/^\.?\/|\/$/g, ''), [...about, ...attributes.map(String)].join(' '))
      next = {}
    }
  }
  return tree
}

function text(bytes: Buffer, start: number, length: number): string {
  return bytes.toString('utf8', start, start + length).replace(/\0.*/s, '')
}

function octal(bytes: Buffer, start: number, length: number): number {
  return Number.parseInt(text(bytes, start, length).trim() || '0', 8)
}

/** The records of a pax header: `LENGTH NAME=VALUE\n`. */
function paxRecords(body: Buffer): Record<string, string> {
  const records: Record<string, string> = {}
  for (let at = 0; at < body.length; ) {
    const length = Number.parseInt(body.toString('utf8', at, at + 12), 10)
    if (!(length > 0)) break
    const [, name = '', value = ''] = /^\d+ ([^=]+)=(.*)\n$/s.exec(body.toString('utf8', at, at + length)) ?? []
    records[name] = value
    at += length
  }
  return records
}
