import { describe, expect, it, test } from '@jest/globals'
import { findSecretLike, publicInputs, Secrets } from '../../../src/action/secrets.ts'
import { makeInputs } from '../../support/make-plan.ts'

const INPUTS = { secrets: [], githubToken: undefined, buildArgs: [], tests: [], productionTests: [], testOptions: [] }
const VARIABLES = ['--env', 'PASSWORD=12345678', '-eAPI_KEY=87654321', '--env=AUTH=abcdefgh']

/** What is hidden where these are the values of the input `secrets`. */
function secretsOf(...values: string[]): Secrets {
  return new Secrets({ ...INPUTS, secrets: values.map((value, index) => ({ id: `id-${index}`, value })) })
}

describe('lines', () => {
  it.each([
    ['each line of a secret', { secrets: [{ id: 'a', value: 'first\r\n\nother' }] }, ['first', 'other']],
    ['the token', { githubToken: 'ghs_x' }, ['ghs_x']],
    ['a build argument that looks like a secret', { buildArgs: ['NPM_TOKEN=0123456789', 'A=b'] }, ['0123456789']],
    ['variables of tests', { testOptions: VARIABLES }, ['12345678', '87654321', 'abcdefgh']],
    ['variables of one test', { tests: [{ command: 'a', options: VARIABLES }] }, ['12345678', '87654321', 'abcdefgh']],
    ['no word that another argument has, such as a user', { buildArgs: ['USER=postgres', 'DB_PASSWORD=postgres'] }, []],
    ['no word of the Dockerfile', { buildArgs: ['AUTH_MODE=production'] }, []],
    ['a variable that an option only names', { testOptions: ['--env', 'API_TOKEN'] }, ['of-the-step']],
    ['one as a shell would get it', { secrets: [{ id: 'a', value: "it's" }] }, ["it's", "it'\\''s"]]
  ])('are %s', (_, inputs, expected) => {
    const env = { API_TOKEN: 'of-the-step', PATH: '/bin' }
    expect(new Secrets({ ...INPUTS, ...inputs }, [], env, 'FROM alpine AS production\n').lines).toEqual(expected)
  })
})

describe('shown', () => {
  const names = ['ghcr.io/octo/app:2025.11.0', 'feature/login', '0123456789abcdef0123456789abcdef01234567']
  const secret = (value: string): object => ({ secrets: [{ id: 'npm', value }] })

  it.each<[string, object, string]>([
    ['a part of a tag', secret('2025'), 'npm'],
    ['a repository', secret('octo/app'), 'npm'],
    ['a branch', secret('login'), 'npm'],
    ['a commit', secret('0123456'), 'npm'],
    ['a word in the outputs', secret('true'), 'npm'],
    ['very short', secret('a=b'), 'npm'],
    ['a few digits of any digest', secret('12ab5'), 'npm'],
    ['a build argument that is a tag', { buildArgs: ['APP_KEY=2025.11.0-x', 'API_KEY=octo/app:2025.11.0'] }, 'API_KEY'],
    ['a variable of the tests that is a branch', { testOptions: ['--env=AUTH=feature/login'] }, 'AUTH']
  ])('names what is not redacted, because it is %s', (_, inputs, name) => {
    const secrets = new Secrets({ ...INPUTS, ...inputs }, names)
    expect(secrets).toMatchObject({ shown: [name], lines: [] })
  })

  it('names no secret of which only short lines are shown, such as a brace', () => {
    const { lines, shown } = secretsOf('{\n  "key": "hunter2"\n}')
    expect([lines, shown]).toEqual([['  "key": "hunter2"'], []])
  })

  it('names nothing that is redacted', () => {
    const inputs = { ...INPUTS, ...secret('hunter2'), githubToken: 'ghs_x', buildArgs: ['NPM_TOKEN=abcdefgh'] }
    expect(new Secrets(inputs, names)).toMatchObject({ shown: [], lines: ['hunter2', 'abcdefgh', 'ghs_x'] })
  })
})

describe('values', () => {
  it('are the secrets of the build, and no others', () => {
    const secrets = [{ id: 'a', value: 'one\ntwo' }]
    expect(new Secrets({ ...INPUTS, secrets, githubToken: 'ghs_x' }).values).toEqual(secrets)
  })
})

