import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { crossCheck, type Inputs, readInputs } from '../../../src/action/inputs.ts'
import { UserError } from '../../../src/lib/errors.ts'
import { isReference, isTag } from '../../../src/registry/image-reference.ts'
import { ownUseOf } from '../../../src/registry/reserved-tags.ts'
import { cases, faultsOf, hostile, mutated, oneLine } from '../../support/cases.ts'
import { VALID } from '../../support/valid-inputs.ts'

const action = parse(readFileSync(join(import.meta.dirname, '../../../action.yml'), 'utf8')) as { inputs: object }
const NAMES = Object.keys(action.inputs)

/** As the action does: the inputs, or why they are refused, which is one clear line that names one of `names`. */
function read(values: Record<string, string>, names: readonly string[] = Object.keys(values)): Inputs | string {
  let inputs: Inputs
  try {
    inputs = readInputs((name) => ({ image: 'ghcr.io/octo/app', ...values })[name] ?? '')
    crossCheck(inputs)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const [, one = '', other = ''] = /^Inputs? ([a-z-]+)(?: and ([a-z-]+))?[: ]/.exec(error.message) ?? []
    expect(names.includes(one) || names.includes(other) ? faultsOf(error.message) : error.message).toEqual([])
    return error.message
  }
  expect(wrongOf(inputs)).toEqual([])
  return inputs
}

/** The fields that are not as the rest of the action relies upon. */
function wrongOf(inputs: Inputs): string[] {
  const {
    testParallelism = 1,
    testTimeoutMinutes = 1,
    builderTarget,
    target,
    network,
    platform,
    shmSize,
    builder
  } = inputs
  const { context, file = 'x', retries } = inputs
  const areRight = {
    references: [inputs.image, ...inputs.tags].every(isReference),
    tags: isTag(inputs.builderTag) && isTag(inputs.latestTag) && inputs.builderTag !== inputs.latestTag,
    words: [builderTarget, target, network, platform, shmSize, builder].every((word) =>
      /^[^\s-]\S*$/.test(word ?? 'x')
    ),
    paths: /^[^-]/.test(context) && /^[^-]/.test(file),
    secrets: inputs.secrets.every(({ id, value }) => /^[\w.-]+$/.test(id) && value !== ''),
    labels: inputs.labels.every((label) => /^[^=\s]+=/.test(label)),
    buildArgs: inputs.buildArgs.every((arg) => /^[^=\s]+(=|$)/.test(arg)),
    hosts: inputs.addHosts.every((host) => /^[^\s:=-][^\s:=]*[:=]\S+$/.test(host)),
    lines: [...inputs.tests.map(({ command }) => command), ...inputs.ssh, ...inputs.addHosts].every(
      (line) => line !== '' && line.trim() === line
    ),
    retries: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].includes(retries),
    parallelism: Number.isInteger(testParallelism) && testParallelism > 0,
    // a timer of Node's holds 2^31 ms, and with more fires at once
    timeout: testTimeoutMinutes > 0 && testTimeoutMinutes * 60_000 < 2 ** 31,
    choices:
      ['auto', 'always', 'never'].includes(inputs.push) &&
      ['none', 'warn', 'fail'].includes(inputs.expectCache) &&
      ['all', 'publish-branch', 'none'].includes(inputs.cacheTags) &&
      ['auto', 'always', 'never'].includes(inputs.removeImages)
  }
  return Object.entries(areRight).flatMap(([name, isRight]) => (isRight ? [] : [name]))
}

function field(name: string): keyof Inputs {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) as keyof Inputs
}

function textsOf(name: string): fc.Arbitrary<string> {
  return VALID[name]?.map(({ text }) => text) ?? hostile()
}

