import { describe, expect, it } from '@jest/globals'
import { classifyRegistryError, describeUnreadable, type RegistryError } from '../../src/registry-error.ts'

describe('classifyRegistryError', () => {
  // as engines 20.10 to 28.5 and their BuildKit print them
  it.each<[string, RegistryError]>([
    [
      'Error response from daemon: manifest for 127.0.0.1:5000/app:builder not found: manifest unknown: manifest unknown',
      'absent'
    ],
    ['Error response from daemon: manifest unknown: manifest unknown', 'absent'],
    ['failed to configure registry cache importer: 127.0.0.1:5000/app:builder: not found', 'absent'],
    ['Error response from daemon: name unknown: repository name not known to registry', 'absent'],
    ["pull access denied for octo/app, repository does not exist or may require 'docker login'", 'refused'],
    ['failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized', 'refused'],
    ['Head "https://ghcr.io/v2/octo/app/manifests/builder": denied: denied', 'refused'],
    ['unexpected status from HEAD request to http://127.0.0.1:5001/v2/app/manifests/builder: 403 Forbidden', 'refused'],
    ['no basic auth credentials', 'refused'],
    ['dial tcp 127.0.0.1:5999: connect: connection refused', 'unreachable'],
    ['dial tcp: lookup registry.example: no such host', 'unreachable'],
    ['net/http: TLS handshake timeout', 'unreachable'],
    ['received unexpected HTTP status: 503 Service Unavailable', 'unreachable'],
    ['toomanyrequests: You have reached your pull rate limit', 'unreachable'],
    ['unexpected EOF', 'unreachable'],
    ['something else', 'unknown']
  ])('%s', (text, expected) => {
    expect(classifyRegistryError(text, 'r.io/x:y')).toBe(expected)
  })
})

describe('the name of an image', () => {
  it.each(['ghcr.io/acme/api-gateway:builder', 'denied/app-500:builder', '127.0.0.1:5000/timeout:builder'])(
    '%s is no reason',
    (reference) => {
      const path = reference.replace(/^[^/]*[.:][^/]*\//, '').replace(/:builder$/, '')
      for (const text of [
        `${reference}: not found`,
        `manifest for ${reference} not found: manifest unknown: manifest unknown`,
        `http://127.0.0.1:5000/v2/${path}/manifests/builder: not found`
      ]) {
        expect(classifyRegistryError(text, reference)).toBe('absent')
      }
    }
  )
})

describe('describeUnreadable', () => {
  it('is silent about an image that was never published', () => {
    expect(describeUnreadable('a:builder', 'a:builder: not found')).toBeUndefined()
  })

  it('tells a refusal from no answer', () => {
    expect(describeUnreadable('a:builder', '401 Unauthorized')).toMatch(/^The registry refused us a:builder/)
    expect(describeUnreadable('a:builder', 'connection refused')).toMatch(
      /^The registry could not be reached for a:builder/
    )
  })
})
