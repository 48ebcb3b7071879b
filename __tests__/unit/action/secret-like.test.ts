import { expect, test } from '@jest/globals'
import { findSecretLike } from '../../../src/action/secret-like.ts'

const GITHUB = `ghp_${'a'.repeat(36)}`

test.each<[string, string | undefined]>([
  ['NPM_TOKEN=0123456789', '0123456789'],
  ['npm_token=0123456789', '0123456789'],
  ['DB_PASSWORD=short', undefined],
  ['AUTH=0123456789', '0123456789'],
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
  'URL=https://example.com/token'
])('%s does not', (arg) => {
  expect(findSecretLike([arg])).toEqual([])
})
