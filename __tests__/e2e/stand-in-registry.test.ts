import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { type Behaviour, StandInRegistry } from '../../testbed/index.ts'

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG = { os: 'linux', architecture: 'amd64', config: { Labels: { name: 'a' } } }
const UNKNOWN = digestOf('unknown')
const LOGIN = { username: 'octocat', password: 'password-of-the-stand-in' }

function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string }[] }
  return `${response.status} ${errors[0]?.code}`
}

describe('plain requests', () => {
  let registry: StandInRegistry
  let image: { digest: string; configDigest: string }

  beforeAll(async () => {
    registry = await StandInRegistry.start()
    image = registry.addImage('a/b', 'one', { config: CONFIG, layers: [Buffer.from('layer 1')] })
  })

  afterEach(() => {
    registry.behaviour = {}
    registry.clearRequests()
  })

  afterAll(async () => registry.stop())

  function send(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${registry.url}${path}`, init)
  }

  /** A token of the token endpoint, as the header that it goes into. */
  async function token(query: string, init: RequestInit = {}): Promise<{ authorization: string }> {
    const answer = (await (await send(`/token?service=stand-in&${query}`, init)).json()) as { token: string }
    return { authorization: `Bearer ${answer.token}` }
  }

  describe('reading', () => {
    it('answers with the bytes, the type and the digest of what it holds', async () => {
      for (const reference of ['one', image.digest]) {
        const response = await send(`/v2/a/b/manifests/${reference}`)
        expect(response.headers.get('content-type')).toBe(OCI_MANIFEST)
        expect(response.headers.get('docker-content-digest')).toBe(image.digest)
        expect(digestOf(Buffer.from(await response.arrayBuffer()))).toBe(image.digest)
      }
      const config = await send(`/v2/a/b/blobs/${image.configDigest}`)
      expect(await config.json()).toEqual(CONFIG)
    })

    it('answers HEAD with the length and no body', async () => {
      const response = await send('/v2/a/b/manifests/one', { method: 'HEAD' })
      expect([response.status, await response.text()]).toEqual([200, ''])
      expect(Number(response.headers.get('content-length'))).toBe(registry.manifest('a/b', 'one')?.bytes.length)
    })

    it('answers with a part of a blob', async () => {
      const path = `/v2/a/b/blobs/${image.configDigest}`
      const part = await send(path, { headers: { range: 'bytes=2-3' } })
      expect([part.status, await part.text()]).toEqual([206, JSON.stringify(CONFIG).slice(2, 4)])
      const rest = await send(path, { headers: { range: 'bytes=5-' } })
      expect([rest.status, await rest.text()]).toEqual([206, JSON.stringify(CONFIG).slice(5)])
      expect((await send(path, { headers: { range: 'bytes=5000-' } })).status).toBe(416)
    })

    it.each([
      ['/v2/a/b/manifests/none', '404 MANIFEST_UNKNOWN'],
      [`/v2/a/b/manifests/${UNKNOWN}`, '404 MANIFEST_UNKNOWN'],
      [`/v2/a/b/blobs/${UNKNOWN}`, '404 BLOB_UNKNOWN'],
      ['/v2/no/tags/list', '404 NAME_UNKNOWN'],
      ['/v2/A/manifests/one', '400 NAME_INVALID'],
      ['/v2/a/b/manifests/-one', '400 TAG_INVALID'],
      ['/v2/a/b/blobs/sha256:0', '400 DIGEST_INVALID'],
      ['/v1/', '404 UNSUPPORTED']
    ])('%s: %s', async (path, code) => {
      expect(await codeOf(await send(path))).toBe(code)
    })

    it('gives a manifest only to a client that accepts its type', async () => {
      const accept = (types: string): Promise<Response> => send('/v2/a/b/manifests/one', { headers: { accept: types } })
      expect((await accept(`${DOCKER_MANIFEST}, ${OCI_MANIFEST};q=0.5`)).status).toBe(200)
      expect(await codeOf(await accept(DOCKER_MANIFEST))).toBe('404 MANIFEST_UNKNOWN')
    })

    it('lists tags, also by pages', async () => {
      for (const tag of ['2', '1', '3']) registry.addImage('pages', tag, { config: CONFIG })
      expect(await (await send('/v2/pages/tags/list')).json()).toEqual({ name: 'pages', tags: ['1', '2', '3'] })
      const page = await send('/v2/pages/tags/list?n=2')
      expect(page.headers.get('link')).toBe('</v2/pages/tags/list?n=2&last=2>; rel="next"')
      const next = await send('/v2/pages/tags/list?n=2&last=2')
      expect([await next.json(), next.headers.get('link')]).toEqual([{ name: 'pages', tags: ['3'] }, null])
    })
  })

  describe('pushing', () => {
    const bytes = Buffer.from('some content')
    const digest = digestOf(bytes)

    async function startUpload(repository: string): Promise<string> {
      const response = await send(`/v2/${repository}/blobs/uploads/`, { method: 'POST' })
      expect(response.status).toBe(202)
      return response.headers.get('location') ?? ''
    }

    it('takes a blob in chunks, in one PUT and in one POST', async () => {
      const first = await startUpload('p/chunks')
      const patched = await send(first, { method: 'PATCH', body: bytes.subarray(0, 5) })
      expect([patched.status, patched.headers.get('range')]).toEqual([202, '0-4'])
      const second = patched.headers.get('location') ?? ''
      const put = await send(`${second}&digest=${digest}`, { method: 'PUT', body: bytes.subarray(5) })
      expect(put.status).toBe(201)
      const whole = await startUpload('p/put')
      expect((await send(`${whole}&digest=${digest}`, { method: 'PUT', body: bytes })).status).toBe(201)
      const post = await send(`/v2/p/post/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes })
      expect([post.status, post.headers.get('location')]).toEqual([201, `/v2/p/post/blobs/${digest}`])
      for (const repository of ['p/chunks', 'p/put', 'p/post']) {
        expect(await (await send(`/v2/${repository}/blobs/${digest}`)).text()).toBe('some content')
      }
    })

    it('refuses wrong digests, chunks out of order and addresses that were used', async () => {
      const first = await startUpload('p/wrong')
      const chunk = { method: 'PATCH', body: bytes, headers: { 'content-range': '3-14' } }
      expect(await codeOf(await send(first, chunk))).toBe('416 BLOB_UPLOAD_INVALID')
      const elsewhere = await send(first.replace('p/wrong', 'p/other'), { method: 'PATCH', body: bytes })
      expect(await codeOf(elsewhere)).toBe('404 BLOB_UPLOAD_UNKNOWN')
      const second = (await send(first, { method: 'PATCH', body: bytes })).headers.get('location') ?? ''
      expect(await codeOf(await send(first, { method: 'PATCH', body: bytes }))).toBe('400 BLOB_UPLOAD_INVALID')
      const put = await send(`${second}&digest=${UNKNOWN}`, { method: 'PUT' })
      expect(await codeOf(put)).toBe('400 DIGEST_INVALID')
      expect(await codeOf(await send(second, { method: 'PATCH' }))).toBe('404 BLOB_UPLOAD_UNKNOWN')
    })

    it('mounts a blob from another repository, and only what that has', async () => {
      const mount = (blob: string): Promise<Response> =>
        send(`/v2/p/mounted/blobs/uploads/?mount=${blob}&from=a/b`, { method: 'POST' })
      expect((await send(`/v2/p/mounted/blobs/${image.configDigest}`, { method: 'HEAD' })).status).toBe(404)
      expect((await mount(image.configDigest)).status).toBe(201)
      expect((await send(`/v2/p/mounted/blobs/${image.configDigest}`, { method: 'HEAD' })).status).toBe(200)
      expect((await mount(UNKNOWN)).status).toBe(202)
    })

    async function putManifest(reference: string, body: string, type = OCI_MANIFEST): Promise<Response> {
      return send(`/v2/p/manifests/manifests/${reference}`, { method: 'PUT', body, headers: { 'content-type': type } })
    }

    it('takes a manifest byte for byte, and only if it is one that is whole', async () => {
      const config = registry.addBlob('p/manifests', Buffer.from('{}'))
      const manifest = (configDigest: string): string =>
        `{ "schemaVersion": 2,\n "config": { "digest": "${configDigest}" }, "layers": [] }\n`
      const put = await putManifest('one', manifest(config))
      const pushed = digestOf(manifest(config))
      expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, pushed])
      expect(await (await send(`/v2/p/manifests/manifests/${pushed}`)).text()).toBe(manifest(config))
      expect((await putManifest(pushed, manifest(config))).status).toBe(201)
      expect(await codeOf(await putManifest(UNKNOWN, manifest(config)))).toBe('400 DIGEST_INVALID')
      expect(await codeOf(await putManifest('two', manifest(UNKNOWN)))).toBe('400 MANIFEST_BLOB_UNKNOWN')
      expect(await codeOf(await putManifest('two', 'no manifest'))).toBe('400 MANIFEST_INVALID')
      expect(await codeOf(await putManifest('two', manifest(config), 'text/plain'))).toBe('400 MANIFEST_INVALID')
      expect(registry.tags('p/manifests')).toEqual(['one'])
    })

    it('takes an index of manifests that it has, and no other', async () => {
      const { digest: child } = registry.addImage('p/manifests', 'child', { config: CONFIG, mediaType: 'docker' })
      const index = (manifest: string): string =>
        JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ digest: manifest }] })
      expect((await putManifest('index', index(child), OCI_INDEX)).status).toBe(201)
      expect((await putManifest('index', index(child), OCI_MANIFEST)).status).toBe(400)
      expect(await codeOf(await putManifest('index', index(UNKNOWN), OCI_INDEX))).toBe('400 MANIFEST_BLOB_UNKNOWN')
    })

    it('deletes a tag, or a manifest with its tags', async () => {
      const { digest: deleted } = registry.addImage('p/deleted', 'one', { config: CONFIG })
      registry.addImage('p/deleted', 'two', { config: CONFIG })
      const remove = async (reference: string): Promise<number> =>
        (await send(`/v2/p/deleted/manifests/${reference}`, { method: 'DELETE' })).status
      expect([await remove('one'), await remove('one')]).toEqual([202, 404])
      expect([registry.digestOf('p/deleted', 'one'), registry.digestOf('p/deleted', 'two')]).toEqual([
        undefined,
        deleted
      ])
      expect([await remove(deleted), await remove(deleted)]).toEqual([202, 404])
      expect(registry.tags('p/deleted')).toEqual([])
    })
  })

  describe('what tests put in', () => {
    it('is an image, or an index of images', () => {
      const { digest } = registry.addImage('t', 'docker', { config: '{ "os": "linux" }', mediaType: 'docker' })
      expect(registry.manifest('t', 'docker')).toMatchObject({ digest, mediaType: DOCKER_MANIFEST })
      expect(registry.config('t', 'docker')).toEqual({ os: 'linux' })
      const platform = { os: 'linux', architecture: 'amd64' }
      const index = registry.addIndex('t', 'index', [{ digest, platform }])
      expect(registry.digestOf('t', 'index')).toBe(index)
      expect(JSON.parse(String(registry.manifest('t', 'index')?.bytes)).manifests).toEqual([
        { mediaType: DOCKER_MANIFEST, digest, size: registry.manifest('t', digest)?.bytes.length, platform }
      ])
      expect(registry.config('t', 'index')).toEqual({ os: 'linux' })
      expect(registry.tags('t')).toEqual(['docker', 'index'])
    })

    it('is asked for, and that is recorded', async () => {
      await send('/v2/a/b/manifests/one?x=1', { headers: { 'user-agent': 'test/1', authorization: basic('a', 'b') } })
      await send('/v2/', { method: 'HEAD', headers: { authorization: 'Bearer x' } })
      expect(registry.requests).toEqual([
        {
          server: 'registry',
          method: 'GET',
          path: '/v2/a/b/manifests/one',
          query: 'x=1',
          authorization: 'basic',
          userAgent: 'test/1',
          time: expect.any(Number)
        },
        expect.objectContaining({ method: 'HEAD', path: '/v2/', authorization: 'bearer' })
      ])
    })
  })

  describe('authentication', () => {
    const MANIFEST = '/v2/a/b/manifests/one'

    it('asks for basic credentials', async () => {
      registry.set({ auth: 'basic' })
      const ping = await send('/v2/')
      expect(ping.headers.get('www-authenticate')).toBe('Basic realm="stand-in"')
      expect(await codeOf(ping)).toBe('401 UNAUTHORIZED')
      const status = async (password: string): Promise<number> =>
        (await send(MANIFEST, { headers: { authorization: basic(LOGIN.username, password) } })).status
      expect([await status('wrong'), await status(LOGIN.password)]).toEqual([401, 200])
    })

    it('asks for a token with the scope of the request, and knows no other', async () => {
      registry.set({ auth: 'anonymous' })
      const challenge = (await send(MANIFEST)).headers.get('www-authenticate')
      expect(challenge).toBe(`Bearer realm="${registry.url}/token",service="stand-in",scope="repository:a/b:pull"`)
      expect((await send('/v2/')).headers.get('www-authenticate')).not.toContain('scope')
      const upload = { method: 'POST', headers: await token('scope=repository:a/b:pull') }
      expect((await send(MANIFEST, { headers: upload.headers })).status).toBe(200)
      const refused = await send('/v2/a/b/blobs/uploads/', upload)
      expect(refused.headers.get('www-authenticate')).toMatch(
        /scope="repository:a\/b:pull,push",error="insufficient_scope"$/
      )
      expect(await codeOf(refused)).toBe('401 DENIED')
      const mount = { method: 'POST', headers: await token('scope=repository:a/c:pull,push') }
      const mounted = `/v2/a/c/blobs/uploads/?mount=${image.configDigest}&from=a/b`
      expect((await send(mounted, mount)).headers.get('www-authenticate')).toContain(
        'scope="repository:a/c:pull,push repository:a/b:pull"'
      )
      expect((await send(MANIFEST, { headers: { authorization: 'Bearer made-up' } })).status).toBe(401)
    })

    it('grants no more than it is told to', async () => {
      registry.set({ auth: 'anonymous', grants: ['pull'] })
      const headers = await token('scope=repository:a/b:pull,push')
      expect((await send(MANIFEST, { headers })).status).toBe(200)
      expect((await send('/v2/a/b/blobs/uploads/', { method: 'POST', headers })).status).toBe(401)
    })

    it('gives tokens to who has the password, with GET or POST', async () => {
      registry.set({ auth: 'bearer' })
      const path = '/token?service=stand-in&scope=repository:a/b:pull'
      expect((await send(path)).status).toBe(401)
      expect((await send(path, { headers: { authorization: basic('octocat', 'wrong') } })).status).toBe(401)
      const authorization = basic(LOGIN.username, LOGIN.password)
      const headers = await token('scope=repository:a/b:pull', { headers: { authorization } })
      expect((await send(MANIFEST, { headers })).status).toBe(200)
      const form = { grant_type: 'password', service: 'stand-in', scope: 'repository:a/b:pull', ...LOGIN }
      const posted = { method: 'POST', body: new URLSearchParams(form) }
      const { access_token } = (await (await send('/token', posted)).json()) as { access_token: string }
      expect((await send(MANIFEST, { headers: { authorization: `Bearer ${access_token}` } })).status).toBe(200)
      registry.set({ noTokenPost: true })
      expect((await send('/token', posted)).status).toBe(405)
    })

    it('gives an identity token for the password, and tokens for the identity token alone', async () => {
      registry.set({ auth: 'bearer-identity' })
      const authorization = basic(LOGIN.username, LOGIN.password)
      const path = '/token?service=stand-in&offline_token=true&scope=repository:a/b:pull'
      const login = (await (await send(path, { headers: { authorization } })).json()) as Record<string, string>
      expect(login.refresh_token).toBe('identity-token-of-the-stand-in')
      const withLogin = { headers: { authorization: `Bearer ${login.token}` } }
      expect([(await send('/v2/', withLogin)).status, (await send(MANIFEST, withLogin)).status]).toEqual([200, 401])
      const form = { grant_type: 'refresh_token', service: 'stand-in', scope: 'repository:a/b:pull' }
      const buy = (identity: string): Promise<Response> =>
        send('/token', { method: 'POST', body: new URLSearchParams({ ...form, refresh_token: identity }) })
      expect((await buy('wrong')).status).toBe(401)
      const { access_token } = (await (await buy(String(login.refresh_token))).json()) as { access_token: string }
      expect((await send(MANIFEST, { headers: { authorization: `Bearer ${access_token}` } })).status).toBe(200)
    })

    it('takes a token so many times', async () => {
      registry.set({ auth: 'anonymous', tokenUses: 2 })
      const headers = await token('scope=repository:a/b:pull')
      const answers = [await send(MANIFEST, { headers }), await send(MANIFEST, { headers })]
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      const third = await send(MANIFEST, { headers })
      expect([third.status, third.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/scope="repository:a\/b:pull",error="invalid_token"$/)
      ])
    })
  })

  describe('what differs', () => {
    it.each([404, 405, 500] as const)('answers %d to the digest of a blob as a manifest', async (status) => {
      registry.set({ blobAsManifest: status })
      for (const method of ['GET', 'HEAD']) {
        const path = `/v2/a/b/manifests/${image.configDigest}`
        expect((await send(path, { method })).status).toBe(status)
      }
      expect((await send(`/v2/a/b/manifests/${UNKNOWN}`)).status).toBe(404)
    })

    it('knows no HEAD of manifests', async () => {
      registry.set({ noHead: true })
      const status = async (path: string): Promise<number> => (await send(path, { method: 'HEAD' })).status
      expect(await status('/v2/a/b/manifests/one')).toBe(405)
      expect(await status(`/v2/a/b/blobs/${image.configDigest}`)).toBe(200)
    })

    it('redirects blobs to a storage that wants no credentials', async () => {
      registry.set({ auth: 'basic', redirectBlobs: true })
      const headers = { authorization: basic(LOGIN.username, LOGIN.password) }
      const path = `/v2/a/b/blobs/${image.configDigest}`
      const redirect = await send(path, { headers, redirect: 'manual' })
      const location = redirect.headers.get('location') ?? ''
      expect([redirect.status, new URL(location).origin === registry.url]).toEqual([307, false])
      expect(await (await fetch(location)).json()).toEqual(CONFIG)
      expect((await fetch(location, { headers })).status).toBe(400)
      expect((await fetch(location.replace(/=.*/, '=made-up'))).status).toBe(403)
      expect((await send(path, { headers })).status).toBe(200)
      expect((await send('/v2/a/b/manifests/one', { headers, redirect: 'manual' })).status).toBe(200)
      expect(registry.requests.map(({ server, authorization }) => `${server} ${authorization}`)).toContain(
        'storage basic'
      )
    })

    it('has had too many requests for a while', async () => {
      const head = async (): Promise<string> => {
        const { status, headers } = await send('/v2/a/b/manifests/one', { method: 'HEAD' })
        return `${status} ${headers.get('retry-after')}`
      }
      const tooMany = { count: 2, retryAfter: 'seconds', seconds: 3 } as const
      registry.set({ tooMany })
      expect([await head(), await head(), await head()]).toEqual(['429 3', '429 3', '200 null'])
      registry.set({ tooMany })
      expect(await head()).toBe('429 3')
      registry.set({ lyingDigest: true })
      expect([await head(), await head()]).toEqual(['429 3', '200 null'])
      registry.set({ tooMany: { count: 1, retryAfter: 'date', seconds: 100, subject: 'manifest', method: 'GET|HEAD' } })
      expect((await send('/v2/')).status).toBe(200)
      const wait = Date.parse((await head()).slice(4)) - Date.now()
      expect([wait >= 99_000, wait < 101_500]).toEqual([true, true])
      expect(await head()).toBe('200 null')
    })

    it('says nothing of digests, or the wrong thing', async () => {
      const digests = async (): Promise<(string | null)[]> => {
        const paths = ['/v2/a/b/manifests/one', `/v2/a/b/blobs/${image.configDigest}`]
        const answers = await Promise.all(paths.map((path) => send(path, { method: 'HEAD' })))
        return answers.map(({ headers }) => headers.get('docker-content-digest'))
      }
      registry.set({ noDigestHeader: true })
      expect(await digests()).toEqual([null, null])
      registry.behaviour = { lyingDigest: true }
      const lies = await digests()
      for (const lie of lies) expect(lie).toMatch(/^sha256:[0-9a-f]{64}$/)
      expect([image.digest, image.configDigest]).not.toEqual(lies)
      expect((await send('/v2/a/b/manifests/one')).headers.get('docker-content-digest')).toBe(lies[0])
    })

    it.each(['manifest', 'blob'] as const)('changes bytes of a %s, and no others', async (subject) => {
      registry.set({ corrupt: subject })
      const paths = { manifest: '/v2/a/b/manifests/one', blob: `/v2/a/b/blobs/${image.configDigest}` }
      for (const [of, path] of Object.entries(paths)) {
        const response = await send(path)
        const bytes = Buffer.from(await response.arrayBuffer())
        const isTrue = digestOf(bytes) === response.headers.get('docker-content-digest')
        expect({ of, isTrue }).toEqual({ of, isTrue: of !== subject })
      }
      // The config has a digit too, in amd64.
      const changed = await (await send(paths[subject])).text()
      expect(() => JSON.parse(changed)).not.toThrow()
    })

    it.each([
      ['{"size":19}', '{"size":18}'],
      ['{"size":20}', '{"size":21}'],
      ['no digit', 'no digiu']
    ])('changes %s to %s', async (stored, sent) => {
      registry.set({ corrupt: 'blob' })
      const digest = registry.addBlob('a/b', Buffer.from(stored))
      expect(await (await send(`/v2/a/b/blobs/${digest}`)).text()).toBe(sent)
    })

    it('refuses an index', async () => {
      registry.set({ refuseIndex: true })
      const index = registry.addIndex('a/b', 'index', [{ digest: image.digest }])
      const body = registry.manifest('a/b', index)?.bytes ?? ''
      const headers = { 'content-type': OCI_INDEX }
      const put = await send('/v2/a/b/manifests/index', {
        method: 'PUT',
        body: new Uint8Array(Buffer.from(body)),
        headers
      })
      expect(await codeOf(put)).toBe('400 MANIFEST_INVALID')
    })

    it('takes its time', async () => {
      registry.set({ delay: 300 })
      const start = performance.now()
      await send('/v2/')
      expect(performance.now() - start).toBeGreaterThan(290)
    })

    it.each([
      ['pull', 403, 'DENIED'],
      ['push', 500, 'UNKNOWN'],
      ['token', 401, 'UNAUTHORIZED']
    ] as const)('refuses every %s with %d', async (action, status, code) => {
      registry.set({ auth: 'anonymous', refuse: { action, status, code } })
      const refused = `${status} ${code}`
      const got = await send('/token?service=stand-in&scope=repository:a/b:pull,push')
      if (action === 'token') return expect(await codeOf(got)).toBe(refused)
      const headers = { authorization: `Bearer ${((await got.json()) as { token: string }).token}` }
      const pull = await send('/v2/a/b/manifests/one', { headers })
      const push = await send('/v2/a/b/blobs/uploads/', { method: 'POST', headers })
      const [hit, other] = action === 'pull' ? [pull, push] : [push, pull]
      expect(await codeOf(hit)).toBe(refused)
      expect(other.ok).toBe(true)
      expect((await send('/v2/', { headers })).status).toBe(200)
    })

    it('names the scheme with a refusal of 401', async () => {
      const refuse = { action: 'pull', status: 401, code: 'UNAUTHORIZED' } as const
      registry.set({ refuse })
      const challenge = async (): Promise<string | null> =>
        (await send('/v2/a/b/manifests/one')).headers.get('www-authenticate')
      expect(await challenge()).toMatch(/^Basic /)
    })

    const subjects: [NonNullable<Behaviour['endless']>, () => string][] = [
      ['manifest', () => '/v2/a/b/manifests/one'],
      ['blob', () => `/v2/a/b/blobs/${image.configDigest}`],
      ['token', () => '/token?service=stand-in']
    ]

    /** How much of a body comes within a second; undefined if no answer does. */
    async function received(path: string): Promise<number | undefined> {
      let length: number | undefined
      try {
        const response = await send(path, { signal: AbortSignal.timeout(1_000) })
        length = 0
        for await (const chunk of response.body ?? []) {
          length += chunk.length
          if (length > 10_000_000) break
        }
      } catch {
        // The second is over.
      }
      return length
    }

    it.each(subjects)('sends a %s without end, or takes for ever, or says nothing', async (subject, path) => {
      const auth = subject === 'token' ? 'anonymous' : 'none'
      registry.behaviour = { auth, endless: subject }
      expect(await received(path())).toBeGreaterThan(10_000_000)
      registry.behaviour = { auth, trickle: subject }
      const length = await received(path())
      expect([Number(length) >= 1, Number(length) <= 11]).toEqual([true, true])
      registry.behaviour = { auth, silent: subject }
      expect(await received(path())).toBeUndefined()
      expect([200, 401]).toContain((await send('/v2/')).status)
    })

    it('answers HEAD as ever where bodies do not end', async () => {
      registry.set({ endless: 'manifest' })
      expect((await send('/v2/a/b/manifests/one', { method: 'HEAD' })).headers.has('content-length')).toBe(true)
    })
  })
})

describe('a stand-in', () => {
  it('stops although a client waits for an answer', async () => {
    const registry = await StandInRegistry.start({ silent: 'manifest' })
    const waiting = fetch(`${registry.url}/v2/a/manifests/one`).catch(() => 'broken')
    while (registry.requests.length === 0) await sleep(5)
    await registry.stop()
    expect(await waiting).toBe('broken')
    await expect(fetch(`${registry.url}/v2/`)).rejects.toThrow('fetch failed')
  })

  it('listens where it is told to', async () => {
    const first = await StandInRegistry.start({}, { address: '127.0.0.2' })
    const port = Number(new URL(first.url).port)
    await first.stop()
    const second = await StandInRegistry.start({}, { address: '127.0.0.2', port })
    expect(second.host).toBe(`127.0.0.2:${port}`)
    await second.stop()
  })
})
