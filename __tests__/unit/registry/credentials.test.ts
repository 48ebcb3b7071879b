import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { findCredentials, findHelper, readAuths, secretsOf } from '../../../src/registry/credentials.ts'
import { cases } from '../../support/cases.ts'

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') })
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret })

describe('readAuths', () => {
  it.each<[string, string, object, unknown]>([
    ['the exact name', 'ghcr.io', { 'ghcr.io': auth('octo:cat') }, password('octo', 'cat')],
    ['a port', 'localhost:5000', { 'localhost:5000': auth('a:b') }, password('a', 'b')],
    ['another port', 'localhost:5000', { 'localhost:5001': auth('a:b') }, undefined],
    ['a URL', 'registry.example', { 'https://registry.example/v1/': auth('a:b') }, password('a', 'b')],
    ['a URL without a path', 'registry.example', { 'http://registry.example': auth('a:b') }, password('a', 'b')],
    [
      'the exact name before a URL',
      'r.io',
      { 'https://r.io/v2/': auth('a:b'), 'r.io': auth('c:d') },
      password('c', 'd')
    ],
    ['Docker Hub', 'docker.io', { 'https://index.docker.io/v1/': auth('a:b') }, password('a', 'b')],
    ['Docker Hub without the URL', 'docker.io', { 'index.docker.io': auth('a:b') }, password('a', 'b')],
    ['a registry that begins alike', 'r.io', { 'r.io.example': auth('a:b') }, undefined],
    ['a password with colons', 'r.io', { 'r.io': auth('a:b:c') }, password('a', 'b:c')],
    ['trailing NUL bytes', 'r.io', { 'r.io': auth('a:b\0\0') }, password('a', 'b')],
    ['user name and password', 'r.io', { 'r.io': { username: 'a', password: 'b' } }, password('a', 'b')],
    [
      'an identity token',
      'r.io',
      { 'r.io': { ...auth('a:'), identitytoken: 't' } },
      { kind: 'identity-token', token: 't' }
    ],
    ['a registry token', 'r.io', { 'r.io': { registrytoken: 't' } }, { kind: 'registry-token', token: 't' }],
    ['an empty entry, as a credential store leaves it', 'r.io', { 'r.io': {} }, undefined],
    ['no password', 'r.io', { 'r.io': auth('a:') }, undefined]
  ])('%s', (_, registry, auths, expected) => {
    expect(readAuths({ auths }, registry)).toEqual(expected)
  })

  it('finds what `docker login` wrote, for any user name, password and registry', () => {
    const username = fc.string({ minLength: 1 }).filter((text) => !/[:\0]/.test(text))
    const secret = fc.string({ minLength: 1 }).filter((text) => !text.endsWith('\0'))
    const registry = fc.domain()
    fc.assert(
      fc.property(username, secret, registry, registry, (user, pass, own, other) => {
        fc.pre(own !== other)
        const config = { auths: { [other]: auth('x:y'), [own]: auth(`${user}:${pass}`) } }
        expect(readAuths(config, own)).toEqual(password(user, pass))
      }),
      cases()
    )
  })

  it('takes any JSON without an error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (config) => {
        readAuths(config, 'r.io')
        readAuths({ auths: config }, 'r.io')
        readAuths({ auths: { 'r.io': config } }, 'r.io')
        findHelper({ credHelpers: config, credsStore: config }, 'r.io')
      }),
      cases()
    )
  })
})

