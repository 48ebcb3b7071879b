import { describe, expect, it } from '@jest/globals'
import {
  ImageRefError,
  isTag,
  parseReference,
  parseRepository,
  resolveTag,
  sameReference,
  sameRepository
} from '../../../src/registry/image-reference.ts'

const HEX64 = '0123456789abcdef'.repeat(4)
const SHA256 = `sha256:${HEX64}`
const SHA512 = `sha512:${HEX64}${HEX64}`

describe('parseRepository', () => {
  it.each<[text: string, registry: string, path: string]>([
    // Docker Hub and its short names
    ['app', 'docker.io', 'library/app'],
    ['a', 'docker.io', 'library/a'],
    ['octo/app', 'docker.io', 'octo/app'],
    ['octo/team/app', 'docker.io', 'octo/team/app'],
    ['library/app', 'docker.io', 'library/app'],
    ['docker.io/app', 'docker.io', 'library/app'],
    ['docker.io/octo/app', 'docker.io', 'octo/app'],
    ['index.docker.io/app', 'docker.io', 'library/app'],
    ['index.docker.io/octo/app', 'docker.io', 'octo/app'],
    // Without a slash nothing is a registry.
    ['localhost', 'docker.io', 'library/localhost'],
    ['example.com', 'docker.io', 'library/example.com'],
    ['192.0.2.1', 'docker.io', 'library/192.0.2.1'],
    ['under_score.com', 'docker.io', 'library/under_score.com'],
    // Registries
    ['ghcr.io/octo/app', 'ghcr.io', 'octo/app'],
    ['ghcr.io/app', 'ghcr.io', 'app'],
    ['localhost/app', 'localhost', 'app'],
    ['localhost:5000/app', 'localhost:5000', 'app'],
    ['registry:5000/app', 'registry:5000', 'app'],
    ['registry/app', 'docker.io', 'registry/app'],
    ['192.0.2.1/app', '192.0.2.1', 'app'],
    ['192.0.2.1:5000/octo/app', '192.0.2.1:5000', 'octo/app'],
    ['[2001:db8::1]/app', '[2001:db8::1]', 'app'],
    ['[::1]:5000/octo/app', '[::1]:5000', 'octo/app'],
    ['[2001:DB8:0:0:0:0:0:1]:5000/app', '[2001:DB8:0:0:0:0:0:1]:5000', 'app'],
    ['xn--n3h.example/app', 'xn--n3h.example', 'app'],
    ['a-b.example/app', 'a-b.example', 'app'],
    ['ab.c-d/app', 'ab.c-d', 'app'],
    ['a.b/app', 'a.b', 'app'],
    ['Registry.Example/app', 'Registry.Example', 'app'],
    ['REGISTRY/app', 'REGISTRY', 'app'],
    ['Octo/app', 'Octo', 'app'],
    ['registry.example:99999/app', 'registry.example:99999', 'app'],
    // Components
    ['my-org/my.app', 'docker.io', 'my-org/my.app'],
    ['my---org/a_b/c__d', 'docker.io', 'my---org/a_b/c__d'],
    ['ghcr.io/example.com/xn--n3h.com', 'ghcr.io', 'example.com/xn--n3h.com'],
    ['ghcr.io/0/1-2', 'ghcr.io', '0/1-2'],
    ['under__score/app', 'docker.io', 'under__score/app'],
    ['ghcr.io/a/a/a/a/a/a/a/a', 'ghcr.io', 'a/a/a/a/a/a/a/a'],
    // Lengths and ids
    [`ghcr.io/${'a'.repeat(255)}`, 'ghcr.io', 'a'.repeat(255)],
    [`${'a'.repeat(300)}.example/app`, `${'a'.repeat(300)}.example`, 'app'],
    ['b'.repeat(247), 'docker.io', `library/${'b'.repeat(247)}`],
    [`docker.io/${HEX64}`, 'docker.io', `library/${HEX64}`],
    [`octo/${HEX64}`, 'docker.io', `octo/${HEX64}`],
    [HEX64.slice(1), 'docker.io', `library/${HEX64.slice(1)}`],
    [`${HEX64.slice(1)}g`, 'docker.io', `library/${HEX64.slice(1)}g`]
  ])('takes %s', (text, registry, path) => {
    expect(parseRepository(text)).toStrictEqual({ registry, path, repository: text })
    expect(parseReference(text)).toStrictEqual({ repository: text, reference: text })
    expect(parseReference(`${text}:1.2`)).toStrictEqual({ repository: text, tag: '1.2', reference: `${text}:1.2` })
  })

  const component = "is not allowed; write lower-case letters and digits, with '.', '_', '__' or '-' between them"
  const registry = 'is not a registry; write a host name, if need be with a port: registry.example.com:5000'
  const empty = "has an empty part; write one '/' between two parts, and none at either end"

  it.each<[text: string, message: string]>([
    ['', 'The image name is empty; give one such as ghcr.io/octo/app'],
    [' ', '" " has white space or a control character; an image name has none'],
    [' ghcr.io/octo/app', '" ghcr.io/octo/app" has white space or a control character; an image name has none'],
    ['ghcr.io/octo/app\n', '"ghcr.io/octo/app\\n" has white space or a control character; an image name has none'],
    ['octo/a pp', '"octo/a pp" has white space or a control character; an image name has none'],
    ['octo/app\u00a0', '"octo/app\\u00a0" has white space or a control character; an image name has none'],
    ['octo/app\u0000', '"octo/app\\u0000" has white space or a control character; an image name has none'],
    [
      'https://ghcr.io/octo/app',
      'https://ghcr.io/octo/app is a URL; leave out https:// and give an image name: ghcr.io/octo/app'
    ],
    [
      'docker-image://ghcr.io/octo/app',
      'docker-image://ghcr.io/octo/app is a URL; leave out docker-image:// and give an image name: ghcr.io/octo/app'
    ],
    ['-v', "-v begins with '-'; an image name begins with a letter or a digit"],
    ['--privileged', "--privileged begins with '-'; an image name begins with a letter or a digit"],
    ['-ghcr.io/app', "-ghcr.io/app begins with '-'; an image name begins with a letter or a digit"],
    // Upper case
    ['ghcr.io/Octo/App', 'ghcr.io/Octo/App has upper-case letters; registries allow lower case only: ghcr.io/octo/app'],
    ['App', 'App has upper-case letters; registries allow lower case only: app'],
    ['Octo/App', 'Octo/App has upper-case letters; registries allow lower case only: octo/app'],
    ['octo/App', 'octo/App has upper-case letters; registries allow lower case only: octo/app'],
    ['r:5000/A/b', 'r:5000/A/b has upper-case letters; registries allow lower case only: r:5000/a/b'],
    [
      'ghcr.io/Octo/App:1',
      'ghcr.io/Octo/App has upper-case letters; registries allow lower case only: ghcr.io/octo/app'
    ],
    ['octo/App_', `App_ in octo/App_ ${component}`],
    ['octo/ÄPP', `"\\u00c4PP" in "octo/\\u00c4PP" ${component}`],
    // Tags and digests
    ['ghcr.io/octo/app:1.2', 'ghcr.io/octo/app:1.2 has a tag; give the repository alone: ghcr.io/octo/app'],
    ['app:latest', 'app:latest has a tag; give the repository alone: app'],
    ['app:5000', 'app:5000 has a tag; give the repository alone: app'],
    ['ghcr.io/octo/app:', 'ghcr.io/octo/app: has a tag; give the repository alone: ghcr.io/octo/app'],
    ['r:5000/app:5050', 'r:5000/app:5050 has a tag; give the repository alone: r:5000/app'],
    [`app@${SHA256}`, `app@${SHA256} has a digest; give the repository alone: app`],
    [`a.b@sha256:${'0'.repeat(64)}`, `a.b@sha256:${'0'.repeat(64)} has a digest; give the repository alone: a.b`],
    [`app:1@${SHA256}`, `app:1@${SHA256} has a tag; give the repository alone: app`],
    ['app@', 'app@ has a digest; give the repository alone: app'],
    [':latest', 'The repository is missing before the tag or digest; write ghcr.io/octo/app'],
    [`@${SHA256}`, 'The repository is missing before the tag or digest; write ghcr.io/octo/app'],
    // Registries
    ['localhost:5000', 'localhost:5000 is a registry without a repository; add one: localhost:5000/app'],
    ['ghcr.io:443', 'ghcr.io:443 is a registry without a repository; add one: ghcr.io:443/app'],
    ['[::1]:5000', '[::1]:5000 is a registry without a repository; add one: [::1]:5000/app'],
    ['[::1]', '[::1] is a registry without a repository; add one: [::1]/app'],
    ['r:http/app', `r:http in r:http/app ${registry}`],
    ['r:/app', `r: in r:/app ${registry}`],
    ['r:1:2/app', `r:1:2 in r:1:2/app ${registry}`],
    ['under_score.com:80/app', `under_score.com:80 in under_score.com:80/app ${registry}`],
    ['under_score.com/app', `under_score.com in under_score.com/app ${registry}`],
    ['a..b/app', `a..b in a..b/app ${registry}`],
    ['a./app', `a. in a./app ${registry}`],
    ['.a/app', `.a in .a/app ${registry}`],
    ['a-.com/app', `a-.com in a-.com/app ${registry}`],
    ['a.-com/app', `a.-com in a.-com/app ${registry}`],
    ['a.com-/app', `a.com- in a.com-/app ${registry}`],
    ['fc00::1:5000/app', `fc00::1:5000 in fc00::1:5000/app ${registry}`],
    ['[fe80::1%eth0]:5000/app', `[fe80::1%eth0]:5000 in [fe80::1%eth0]:5000/app ${registry}`],
    ['[::ffff:192.0.2.1]/app', `[::ffff:192.0.2.1] in [::ffff:192.0.2.1]/app ${registry}`],
    ['[::1]5000/app', `[::1]5000 in [::1]5000/app ${registry}`],
    ['[::1]::5000/app', `[::1]::5000 in [::1]::5000/app ${registry}`],
    [
      'user:password@ghcr.io/app',
      "The image name has an '@' before a '/'; log in separately and write ghcr.io/octo/app"
    ],
    [
      'https://user:password@ghcr.io/app',
      "The image name has an '@' before a '/'; log in separately and write ghcr.io/octo/app"
    ],
    [
      'ghcr.io/octo/app:feature/x/y',
      "ghcr.io/octo/app:feature/x/y has a '/' in its tag; write another character: ghcr.io/octo/app:feature-x-y"
    ],
    [
      'r:5000/app:feature/x',
      "r:5000/app:feature/x has a '/' in its tag; write another character: r:5000/app:feature-x"
    ],
    ['octo/app:feature/x', "octo/app:feature/x has a '/' in its tag; write another character: octo/app:feature-x"],
    // Components
    ['/app', `/app ${empty}`],
    ['octo/', `octo/ ${empty}`],
    ['ghcr.io/', `ghcr.io/ ${empty}`],
    ['octo//app', `octo//app ${empty}`],
    ['ghcr.io/octo///app', `ghcr.io/octo///app ${empty}`],
    ['octo/-app', `-app in octo/-app ${component}`],
    ['octo/app-', `app- in octo/app- ${component}`],
    ['octo-/app', `octo- in octo-/app ${component}`],
    ['_octo/app', `_octo in _octo/app ${component}`],
    ['____/____', `____ in ____/____ ${component}`],
    ['octo/a___b', `a___b in octo/a___b ${component}`],
    ['octo/a..b', `a..b in octo/a..b ${component}`],
    ['octo/a_.b', `a_.b in octo/a_.b ${component}`],
    ['octo/a-.b', `a-.b in octo/a-.b ${component}`],
    ['ghcr.io/.app', `.app in ghcr.io/.app ${component}`],
    ['ghcr.io/../app', `.. in ghcr.io/../app ${component}`],
    ['octo/a$$^', `a$$^ in octo/a$$^ ${component}`],
    ['$(id)', `$(id) in $(id) ${component}`],
    ['octo/gro\u00df', `"gro\\u00df" in "octo/gro\\u00df" ${component}`],
    ['octo/a\u200bb', `"a\\u200bb" in "octo/a\\u200bb" ${component}`],
    ['octo/##[error]x', `"##\\u005berror]x" in "octo/##\\u005berror]x" ${component}`],
    // Lengths and ids
    [HEX64, `${HEX64} reads as an image's id; put a registry before it: docker.io/${HEX64}`],
    ['b'.repeat(248), `${'b'.repeat(248)} has 256 characters after its registry; at most 255 are allowed`],
    [
      `ghcr.io/${'a'.repeat(256)}`,
      `ghcr.io/${'a'.repeat(256)} has 256 characters after its registry; at most 255 are allowed`
    ],
    [
      `ghcr.io/${'a'.repeat(1000)}`,
      `ghcr.io/${'a'.repeat(292)}... has 1000 characters after its registry; at most 255 are allowed`
    ]
  ])('refuses %j', (text, message) => {
    const error = thrownBy(() => parseRepository(text))
    expect(error).toBeInstanceOf(ImageRefError)
    expect(error.name).toBe('ImageRefError')
    expect(error.message).toBe(message)
    expect(error.message).toMatch(/^[\x20-\x7e]+$/)
  })

  it('what a message proposes is taken', () => {
    for (const text of [
      'https://ghcr.io/octo/app',
      'ghcr.io/Octo/App',
      'octo/app:1',
      'localhost:5000',
      '[::1]',
      HEX64
    ]) {
      const proposal = thrownBy(() => parseRepository(text)).message.replace(/^.*: /, '')
      expect(parseRepository(proposal).repository).toBe(proposal)
    }
  })

  it.each([
    'a'.repeat(200_000),
    'a-'.repeat(100_000),
    'a.'.repeat(100_000),
    `${'a-'.repeat(100_000)}.b/c`,
    ':'.repeat(200_000),
    '@'.repeat(200_000),
    '@/'.repeat(100_000)
  ])('refuses a long text fast', (text) => {
    const start = performance.now()
    expect(() => parseRepository(text)).toThrow(ImageRefError)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('parseReference', () => {
  it.each<[text: string, repository: string, tag: string | undefined, digest: string | undefined]>([
    ['app', 'app', undefined, undefined],
    ['app:latest', 'app', 'latest', undefined],
    ['app:Upper_Case.1-2', 'app', 'Upper_Case.1-2', undefined],
    ['app:_', 'app', '_', undefined],
    [`app:${'t'.repeat(128)}`, 'app', 't'.repeat(128), undefined],
    ['localhost:5000', 'localhost', '5000', undefined],
    ['192.0.2.1:5000', '192.0.2.1', '5000', undefined],
    ['under_score.com:80', 'under_score.com', '80', undefined],
    ['r:5000/app:5050', 'r:5000/app', '5050', undefined],
    ['[2001:db8::1]:5000/app:tag', '[2001:db8::1]:5000/app', 'tag', undefined],
    [`app@${SHA256}`, 'app', undefined, SHA256],
    [`app@${SHA512}`, 'app', undefined, SHA512],
    [`app@sha384:${HEX64}${HEX64.slice(32)}`, 'app', undefined, `sha384:${HEX64}${HEX64.slice(32)}`],
    [`r:5000/octo/app:1.2@${SHA256}`, 'r:5000/octo/app', '1.2', SHA256],
    [`[::1]:5000/app@${SHA256}`, '[::1]:5000/app', undefined, SHA256],
    [`localhost:8080@${SHA256}`, 'localhost', '8080', SHA256],
    // With a tag it cannot be an image's id.
    [`${HEX64}:tag`, HEX64, 'tag', undefined],
    [
      `${'a/'.repeat(127)}a:tag-puts-this-over-the-limit`,
      `${'a/'.repeat(127)}a`,
      'tag-puts-this-over-the-limit',
      undefined
    ]
  ])('takes %s', (text, repository, tag, digest) => {
    const expected: Record<string, string> = { repository, reference: text }
    if (tag !== undefined) expected.tag = tag
    if (digest !== undefined) expected.digest = digest
    expect(parseReference(text)).toStrictEqual(expected)
  })

  it.each<[text: string, message: string]>([
    ['', 'is empty'],
    ['app:', 'app: has no valid tag; a tag is 1 to 128 letters'],
    ['app:-x', 'has no valid tag'],
    ['app:.x', 'has no valid tag'],
    ['app:a~b', 'has no valid tag'],
    ['app:a:b', 'has no valid tag'],
    ['app:größe', 'has no valid tag'],
    [`app:${'t'.repeat(129)}`, 'has no valid tag'],
    ['app:feature/x', 'app:feature in app:feature/x is not a registry'],
    ['app:1\n', 'has white space'],
    [':tag', 'The repository is missing'],
    [`@${SHA256}`, 'The repository is missing'],
    ['app@', 'has no valid digest; a digest is sha256: and 64 lower-case hex digits'],
    ['app@latest', 'has no valid digest'],
    [`app@${HEX64}`, 'has no valid digest'],
    [`app@sha256:${HEX64.slice(1)}`, 'has no valid digest'],
    [`app@sha256:${HEX64}0`, 'has no valid digest'],
    [`app@sha256:${HEX64.toUpperCase()}`, 'has no valid digest'],
    [`app@sha512:${HEX64}`, 'has no valid digest'],
    [`app@md5:${HEX64.slice(32)}`, 'has no valid digest'],
    [`app@${SHA256}@${SHA256}`, 'has no valid digest'],
    [`app@${SHA256}:tag`, 'has no valid digest'],
    ['App:tag', 'App has upper-case letters; registries allow lower case only: app'],
    [`-app@${SHA256}`, "begins with '-'"],
    ['[2001:db8::1]:tag', 'is not allowed'],
    [HEX64, "reads as an image's id"],
    [`ghcr.io/${'a'.repeat(256)}:tag`, 'at most 255']
  ])('refuses %j', (text, message) => {
    const error = thrownBy(() => parseReference(text))
    expect(error).toBeInstanceOf(ImageRefError)
    expect(error.message).toContain(message)
    expect(error.message).toMatch(/^[\x20-\x7e]+$/)
  })
})

describe('isTag', () => {
  it.each(['a', '_', '0', 'latest', 'LATEST', 'v1.2.3', 'a-b_c.d', '_-.', '6113728', 'x'.repeat(128)])('%s', (text) => {
    expect(isTag(text)).toBe(true)
  })
  it.each(['', '.a', '-a', '-', 'a b', 'a/b', 'a:b', 'a@b', 'a+b', 'a\n', '\na', 'ä', 'ſ', '\u212a', 'x'.repeat(129)])(
    'not %j',
    (text) => {
      expect(isTag(text)).toBe(false)
    }
  )
})

describe('resolveTag', () => {
  const REPOSITORY = 'ghcr.io/octo/app'

  it.each([
    ['1.2', 'ghcr.io/octo/app:1.2'],
    ['latest', 'ghcr.io/octo/app:latest'],
    ['ghcr.io', 'ghcr.io/octo/app:ghcr.io'],
    [HEX64, `ghcr.io/octo/app:${HEX64}`],
    ['ghcr.io/octo/app:1.2', 'ghcr.io/octo/app:1.2'],
    ['other/app:1.2', 'other/app:1.2'],
    ['app:1.2', 'app:1.2'],
    ['localhost:5000/app:1.2', 'localhost:5000/app:1.2']
  ])('%s is %s', (text, reference) => {
    expect(resolveTag(REPOSITORY, text)).toBe(reference)
  })

  it.each<[text: string, message: string]>([
    ['', '"" is not a tag; a tag is 1 to 128 letters'],
    ['a b', '"a b" is not a tag'],
    ['1.2\n', '"1.2\\n" is not a tag'],
    ['-x', '-x is not a tag'],
    ['x'.repeat(129), 'is not a tag'],
    ['a+b', 'a+b is not a tag'],
    ['octo/app', "octo/app has no tag; write a tag's name, which has no '/', or add a tag: octo/app:1.2"],
    ['feature/x', "feature/x has no tag; write a tag's name, which has no '/', or add a tag: feature/x:1.2"],
    ['localhost:5000/app', 'or add a tag: localhost:5000/app:1.2'],
    [`octo/app@${SHA256}`, `octo/app@${SHA256} has a digest; an image is pushed to a tag: ghcr.io/octo/app:1.2`],
    [`octo/app:1@${SHA256}`, 'has a digest'],
    [':1.2', 'The repository is missing'],
    ['octo/app:', 'has no valid tag'],
    ['octo/App:1', 'has upper-case letters'],
    ['-x/app:1', "begins with '-'"],
    ['https://ghcr.io/octo/app:1', 'is a URL']
  ])('refuses %j', (text, message) => {
    const error = thrownBy(() => resolveTag(REPOSITORY, text))
    expect(error).toBeInstanceOf(ImageRefError)
    expect(error.message).toContain(message)
  })

  it('refuses a repository that is none', () => {
    expect(() => resolveTag('ghcr.io/Octo/App', '1.2')).toThrow('has upper-case letters')
  })
})

describe('sameReference', () => {
  it.each([
    ['app', 'app'],
    ['app', 'app:latest'],
    ['app', 'library/app'],
    ['app', 'docker.io/app'],
    ['app', 'docker.io/library/app:latest'],
    ['app:1', 'index.docker.io/library/app:1'],
    ['octo/app', 'index.docker.io/octo/app'],
    ['ghcr.io/octo/app', 'GHCR.io/octo/app:latest'],
    ['ghcr.io/octo/app', 'ghcr.io:443/octo/app'],
    [`app@${SHA256}`, `docker.io/library/app@${SHA256}`],
    [`app:1@${SHA256}`, `app:2@${SHA256}`]
  ])('%s is %s', (a, b) => {
    expect(sameReference(a, b)).toBe(true)
    expect(sameReference(b, a)).toBe(true)
  })

  it.each([
    ['app', 'app:1'],
    ['app:latest', 'app:Latest'],
    ['app', 'octo/app'],
    ['app', 'localhost/app'],
    ['octo/app', 'octo/library/app'],
    ['localhost/app', 'localhost/library/app'],
    ['ghcr.io/app', 'ghcr.io/library/app'],
    ['ghcr.io/octo/app', 'octo/app'],
    ['ghcr.io/octo/app', 'ghcr.io:5000/octo/app'],
    ['ghcr.io/octo/app', 'ghcr.io:4430/octo/app'],
    ['app', `app@${SHA256}`],
    [`app@${SHA256}`, `app@sha256:${HEX64.slice(1)}0`],
    ['app:latest', `app:latest@${SHA256}`]
  ])('%s is not %s', (a, b) => {
    expect(sameReference(a, b)).toBe(false)
    expect(sameReference(b, a)).toBe(false)
  })

  it('refuses what is no reference', () => {
    expect(() => sameReference('app', 'App')).toThrow(ImageRefError)
  })
})

function thrownBy(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('sameRepository', () => {
  it.each([
    ['ghcr.io/octo/app', 'ghcr.io/octo/app:1.2'],
    [`ghcr.io/octo/app@${SHA256}`, 'ghcr.io/octo/app:1.2'],
    ['octo/app:latest', 'docker.io/octo/app:1.2'],
    ['localhost:5000/app', 'localhost:5000/app:1'],
    ['GHCR.io/octo/app', 'ghcr.io:443/octo/app:1']
  ])('of %s and %s', (a, b) => {
    expect(sameRepository(a, b)).toBe(true)
    expect(sameRepository(b, a)).toBe(true)
  })

  it.each([
    ['ghcr.io/octo/app', 'ghcr.io/octo/app2:1.2'],
    ['ghcr.io/octo/app', 'octo/app'],
    ['localhost:5000/app', 'localhost:5001/app'],
    ['octo/app', 'other/app']
  ])('not of %s and %s', (a, b) => {
    expect(sameRepository(a, b)).toBe(false)
  })
})
