import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readContentKeys } from '../../../src/cache/read-keys.ts'
import type { Docker } from '../../../src/docker/docker.ts'
import type { ExecResult } from '../../../src/lib/exec.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { Contents, FakeRegistry, imageOf } from '../../support/fake-registry.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const OLD = `sha256:${'1'.repeat(64)}`
const NEW = `sha256:${'2'.repeat(64)}`

interface World {
  /** The digest of the base image in the engine; '' if it was built there. */
  here?: string
  store?: string
  /** What the registry has, by name. */
  published?: Record<string, ImageRecord>
  pullFails?: boolean
  inputs?: Record<string, string>
}

/** Reads the keys of a Dockerfile with one base image, and returns what was pulled, said and found. */
async function read({ here = OLD, store = 'overlay2', published = {}, pullFails = false, inputs = {} }: World) {
  const pulled: string[] = []
  let digest = here
  const docker: Docker = {
    call: async (args): Promise<ExecResult> => {
      const done = (stdout: string): ExecResult => ({ exitCode: 0, stdout, stderr: '' })
      const [command, second] = args
      if (second === 'ls') return done('base:1\nbase:<none>')
      if (command === 'history') return done('"RUN a"')
      if (command === 'pull') {
        pulled.push(args.at(-1) ?? '')
        if (pullFails) return { exitCode: 1, stdout: '', stderr: 'denied' }
        digest = NEW
        return done('')
      }
      return done(`{}\n["layer of ${digest}"]\n${JSON.stringify(digest === '' ? [] : [`base@${digest}`])}`)
    }
  }
  const contents = new Contents()
  for (const [name, image] of Object.entries(published)) contents.put(name, image)
  const log = new RecordingLog()
  const plan = makePlan({ text: 'FROM base:1 AS builder\nRUN a\nFROM scratch\nCOPY --from=builder a a\n', inputs })
  const engine = { ...plan.engine, store }
  const run = makeRun({ plan: { ...plan, engine }, docker, log, registry: new FakeRegistry(contents) })
  const { digests, keys, inEngine } = await readContentKeys(run)
  return { pulled, lines: log.said(), digest: digests.get('base:1'), key: keys.get(0)?.base.key, inEngine }
}

const newest = { 'base:1': imageOf(NEW) }

describe('A base image that the engine has', () => {
  it.each<[string, World, Partial<Awaited<ReturnType<typeof read>>>]>([
    ['is pulled if the registry has a newer one', { published: newest }, { pulled: ['base:1'], digest: NEW }],
    ['is used if the registry has the same', { here: NEW, published: newest }, { pulled: [], digest: NEW }],
    ['is used if the registry does not tell', {}, { pulled: [], digest: undefined }],
    ['is used if it was built there', { here: '', published: newest }, { pulled: [], digest: undefined }],
    [
      'is used if it was built there, on the containerd store',
      { store: 'containerd', published: newest },
      { pulled: [], digest: undefined }
    ],
    [
      'is pulled on the containerd store if the old one is of the registry, too',
      { store: 'containerd', published: { 'base:0': imageOf(OLD), ...newest } },
      { pulled: ['base:1'], digest: NEW }
    ],
    [
      'is pulled although it was built there, with the input pull',
      { here: '', published: newest, inputs: { pull: 'true' } },
      { pulled: ['base:1'], digest: NEW }
    ],
    [
      'is unknown if the newer one cannot be pulled, with the input pull',
      { published: newest, pullFails: true, inputs: { pull: 'true' } },
      { pulled: ['base:1'], digest: undefined, key: undefined }
    ],
    [
      'is used if the newer one cannot be pulled',
      { published: newest, pullFails: true },
      { pulled: ['base:1'], digest: undefined }
    ]
  ])('%s', async (_, world, expected) => {
    expect(await read(world)).toMatchObject({ ...expected, inEngine: ['base:1'] })
  })

  it('has the key of what the build takes', async () => {
    const [pulled, old, current] = await Promise.all([
      read({ published: newest }),
      read({ published: newest, pullFails: true }),
      read({ here: NEW, published: newest })
    ])
    expect(pulled.key).toBe(current.key)
    expect(old.key).not.toBe(current.key)
    expect(old.lines.join('\n')).toContain(
      'The build uses the image base:1 of the engine, not the one that the registry has, because that cannot be pulled (denied)'
    )
  })
})

describe('A named context', () => {
  const inputs = { 'build-contexts': 'base:1=docker-image://other:2' }

  it('has the key of the image in the registry', async () => {
    const other = imageOf(NEW, { layers: ['other'] })
    const [one, same, plain] = await Promise.all([
      read({ inputs, published: { 'other:2': other } }),
      read({ inputs, published: { 'other:2': other, 'base:1': imageOf(OLD) } }),
      read({ here: NEW, published: { 'base:1': imageOf(NEW) } })
    ])
    expect(one.key).toMatch(/^[0-9a-f]{64}$/)
    expect(same.key).toBe(one.key)
    expect(plain.key).not.toBe(one.key)
    expect([one.pulled, one.digest]).toEqual([[], undefined])
  })

  it('has no key without such an image', async () => {
    expect((await read({ inputs })).key).toBeUndefined()
    expect((await read({ inputs: { 'build-contexts': 'base:1=https://example.com/a.git' } })).key).toBeUndefined()
  })

  it('that is a folder has the key of the files that an instruction takes, after its .dockerignore', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'context-'))
    const text = 'FROM scratch AS builder\nCOPY --from=dir . /\nFROM scratch\nCOPY --from=builder a a\n'
    const docker: Docker = { call: async () => ({ exitCode: 0, stdout: '', stderr: '' }) }
    const key = async (): Promise<string | undefined> => {
      const plan = makePlan({ text, inputs: { 'build-contexts': `dir=${folder}` } })
      return (await readContentKeys(makeRun({ plan, docker }))).keys.get(0)?.instructions[0]?.key
    }
    try {
      writeFileSync(join(folder, 'a.txt'), 'a')
      writeFileSync(join(folder, '.dockerignore'), '*.md\n')
      const first = await key()
      writeFileSync(join(folder, 'b.md'), 'b')
      expect(await key()).toBe(first)
      expect(first).toMatch(/^[0-9a-f]{64}$/)
      writeFileSync(join(folder, 'a.txt'), 'b')
      expect(await key()).not.toBe(first)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
