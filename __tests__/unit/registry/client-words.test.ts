import { describe, expect, it } from '@jest/globals'
import {
  askedPause,
  classifyRegistryError,
  describeUnreadable,
  failureOfWords,
  statusOfRejectedManifest,
  transientFailure
} from '../../../src/registry/client-words.ts'
import type { FailureKind } from '../../../src/registry/failure.ts'
import { failureOf } from '../../support/fake-registry.ts'

describe('classifyRegistryError', () => {
  // as engines 20.10 to 28.5 and their BuildKit print them
  it.each<[string, FailureKind]>([
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
    ['something else', 'unknown'],
    // each of these was seen with a fault put in before a registry, on the overlay2 and the containerd store
    ['toomanyrequests: retry-after: 1s, allowed: 44000/minute', 'unreachable'],
    ['error from registry: retry-after: 1s, allowed: 44000/minute', 'unreachable'],
    ['error parsing HTTP 429 response body: unexpected end of JSON input: ""', 'unreachable'],
    ['received unexpected HTTP status: 500 Internal Server Error', 'unreachable'],
    ['error from registry: unknown', 'unreachable'],
    ['error from registry: unknown error', 'unreachable'],
    [
      'unknown: failed commit on ref "manifest-sha256:aa": unexpected status from PUT request to http://r.io/v2/x/manifests/y: 502 Bad Gateway',
      'unreachable'
    ],
    [
      'Put "http://r.io/v2/x/manifests/y": read tcp 10.0.0.1:1->10.0.0.2:5001: read: connection reset by peer',
      'unreachable'
    ],
    ['Put "http://r.io/v2/x/manifests/y": EOF', 'unreachable'],
    ['EOF', 'unreachable'],
    ['unknown blob', 'unreachable'],
    [
      'failed commit on ref "manifest-sha256:aa": unexpected status from PUT request to http://r.io/v2/x/manifests/builder-next: 400 Bad Request',
      'unreachable'
    ],
    ['stream error: stream ID 27; INTERNAL_ERROR; received from peer', 'unreachable'],
    ['received unexpected HTTP status: 520', 'unreachable'],
    ['unexpected status from PUT request to http://r.io/v2/x/blobs/uploads/y: 507 Insufficient Storage', 'unreachable'],
    ['write tcp 10.0.0.1:1->10.0.0.2:443: use of closed network connection', 'unreachable'],
    [
      'error getting credentials - err: exec: "docker-credential-desktop": executable file not found in $PATH, out: ``',
      'refused'
    ],
    ['failed to solve: docker.io/envoyproxy/gateway:v9: not found', 'absent'],
    ['failed to calculate checksum of ref a::b: "/gateway": not found', 'absent'],
    ['unauthorized: incorrect username or password', 'refused'],
    ['failed commit on ref "x": server message: invalid_token: authorization failed', 'refused'],
    ['failed commit on ref "x": authorization failed: no basic auth credentials', 'refused'],
    ['error parsing HTTP 403 response body: unexpected end of JSON input: ""', 'refused'],
    ['error from registry: denied: installation not allowed to Create organization package', 'refused'],
    ['name unknown: repository name not known to registry', 'absent'],
    ['error from registry: repository name not known to registry', 'absent'],
    ['tls: failed to verify certificate: x509: certificate signed by unknown authority', 'untrusted'],
    ['http: server gave HTTP response to HTTPS client', 'untrusted'],
    ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?', 'unknown'],
    // containerd 2.x and Docker 29
    ['unexpected status code [manifests latest]: 401', 'refused'],
    ['unexpected status code [manifests 1.2]: 403 Forbidden', 'refused'],
    ['unexpected status code [blobs]: 404', 'absent'],
    ['unexpected status code [manifests latest]: 408', 'unreachable'],
    ['unexpected status from GET request to https://r.io:8443/v2/x/blobs/sha256:aa: 425', 'unreachable'],
    ['received unexpected HTTP status: 408 Request Timeout', 'unreachable'],
    [
      'failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.io/token: 503',
      'unreachable'
    ],
    [
      'failed to authorize: failed to fetch anonymous token: Get "https://auth.io/token": net/http: TLS handshake timeout',
      'unreachable'
    ],
    [
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
      'refused'
    ],
    ['connection error: desc = "transport: error while dialing: dial tcp 10.0.0.1:443: i/o"', 'unreachable'],
    ['rpc error: code = Unavailable desc = transport is closing', 'unreachable'],
    ['net/http: HTTP/1.x transport connection broken: malformed chunk', 'unreachable'],
    // the secondary rate limit of GitHub
    ['error from registry: You have exceeded a secondary rate limit. Please wait a few minutes', 'unreachable'],
    [
      'unexpected status from HEAD request to https://ghcr.io/v2/x/manifests/y: 403 Forbidden: denied: retry-after: 60s',
      'unreachable'
    ],
    // sizes, ids and ports are no statuses
    ['failed commit on ref "x": failed size validation: 403 != 512: failed precondition', 'unreachable'],
    ["name unknown: The repository with name 'x' does not exist in the registry with id '403'", 'absent'],
    ['unexpected commit size 503, expected 401: failed precondition', 'unknown'],
    ['wrote 512 bytes, and 404 bytes are missing', 'unknown'],
    ['failed to do request: Head "http://10.0.0.1:403/v2/x/manifests/y": dial tcp: no such host', 'unreachable'],
    // a tag that must not change: Amazon ECR, Google Artifact Registry, Harbor, Mirantis, Alibaba Cloud, Nexus
    [
      "tag invalid: The image tag '1a2b3c4' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
      'immutable'
    ],
    ['error from registry: The image tag 1a2b3c4 already exists in the app repository', 'immutable'],
    ['ImageTagAlreadyExistsException: 403 Forbidden', 'immutable'],
    ['manifest invalid: cannot update tag 1a2b3c4. The repository has enabled tag immutability', 'immutable'],
    ["unknown: Failed to process request due to 'app:1a2b3c4' configured as immutable.", 'immutable'],
    ["denied: Failed to process request, due to 'app:1a2b3c4' is a immutable tag.", 'immutable'],
    ['unknown: tag=1a2b3c4 cannot be overwritten because r.io/x is an immutable repository', 'immutable'],
    ['denied: The requested tag already exists and cannot be overwritten.', 'immutable'],
    [
      "denied: Not enough permissions to overwrite artifact 'docker-local:1a2b3c4/manifest.json' (user 'ci' needs DELETE permission)",
      'immutable'
    ],
    ['unsupported: The operation is disallowed on this registry, repository or image.', 'immutable'],
    ['conflict: a package with the same attributes already exists', 'immutable'],
    ['error from registry: Repository does not allow updating assets: docker', 'immutable'],
    ['error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/images/x/push": EOF', 'unknown']
  ])('%s', (text, expected) => {
    expect(classifyRegistryError(text, 'r.io/x:y')).toBe(expected)
  })
})

