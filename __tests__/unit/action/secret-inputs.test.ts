import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import {
  checkSecretIds,
  readSecretEnvs,
  readSecretFiles,
  secretsInEnvironment,
  secretsInFiles
} from '../../../src/action/secret-inputs.ts'
import { UserError } from '../../../src/lib/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'secrets-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('readSecretFiles and readSecretEnvs', () => {
  it('read one item a line', () => {
    expect(readSecretFiles(() => 'a=b, c=d\n"e=f"')).toEqual([
      { id: 'a', path: 'b, c=d' },
      { id: 'e', path: 'f' }
    ])
    expect(readSecretEnvs(() => 'a=B\nnpm.token=NPM_TOKEN')).toEqual([
      { id: 'a', variable: 'B' },
      { id: 'npm.token', variable: 'NPM_TOKEN' }
    ])
  })

  it.each(['t0psecret', '=t0psecret', 't0p secret=a', 'a=', 'a,b=t0psecret'])(
    'refuse %s without showing it',
    (text) => {
      for (const [read, name] of [
        [readSecretFiles, 'secret-files'] as const,
        [readSecretEnvs, 'secret-envs'] as const
      ]) {
        const call = (): unknown => read(() => text)
        expect(call).toThrow(UserError)
        expect(call).toThrow(`Input ${name} has a line that is not id=`)
        expect(call).not.toThrow('t0p')
      }
    }
  )

  it('refuses a value in place of the name of a variable', () => {
    expect(() => readSecretEnvs(() => 'a=t0p-secret')).toThrow('Input secret-envs has a line that is not id=NAME')
  })
})

describe('checkSecretIds', () => {
  const none = { secrets: [], secretFiles: [], secretEnvs: [] }

  it('refuses one id for two secrets', () => {
    const both = { ...none, secrets: [{ id: 'a' }], secretEnvs: [{ id: 'a', variable: 'A' }] }
    expect(() => checkSecretIds(both)).toThrow(
      'Inputs secrets and secret-envs both have the id "a"; give each secret an id of its own'
    )
    const twice = { ...none, secrets: [{ id: 'a' }, { id: 'a' }], secretFiles: [{ id: 'b', path: 'c' }] }
    expect(() => checkSecretIds(twice)).not.toThrow()
  })
})

describe('secretsInEnvironment', () => {
  it('tells those without a value: GitHub gives none to forks', () => {
    const all = ['a', 'b', 'c'].map((id) => ({ id, variable: id.toUpperCase() }))
    expect(secretsInEnvironment(all, { A: 'x', B: ' ' })).toEqual([[{ id: 'a', value: 'x' }], ['b', 'c']])
  })
})

describe('secretsInFiles', () => {
  it('returns texts to redact, and nothing of what is no text', async () => {
    writeFileSync(join(folder, 'text'), 'one\ntwo\n')
    writeFileSync(join(folder, 'bytes'), Buffer.from([0xff, 0x00, 0xfe]))
    const files = ['text', 'bytes'].map((id) => ({ id, path: join(folder, id) }))
    expect(await secretsInFiles(files)).toEqual([{ id: 'text', value: 'one\ntwo\n' }])
  })

  it('refuses what docker cannot read, without its path', async () => {
    const missing = secretsInFiles([{ id: 'npm', path: join(folder, 't0psecret') }])
    await expect(missing).rejects.toThrow('Input secret-files: the file of the secret "npm" cannot be read (ENOENT);')
    await expect(missing).rejects.not.toThrow('t0psecret')
    await expect(secretsInFiles([{ id: 'npm', path: folder }])).rejects.toThrow('(EISDIR)')
    writeFileSync(join(folder, 'long'), Buffer.alloc(500 * 1_024 + 1, 'a'))
    await expect(secretsInFiles([{ id: 'npm', path: join(folder, 'long') }])).rejects.toThrow('has 512001 bytes')
  })
})
