import { describe, expect, it } from '@jest/globals'
import { failureOf, isEngineGone } from '../../../src/docker/errors.ts'

describe('failureOf', () => {
  it.each([
    [0, 'a warning\n', undefined],
    [1, 'first\nlast\n', 'last'],
    [1, 'error from registry: unknown\nunknown\n', 'error from registry: unknown'],
    [1, 'errors:\nunauthorized: authentication required\nunauthorized\n', 'unauthorized: authentication required'],
    [
      1,
      'unexpected status from PUT request to http://r.io/v2/a/manifests/b: 500 Internal Server Error\nunknown\n',
      'unexpected status from PUT request to http://r.io/v2/a/manifests/b: 500 Internal Server Error: unknown'
    ],
    [1, '', 'exit code 1'],
    [null, 'no answer within 1 seconds', 'no answer within 1 seconds']
  ])('exit code %p, %j', (exitCode, stderr, expected) => {
    expect(failureOf({ exitCode, stderr, stdout: '' })).toBe(expected)
  })
})

describe('isEngineGone', () => {
  it.each([
    ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?', true],
    ['error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/build": EOF', true],
    ['failed to connect to the docker API at unix:///var/run/docker.sock: dial unix', true],
    ['read unix @->/run/docker.sock: read: connection reset by peer', true],
    ['dial tcp 127.0.0.1:5999: connect: connection refused', false],
    ['EOF', false]
  ])('%s', (text, expected) => {
    expect(isEngineGone(text)).toBe(expected)
  })
})