describe('inputs that are right', () => {
  it('are made for every input of action.yml', () => {
    expect(Object.keys(VALID)).toEqual(NAMES)
  })

  it('are taken as they are meant, all at once', () => {
    fc.assert(
      fc.property(fc.record(VALID), (all) => {
        const texts = Object.fromEntries(Object.entries(all).map(([name, { text }]) => [name, text]))
        const image = String(all.image?.means(''))
        const expected = Object.fromEntries(Object.entries(all).map(([name, { means }]) => [field(name), means(image)]))
        const actual = read(texts)
        const { builderTag, latestTag, tags, publishBranch } = expected as unknown as Inputs
        const own = { builderTag, latestTag }
        const taken = tags.some((tag) => tag.startsWith(`${image}:`) && ownUseOf(tag.slice(image.length + 1), own))
        if (builderTag === latestTag || builderTag === `${latestTag}-cache` || ownUseOf(latestTag, own)) {
          expect(actual).toMatch(/^Inputs builder-tag and latest-tag /)
        } else if (taken) {
          expect(actual).toMatch(/^Input tags has .*, but the action uses this tag for /)
        } else if (typeof actual === 'string' && publishBranch.length > 1) {
          // the tags of a further branch may be those of another image
          expect(actual).toMatch(/^Inputs builder-tag and latest-tag |^Input (tags|publish-branch|commit-tag) /)
        } else {
          expect(actual).toEqual(expected)
        }
      }),
      cases()
    )
  })
})

describe('whatever an input is, it is taken or refused in one clear line', () => {
  const long = fc
    .tuple(fc.constantFrom('A', 'a', '0', '-', '=', '"', ',', 'a='), fc.constantFrom('', '=', ':', '/app', ':1', '\n'))
    .map(([character, end]) => `${character.repeat(3_000)}${end}`)
  const odd = fc.oneof(hostile(), fc.stringMatching(/^[-a-z "=,:]*$/), long)

  it.each(NAMES)('%s', (name) => {
    const texts = textsOf(name)
    fc.assert(
      fc.property(fc.oneof(mutated(texts), mutated(mutated(texts)), odd), (text) => {
        read({ [name]: text })
      }),
      cases()
    )
  })

  it('all of them at once', () => {
    const texts = fc.record(
      Object.fromEntries(NAMES.map((name) => [name, fc.oneof(textsOf(name), mutated(textsOf(name)))]))
    )
    fc.assert(
      fc.property(texts, (values: Record<string, string>) => {
        read(values, NAMES)
      }),
      cases()
    )
  })
})

describe('secrets', () => {
  it('are in no refusal: it is the same for every value', () => {
    const marker = 'S3cr3tM4rker'
    const pieces = hostile('"', '""', '=', 'id=', '\n', '"id=', marker)
    fc.assert(
      fc.property(pieces, pieces, (before, after) => {
        const secrets = `${before}${marker}${after}`
        const refusal = read({ secrets })
        const other = read({ secrets: secrets.replaceAll(marker, 'AN0TH3R.ONE_') })
        if (typeof refusal === 'string') expect(other).toBe(refusal)
        expect(typeof other).toBe(typeof refusal)
      }),
      cases()
    )
  })
})

describe('options that would take the container away from us', () => {
  const spelled = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('detach', 'tty', 'interactive', 'help', 'rm', 'name', 'cidfile', 'entrypoint'),
        fc.constantFrom('', '=', '=true'),
        oneLine(hostile()).map((text) => text.replaceAll(/["']/g, ''))
      )
      .map(([name, equals, value]) => `--${name}${equals}${equals === '=' ? `"${value}"` : ''}`),
    fc.stringMatching(/^-[Pq]{0,2}[dti]{1,3}[Pq]{0,2}(=true|=1)?$/)
  )

  it('are never taken, however they are spelled', () => {
    const quotes = fc.array(fc.tuple(fc.nat(20), fc.constantFrom('""', "''")), { maxLength: 2 })
    fc.assert(
      fc.property(spelled, quotes, fc.boolean(), (option, places, alone) => {
        const text = places.reduce((line, [at, quote]) => insertOutside(line, at, quote), option)
        expect(read({ 'test-options': alone ? text : `--init\n${text}\n--env A=b` })).toMatch(/which cannot be used/)
      }),
      cases()
    )
  })
})

/** Puts empty quotes somewhere into an option's name, where they mean nothing. */
function insertOutside(text: string, at: number, quotes: string): string {
  const index = at % (/[="']|$/.exec(text)?.index || 1)
  return text.slice(0, index) + quotes + text.slice(index)
}