describe('redactTexts', () => {
  it('hides in what others wrote, and leaves what programs read', () => {
    const data = {
      ...{ image: 'octo/app:s3cret', status: 'passed', seconds: 1, pushed: ['octo/app:s3cret'] },
      steps: [{ instruction: 'RUN echo s3cret', error: 's3cret s3cret', line: 3 }],
      failures: [{ kind: 'error', message: 'a s3cret b' }],
      commands: ['docker run s3cret', 'docker push']
    }
    expect(secretsOf('s3cret').redactTexts(data)).toEqual({
      ...data,
      steps: [{ instruction: 'RUN echo ***', error: '*** ***', line: 3 }],
      failures: [{ kind: 'error', message: 'a *** b' }],
      commands: ['docker run ***', 'docker push']
    })
  })

  it('hides in a failure within a failure, and leaves the one that it was given', () => {
    const data = { failures: [{ kind: 'push', reference: 'a:b', failure: { kind: 'unknown', message: 's3cret' } }] }
    expect(secretsOf('s3cret').redactTexts(data)).toEqual({
      failures: [{ kind: 'push', reference: 'a:b', failure: { kind: 'unknown', message: '***' } }]
    })
    expect(data.failures[0]?.failure.message).toBe('s3cret')
  })
})

describe('redact', () => {
  it('hides the longest first', () => {
    expect(secretsOf('hunter', 'hunter2').redact('hunter2 hunter')).toBe('*** ***')
  })
})

describe('publicInputs', () => {
  it('are the inputs without the token, and of secrets only the ids', () => {
    const inputs = makeInputs({ secrets: 'npm=s3cret\npem=other', 'github-token': 'ghs_x', 'build-args': 'A=1' })
    const { githubToken: _, ...others } = inputs
    expect(publicInputs(inputs)).toStrictEqual({ ...others, secrets: ['npm', 'pem'] })
  })
})

const GITHUB = `ghp_${'a'.repeat(36)}`

test.each<[string, string | undefined]>([
  ['NPM_TOKEN=0123456789', '0123456789'],
  ['npm_token=0123456789', '0123456789'],
  ['DB_PASSWORD=short', undefined],
  ['AUTH=0123456789', '0123456789'],
  ['NPM_TOKEN=abcdefgh', 'abcdefgh'],
  ['DB_PASSWORD=correct horse', 'correct horse'],
  // whatever the name says
  [`TOKEN_FILE=${GITHUB}`, GITHUB],
  [`APP_VERSION=${GITHUB}`, GITHUB],
  // random texts that begin or look a little like a path or a version
  ['AWS_SECRET=/aB3dE5fG7hI9jK1/mN3oP5qR7', '/aB3dE5fG7hI9jK1/mN3oP5qR7'],
  ['TOKEN=abcdefgh/ijklmnop', 'abcdefgh/ijklmnop'],
  ['TOKEN=1.aaaaaaaa', '1.aaaaaaaa'],
  ['PASSWORD=12345678', '12345678'],
  ['API_KEY=a=b=c=d=e', 'a=b=c=d=e'],
  ['GITHUB_TOKEN', undefined],
  [`SOMETHING=${GITHUB}`, GITHUB],
  ['X=AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
  ['X=-----BEGIN OPENSSH PRIVATE KEY-----', '-----BEGIN OPENSSH PRIVATE KEY-----'],
  ['X=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x']
])('%s looks like a secret', (arg, value) => {
  expect(findSecretLike([arg])).toEqual([{ name: arg.replace(/=.*/, ''), value }])
})

test.each([
  'VERSION=1.2.3',
  'NODE_ENV=production',
  'PUBLIC_KEY=0123456789',
  'AUTHOR=somebody else',
  'KEYBOARD=qwertz-layout',
  'TOKENIZER=sentencepiece',
  'TOKEN=',
  'MONKEY=banana-banana',
  'URL=https://example.com/token',
  // the exceptions of docker's own linter
  'AUTH_MODULE_VERSION=2025.11.0',
  'SESSION_SECRET_FILE=/run/secrets/session',
  'SECRET_FILE=anything at all',
  'token_version=0123456789',
  // version numbers and paths, whatever their names
  'AUTH=2025.11.0',
  'TOKEN=v1.22.0-rc.1',
  'KEY=3.20.1-alpine3.20+build.5',
  'SECRET=/run/secrets/session',
  'SSH_KEY=~/.ssh/id_ed25519',
  'SIGNING_KEY=./certs/dev.pem',
  'SIGNING_KEY=certs/dev/server.key'
])('%s does not', (arg) => {
  expect(findSecretLike([arg])).toEqual([])
})
