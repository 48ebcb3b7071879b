import fc from 'fast-check'
import type { Test } from '../../src/action/tests.ts'
import { hostile, oneLine } from './cases.ts'

/** A text for an input, and what it means: with a value for `image` where that matters. */
export interface Valid {
  text: string
  means: (image: string) => unknown
}

/** An input's text with its meaning, padded as YAML's block scalars may pad it. */
function valid<T>(values: fc.Arbitrary<T>, text: (value: T) => string, means: (value: T, image: string) => unknown) {
  const padding = fc.constantFrom('', ' ', '\n', ' \r\n\t')
  return fc.tuple(values, padding, padding).map(([value, before, after]) => ({
    text: `${before}${text(value)}${after}`,
    means: (image: string) => means(value, image)
  }))
}

function as<T>(texts: fc.Arbitrary<string>, means: (text: string, image: string) => T) {
  return valid(texts, (text) => text, means)
}

const itself = (text: string): string => text

/** One an item a line, with blank lines between. */
function lines<T>(
  items: fc.Arbitrary<T>,
  text: (item: T) => string,
  means: (items: T[], image: string) => unknown,
  ends = fc.constantFrom('\n', '\r\n', '\n\n', ' \n  ', '\t\r\n \n')
) {
  return valid(
    fc.array(fc.tuple(items, ends), { minLength: 1, maxLength: 5 }),
    (rows) => rows.map(([item, end]) => `${text(item)}${end}`).join(''),
    (rows, image) =>
      means(
        rows.map(([item]) => item),
        image
      )
  )
}

