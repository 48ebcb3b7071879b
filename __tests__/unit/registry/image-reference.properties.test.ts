import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  ImageRefError,
  isReference,
  isTag,
  parseReference,
  parseRepository,
  resolveTag,
  sameReference
} from '../../../src/registry/image-reference.ts'
import { cases, faultsOf, hostile, mutated } from '../../support/cases.ts'

// The grammar as the specifications write it, nothing of it taken from src. OCI distribution-spec, "Pulling manifests":
const COMPONENT = '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*'
const NAME = `${COMPONENT}(\\/${COMPONENT})*`
const TAG = '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'
// github.com/distribution/reference, regexp.go: domainAndPort
const LABEL = '([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = `(${LABEL}(\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(:[0-9]+)?`
// opencontainers/image-spec, descriptor.md, "Registered algorithms", and go-digest's third
const DIGEST = '(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})'

interface Parts {
  registry: string
  path: string
  tag: string | undefined
  digest: string | undefined
}

/**
 * What docker makes of a reference (distribution/reference, `ParseNormalizedNamed`), undefined for none. On purpose unlike
 * it: what stands where a registry stands must be one, so `under_score.com/app` is none, of which docker makes a path.
 */
function partsOf(text: string): Parts | undefined {
  // "cannot specify 64-byte hexadecimal strings"
  if (/^[a-f0-9]{64}$/.test(text)) return undefined
  const [first = '', ...others] = text.split('/')
  const hasRegistry = others.length > 0 && (first === 'localhost' || /[.:]/.test(first) || /[A-Z]/.test(first))
  const pattern = new RegExp(
    `^${hasRegistry ? `(?<registry>${DOMAIN})\\/` : ''}(?<name>${NAME})(:(?<tag>${TAG}))?(@(?<digest>${DIGEST}))?$`
  )
  const { registry, name = '', tag, digest } = pattern.exec(text)?.groups ?? {}
  const isHub = registry === undefined || registry === 'docker.io' || registry === 'index.docker.io'
  const path = isHub && !name.includes('/') ? `library/${name}` : name
  // reference.go: RepositoryNameTotalLengthMax
  if (name === '' || path.length > 255) return undefined
  return { registry: isHub ? 'docker.io' : registry, path, tag, digest }
}

function from(pattern: string): fc.Arbitrary<string> {
  return fc.stringMatching(new RegExp(`^${pattern}$`))
}

function optional(before: string, texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.option(texts, { nil: '' }).map((text) => (text === '' ? '' : `${before}${text}`))
}

const registries = fc.oneof(
  from(DOMAIN).filter((text) => /[.:A-Z]/.test(text)),
  fc.constantFrom('localhost', 'docker.io', 'index.docker.io', 'ghcr.io:443', '[2001:db8::1]:5000')
)
const repositories = fc
  .tuple(
    fc.option(
      registries.map((registry) => `${registry}/`),
      { nil: '' }
    ),
    from(NAME)
  )
  .map((pieces) => pieces.join(''))
  // without a registry a name's first part may look like one
  .filter((text) => partsOf(text) !== undefined)
const tags = from(TAG)
const references = fc
  .tuple(repositories, optional(':', tags), optional('@', from(DIGEST)))
  .map((pieces) => pieces.join(''))

/** As long as is allowed, or a character more or less; and digests and addresses as others know them. */
const bordering = fc
  .record({
    registry: fc.constantFrom('', 'ghcr.io/', 'docker.io/', '[::ffff:192.0.2.1]/', '[fe80::1%eth0]:5000/', 'a_b.c/'),
    name: fc.oneof(
      fc.constantFrom('app', 'octo/app'),
      fc.integer({ min: 246, max: 257 }).map((length) => 'a'.repeat(length)),
      fc.stringMatching(/^[a-f0-9]{63,65}$/)
    ),
    tag: fc.oneof(
      { weight: 2, arbitrary: fc.constant('') },
      fc.integer({ min: 126, max: 130 }).map((length) => `:${'t'.repeat(length)}`)
    ),
    digest: fc.oneof(
      { weight: 2, arbitrary: fc.constant('') },
      fc.stringMatching(/^@(md5:[a-f0-9]{32}|sha256:[a-f0-9]{63,65}|sha256:[A-F0-9]{64}|sha512:[a-f0-9]{64})$/)
    )
  })
  .map(({ registry, name, tag, digest }) => `${registry}${name}${tag}${digest}`)

const anything = fc.oneof(
  { weight: 2, arbitrary: references },
  { weight: 2, arbitrary: bordering },
  { weight: 4, arbitrary: mutated(references) },
  hostile('localhost', ':5000', 'https://', `${'a'.repeat(1_200)}://`, 'user:pass@', 'sha256:')
)

/** Undefined where the call refuses; a refusal is for people, on one line. */
function taken<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof ImageRefError)) throw error
    expect(/^[\x20-\x7e]+$/.test(error.message) ? faultsOf(error.message) : error.message).toEqual([])
    return undefined
  }
}