describe('findCredentials', () => {
  let folder: string
  let env: Record<string, string>
  const path = process.env.PATH
  const { signal } = new AbortController()

  const config = (content: unknown): void =>
    writeFileSync(join(folder, 'config.json'), typeof content === 'string' ? content : JSON.stringify(content))
  const helper = (name: string, script: string): void => {
    const file = join(folder, 'bin', `docker-credential-${name}`)
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'credentials-'))
    mkdirSync(join(folder, 'bin'))
    env = { PATH: `${join(folder, 'bin')}:${path}`, DOCKER_CONFIG: folder }
    // programs are looked up on this process's own PATH, which is that of the environment handed on
    process.env.PATH = env.PATH
  })
  afterEach(() => {
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  })

  it('there are none without a config.json, or with one that cannot be read', async () => {
    expect(await findCredentials('r.io', env, signal)).toEqual({})
    config('{"auths":')
    expect(await findCredentials('r.io', env, signal)).toEqual({})
  })

  it('come from $HOME/.docker without DOCKER_CONFIG', async () => {
    mkdirSync(join(folder, '.docker'))
    writeFileSync(join(folder, '.docker', 'config.json'), JSON.stringify({ auths: { 'r.io': auth('a:b') } }))
    expect(await findCredentials('r.io', { HOME: folder }, signal)).toEqual({ credentials: password('a', 'b') })
  })

  it('DOCKER_AUTH_CONFIG goes before all else, where it names the registry', async () => {
    config({ auths: { 'r.io': auth('a:b'), 'other.io': auth('e:f') } })
    env.DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { 'r.io': auth('c:d') } })
    expect(await findCredentials('r.io', env, signal)).toEqual({ credentials: password('c', 'd') })
    expect(await findCredentials('other.io', env, signal)).toEqual({ credentials: password('e', 'f') })
  })

  it("a registry's own helper goes before the common store, and both before the file", async () => {
    helper('own', `cat > ${folder}/asked; echo '{"Username":"own","Secret":"1"}'`)
    helper('common', `cat > ${folder}/asked; echo '{"Username":"common","Secret":"2"}'`)
    config({ auths: { 'r.io': auth('a:b') }, credHelpers: { 'r.io': 'own' }, credsStore: 'common' })
    expect(await findCredentials('r.io', env, signal)).toEqual({ credentials: password('own', '1') })
    expect(await findCredentials('docker.io', env, signal)).toEqual({ credentials: password('common', '2') })
  })

  it('Docker Hub has the name of its index for a helper', async () => {
    helper('a', `test "$(cat)" = https://index.docker.io/v1/ && echo '{"Username":"u","Secret":"s"}'`)
    config({ credsStore: 'a' })
    expect(await findCredentials('docker.io', env, signal)).toEqual({ credentials: password('u', 's') })
  })

  it('the user name <token> marks an identity token', async () => {
    helper('a', `echo '{"Username":"<token>","Secret":"s"}'`)
    config({ credsStore: 'a' })
    expect(await findCredentials('r.io', env, signal)).toEqual({ credentials: { kind: 'identity-token', token: 's' } })
  })

  it('a helper that has none is no failure', async () => {
    helper('a', 'echo credentials not found in native keychain; exit 1')
    config({ credsStore: 'a' })
    expect(await findCredentials('r.io', env, signal)).toEqual({})
  })

  it.each([
    [
      'fails',
      'echo "secret is hunter2"; echo hunter2 >&2; exit 1',
      /^the credential helper docker-credential-a ended with exit code 1$/
    ],
    ['is missing', undefined, /^the credential helper docker-credential-a could not be run$/]
  ])('a helper that %s is a failure that shows nothing of what it printed', async (_, script, expected) => {
    if (script !== undefined) helper('a', script)
    config({ credsStore: 'a' })
    expect(await findCredentials('r.io', env, signal)).toEqual({ failure: expect.stringMatching(expected) })
  })

  it('a name that would be a path or another command is never run', async () => {
    for (const name of ['../a', 'a b', 'a;b', '$(a)', '/bin/true']) {
      config({ credsStore: name })
      expect(await findCredentials('r.io', env, signal)).toEqual({ failure: expect.stringMatching(/is not valid$/) })
    }
  })
})

it('secretsOf names the password as it is, and as it is sent', () => {
  expect(secretsOf({ kind: 'password', username: 'a', password: 'b' })).toEqual(['b', 'YTpi'])
  expect(secretsOf({ kind: 'identity-token', token: 't' })).toEqual(['t'])
})