const line = oneLine(hostile(',', ', ', '"a, b"'))
/** A line without commas, and not in quotes. */
const item = line.map((text) => text.replaceAll(/[,"]/g, '').trim()).filter((text) => text !== '')
/** A command of one line; one that begins with a dash or #, or ends with a backslash, & or |, means something else. */
const command = line.map((text) => text.replace(/^[-#\s]+/, '').replace(/[\\\s&|]+$/, '')).filter((text) => text !== '')
const asTests = (items: string[]): Test[] => items.map((one) => ({ command: one, options: [] }))
const notIndenting = fc.constantFrom('\n', '\r\n', '\n\n', '\t\r\n \n')
const word = hostile(',')
  .map((text) => text.replaceAll(/\s/g, '').replace(/^-+/, ''))
  .filter((text) => text !== '')

/** What csv reads as it is: without NUL, and no lone surrogates, which are in no environment. */
function forCsv(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return texts.map((text) => text.replaceAll(/[\0\p{Cs}]/gu, ''))
}

/** What looks like several items on one line. */
const LIST = /^[A-Za-z_][\w.-]*=[^=]*(,\s*[A-Za-z_][\w.-]*=[^=]*)+$/

/** A line `key=value`, and the same in quotes, where it may span lines and end in a space. */
function records(keys: fc.Arbitrary<string>, means: (pairs: [string, string][]) => unknown) {
  const value = forCsv(hostile(',', '"a, b"', '=')).map((text) => text.replaceAll('\n', '').trimEnd() || 'v')
  const plain = fc
    .tuple(keys, value)
    .filter(([key, text]) => !key.startsWith('"') && !LIST.test(`${key}=${text}`))
    .map(([key, text]) => ({ pair: [key, text] as [string, string], text: `${key}=${text}` }))
  const spanning = forCsv(hostile('\n', '""', ' ')).map((text) => text || '\n')
  const quoted = fc.tuple(keys, spanning).map(([key, text]) => ({
    pair: [key, text] as [string, string],
    text: `"${`${key}=${text}`.replaceAll('"', '""')}"`
  }))
  return lines(
    fc.oneof(plain, quoted),
    ({ text }) => text,
    (items) => means(items.map(({ pair }) => pair))
  )
}

const key = forCsv(word)
  .map((text) => text.replaceAll('=', ''))
  .filter((text) => text !== '')
const joined = (pairs: [string, string][]): string[] => pairs.map((pair) => pair.join('='))

const component = fc.stringMatching(/^[a-z0-9]{1,5}((\.|_|__|-+)[a-z0-9]{1,5}){0,2}$/)
const image = fc
  .tuple(fc.constantFrom('octo/', 'ghcr.io/', 'localhost:5000/', 'Registry.example/', '[::1]:5000/'), component)
  .map((pieces) => pieces.join(''))
const tag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/)

const branch = fc.stringMatching(/^[a-z][a-z0-9._-]{0,9}(\/[a-zé0-9._-]{1,9})?$/)

/** Options of `docker run` with a value that a shell would have to quote, as one or two words. */
const runOption = fc
  .tuple(
    fc.constantFrom('--env', '--volume', '-e', '-v', '--network', '--shm-size', '--add-host'),
    line.map((text) => text.replaceAll('"', '')).filter((text) => /^[^\s-]/.test(text)),
    fc.constantFrom(' ', '=')
  )
  .map(([name, value, between]) => ({
    text: `${name}${between}"${value}"`,
    words: between === ' ' ? [name, value] : [`${name}=${value}`]
  }))
const runSwitch = fc
  .constantFrom('--privileged', '--init', '--read-only', '-P')
  .map((name) => ({ text: name, words: [name] }))

/** What stands to the right of a name: one of each kind. */
const CONTEXTS = { folder: 'a folder, there', image: 'docker-image://alpine:3.22', other: 'https://example.com/a.git' }

const pathLike = forCsv(line)
  .map((text) => text.replaceAll('"', '').trim())
  .filter((text) => text !== '')

function attestation(...attributes: string[]): fc.Arbitrary<Valid> {
  return valid(fc.constantFrom('true', 'TRUE', 'false', ...attributes), itself, (text) =>
    text === 'false' ? undefined : text.toLowerCase() === 'true' ? 'true' : text
  )
}

/** Every input of action.yml: texts that are right, and what they mean. */
export const VALID: Record<string, fc.Arbitrary<Valid>> = {
  image: as(image, itself),
  context: as(line, (text) => (text.startsWith('-') ? `./${text}` : text)),
  file: as(line, (text) => (text.startsWith('-') ? `./${text}` : text)),
  'builder-target': as(word, itself),
  target: as(word, itself),
  tests: lines(command, itself, asTests, notIndenting),
  'production-tests': lines(command, itself, asTests, notIndenting),
  checks: lines(command, itself, asTests, notIndenting),
  'test-options': lines(
    fc.oneof(runOption, runSwitch),
    ({ text }) => text,
    (options) => options.flatMap(({ words }) => words)
  ),
  'test-parallelism': valid(fc.integer({ min: 1, max: 999_999 }), String, Number),
  'test-timeout-minutes': valid(
    fc.integer({ min: 1, max: 8_640_000 }),
    (most) => String(most / 1_000),
    (most) => most / 1_000
  ),
  'test-reports': lines(
    item.map((text) => text.replaceAll(/[*?\0]/g, '').trim()).filter((text) => text !== ''),
    itself,
    (items) => items
  ),
  'reports-directory': as(line, (text) => (text.startsWith('-') ? `./${text}` : text)),
  'skip-unchanged-tests': valid(fc.boolean(), String, Boolean),
  'build-args': records(key, joined),
  labels: records(key, joined),
  annotations: records(
    key.map((text) => text.replaceAll(':', '') || 'k'),
    joined
  ),
  secrets: records(fc.stringMatching(/^[A-Za-z0-9_.-]+$/), (pairs) =>
    pairs.filter(([, value]) => value.trim() !== '').map(([id, value]) => ({ id, value }))
  ),
  'secret-files': lines(
    // an id must not be that of another secret
    fc.tuple(fc.stringMatching(/^file_[\w.-]*$/), pathLike),
    (pair) => pair.join('='),
    (pairs) => pairs.map(([id, path]) => ({ id, path }))
  ),
  'secret-envs': lines(
    fc.tuple(fc.stringMatching(/^env_[\w.-]*$/), fc.stringMatching(/^[A-Za-z_]\w*$/)),
    (pair) => pair.join('='),
    (pairs) => pairs.map(([id, variable]) => ({ id, variable }))
  ),
  ssh: lines(item, itself, (items) => items),
  'add-hosts': lines(
    fc.tuple(
      fc.stringMatching(/^[a-z0-9.]([a-z0-9.-]*)$/),
      fc.constantFrom(':', '='),
      fc.constantFrom('10.0.0.1', '::1', '[::1]', 'host-gateway')
    ),
    (host) => host.join(''),
    (hosts) => hosts.map((host) => host.join(''))
  ),
  network: as(word, itself),
  platform: as(fc.constantFrom('linux', 'linux/amd64', 'linux/arm/v7', 'windows/amd64', 'linux/x86_64'), itself),
  // several must contain the input platform
  platforms: as(fc.constant(''), () => []),
  'shm-size': as(word, itself),
  ulimit: lines(fc.constantFrom('nofile=1024', 'nofile=1024:4096', 'nproc=-1', 'core=0:-1'), itself, (items) => items),
  'build-contexts': valid(
    fc.uniqueArray(fc.tuple(component, fc.constantFrom('folder' as const, 'image' as const, 'other' as const)), {
      minLength: 1,
      maxLength: 4,
      selector: ([name]) => name
    }),
    (items) => items.map(([name, kind]) => `${name}=${CONTEXTS[kind]}`).join('\n'),
    (items) => items.map(([name, kind]) => ({ name, value: CONTEXTS[kind], kind }))
  ),
  'no-cache': valid(fc.boolean(), String, Boolean),
  'no-cache-filters': lines(
    word.map((name) => name.replaceAll(/[,"]/g, '')).filter((name) => name !== ''),
    itself,
    (names) => [...new Set(names)]
  ),
  pull: valid(fc.boolean(), String, Boolean),
  provenance: attestation('mode=max', 'mode=min,inline-only=true'),
  sbom: attestation('generator=docker/scout-sbom-indexer:latest'),
  tags: lines(
    fc.oneof(
      tag.map((name) => ({ text: name, isName: true })),
      fc.tuple(image, tag).map((parts) => ({ text: parts.join(':'), isName: false }))
    ),
    ({ text }) => text,
    (items, repository) => items.map(({ text, isName }) => (isName ? `${repository}:${text}` : text))
  ),
  'commit-tag': as(
    fc.tuple(fc.constantFrom('', 'sha-', 'v1.'), fc.constantFrom('{short}', '{sha}')).map((parts) => parts.join('')),
    itself
  ),
  'builder-tag': as(tag, itself),
  'latest-tag': as(tag, itself),
  'cache-stages': fc.oneof(
    as(fc.constantFrom('auto', 'none'), itself),
    lines(
      word
        .map((name) => name.replaceAll(/[,"]/g, ''))
        .filter((name) => !['', 'auto', 'none'].includes(name) && !name.startsWith('-')),
      itself,
      (names) => [...new Set(names)]
    )
  ),
  'cache-tags': as(fc.constantFrom('all', 'publish-branch', 'none'), itself),
  'expect-cache': as(fc.constantFrom('none', 'warn', 'fail'), itself),
  'publish-branch': lines(branch, itself, (names) => [...new Set(names)]),
  push: as(fc.constantFrom('auto', 'always', 'never'), itself),
  'dry-run': valid(fc.boolean(), String, Boolean),
  retries: valid(fc.integer({ min: 0, max: 10 }), String, Number),
  builder: as(word, itself),
  'remove-images': as(fc.constantFrom('auto', 'always', 'never'), itself),
  'github-token': as(line, itself)
}