describe('the name of an image', () => {
  it.each([
    'ghcr.io/acme/api-gateway:builder',
    'octo/immutable:builder',
    'denied/app-500:builder',
    '127.0.0.1:5000/timeout:builder'
  ])('%s is no reason', (reference) => {
    const path = reference.replace(/^[^/]*[.:][^/]*\//, '').replace(/:builder$/, '')
    for (const text of [
      `${reference}: not found`,
      `manifest for ${reference} not found: manifest unknown: manifest unknown`,
      `http://127.0.0.1:5000/v2/${path}/manifests/builder: not found`
    ]) {
      expect(classifyRegistryError(text, reference)).toBe('absent')
    }
  })
})

describe('failureOfWords', () => {
  it('has the words, their kind, and the pause that they ask for', () => {
    expect(failureOfWords('a:b: not found', 'a:b')).toEqual({ kind: 'absent', message: 'a:b: not found' })
    const busy = 'toomanyrequests: retry-after: 1.5s, allowed: 44000/minute'
    expect(failureOfWords(busy, 'a:b')).toEqual({ kind: 'unreachable', message: busy, pause: 1_500 })
  })
})

describe('describeUnreadable', () => {
  it('is silent about an image that was never published', () => {
    expect(describeUnreadable('a:builder', failureOfWords('a:builder: not found', 'a:builder'))).toBeUndefined()
  })

  it.each<[string, RegExp]>([
    ['401 Unauthorized', /^Access denied to a:builder; continuing without its cache: log in to the registry first/],
    ['x509: unknown authority', /^The registry of a:builder is not trusted; .*give the engine its certificate/],
    ['connection refused', /^The registry of a:builder could not be reached; continuing without its cache/],
    ['something else', /^a:builder could not be read as a cache; continuing without it/]
  ])('tells a refusal from no answer: %s', (text, expected) => {
    const sentence = describeUnreadable('a:builder', failureOfWords(text, 'a:builder'))
    expect(sentence).toMatch(expected)
    expect(sentence).toContain(`(${text})`)
  })
})

describe('statusOfRejectedManifest', () => {
  it.each<[string, number | undefined]>([
    [
      'failed commit on ref "manifest-sha256:aa": unexpected status from PUT request to http://r.io/v2/x/manifests/y: 409 Conflict',
      409
    ],
    ['unexpected status from PUT request to http://r.io/v2/x/manifests/y: 403 Forbidden', 403],
    ['unexpected status from PUT request to http://r.io/v2/x/manifests/y: 401 Unauthorized', undefined],
    ['unexpected status from PUT request to http://r.io/v2/x/blobs/uploads/y: 403 Forbidden', undefined],
    ['unexpected status from HEAD request to http://r.io/v2/x/manifests/y: 403 Forbidden', undefined]
  ])('%s', (text, expected) => {
    expect(statusOfRejectedManifest(text)).toBe(expected)
  })
})

describe('transientFailure', () => {
  it('is no answer and an overloaded registry, and nothing else', () => {
    const busy = failureOfWords('503 Service Unavailable', 'a:b')
    expect(transientFailure(busy)).toBe(busy)
    for (const kind of ['absent', 'refused', 'untrusted', 'unknown'] as const) {
      expect(transientFailure(failureOf(kind))).toBeUndefined()
    }
    expect(transientFailure(undefined)).toBeUndefined()
    for (const text of ['denied', 'a:b: not found', 'x509: unknown authority', 'something else']) {
      expect(transientFailure(failureOfWords(text, 'a:b'))).toBeUndefined()
    }
  })
})

describe('askedPause', () => {
  it.each([
    ['toomanyrequests: retry-after: 1s, allowed: 44000/minute', 1_000],
    ['error from registry: retry-after: 1m2.5s, allowed', 60_000],
    ['retry-after: 124.52µs, allowed: 44000/minute', 1],
    ['Retry-After: 350ms', 350],
    ['toomanyrequests: pull rate limit', 0],
    ['retry-after: soon', 0]
  ])('%s', (text, expected) => {
    expect(askedPause(text)).toBe(expected)
  })
})