describe('parseReference', () => {
  it('takes what the grammar makes, as it is written', () => {
    const parts = [
      repositories,
      fc.option(tags, { nil: undefined }),
      fc.option(from(DIGEST), { nil: undefined })
    ] as const
    fc.assert(
      fc.property(...parts, (repository, tag, digest) => {
        const reference = [repository, tag && `:${tag}`, digest && `@${digest}`].join('')
        expect(parseReference(reference)).toStrictEqual({
          ...{ repository, reference },
          ...(tag !== undefined && { tag }),
          ...(digest !== undefined && { digest })
        })
      }),
      cases()
    )
  })

  it('takes what the grammar takes, and nothing else', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parts = partsOf(text)
        expect(taken(() => parseReference(text))?.reference).toBe(parts && text)
        expect(isReference(text)).toBe(parts !== undefined)
      }),
      cases()
    )
  })
})

describe('parseRepository', () => {
  it('takes references without tag and digest, and nothing else', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parts = partsOf(text)
        const alone = parts && parts.tag === undefined && parts.digest === undefined
        const expected = alone ? { registry: parts.registry, path: parts.path, repository: text } : undefined
        expect(taken(() => parseRepository(text))).toStrictEqual(expected)
      }),
      cases()
    )
  })

  it('repeats no password', () => {
    const password = 'Passw0rd'
    fc.assert(
      fc.property(fc.oneof(references, hostile()), hostile('/', 'https://'), (text, before) => {
        for (const user of [`user:${password}@`, `${before}${password}@`]) {
          expect(refusalOf(`${user}${text}/app`)).not.toContain(password)
        }
      }),
      cases()
    )
  })
})

describe('isTag', () => {
  it('takes what the grammar makes', () => {
    fc.assert(
      fc.property(tags, (tag) => isTag(tag)),
      cases()
    )
  })

  it('takes what the grammar takes, and nothing else', () => {
    const grammar = new RegExp(`^${TAG}$`)
    fc.assert(
      fc.property(
        fc.oneof(
          mutated(tags),
          hostile(),
          bordering.map((text) => text.replace(/^.*:/, ''))
        ),
        (text) => isTag(text) === grammar.test(text)
      ),
      cases()
    )
  })
})

describe('resolveTag', () => {
  it('takes a tag of the repository or a reference with a tag, and nothing else', () => {
    fc.assert(
      fc.property(repositories, fc.oneof(anything, tags, mutated(tags)), (repository, text) => {
        const parts = partsOf(text)
        const isFull = parts?.tag !== undefined && parts.digest === undefined
        const isName = new RegExp(`^${TAG}$`).test(text)
        const expected = isFull ? text : isName ? `${repository}:${text}` : undefined
        expect(taken(() => resolveTag(repository, text))).toBe(expected)
      }),
      cases()
    )
  })
})

describe('sameReference', () => {
  // few enough for two of them to be often the same
  const few = fc
    .tuple(
      fc.constantFrom('', 'docker.io/', 'index.docker.io/', 'Docker.io/', 'ghcr.io/', 'GHCR.io:443/', 'ghcr.io:5000/'),
      fc.constantFrom('app', 'library/app', 'octo/app', 'octo/library/app'),
      fc.constantFrom('', ':latest', ':1', ':Latest'),
      fc.constantFrom('', '', `@sha256:${'0'.repeat(64)}`, `@sha256:${'1'.repeat(64)}`)
    )
    .map((pieces) => pieces.join(''))

  /** The two sides of the comparison, written out. */
  function whole(text: string): string {
    const { registry = '', path, tag = 'latest', digest } = partsOf(text) ?? {}
    return `${registry.toLowerCase().replace(/:443$/, '')}/${path}${digest === undefined ? `:${tag}` : `@${digest}`}`
  }

  it('is true of what docker completes to the same, and of nothing else', () => {
    const other = fc.oneof({ weight: 4, arbitrary: few }, references)
    fc.assert(
      fc.property(few, other, (a, b) => {
        expect(sameReference(a, b)).toBe(whole(a) === whole(b))
      }),
      cases()
    )
  })

  it('is an equivalence', () => {
    fc.assert(
      fc.property(few, few, few, references, (a, b, c, any) => {
        expect(sameReference(any, any)).toBe(true)
        expect(sameReference(a, b)).toBe(sameReference(b, a))
        if (sameReference(a, b) && sameReference(b, c)) expect(sameReference(a, c)).toBe(true)
      }),
      cases()
    )
  })

  it('refuses what is no reference, on either side', () => {
    fc.assert(
      fc.property(anything, few, (text, reference) => {
        const isOne = partsOf(text) !== undefined
        expect(taken(() => sameReference(text, reference)) !== undefined).toBe(isOne)
        expect(taken(() => sameReference(reference, text)) !== undefined).toBe(isOne)
      }),
      cases()
    )
  })
})

function refusalOf(text: string): string {
  try {
    parseRepository(text)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}
