import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { UserError } from '../../src/errors.ts'
import { isReference, isTag } from '../../src/image-ref.ts'
import { crossCheck, type Inputs, readInputs } from '../../src/inputs.ts'
import { cases, hostile, mutated, oneLine, UNSEEN } from './cases.ts'
import { VALID } from './valid-inputs.ts'

const action = parse(readFileSync(join(import.meta.dirname, '../../action.yml'), 'utf8')) as { inputs: object }
const NAMES = Object.keys(action.inputs)

/** As the action does: the inputs, or why they are refused, which is one clear line that names one of `names`. */
function read(values: Record<string, string>, names: readonly string[] = Object.keys(values)): Inputs | string {
  try {
    const inputs = readInputs((name) => ({ image: 'ghcr.io/octo/app', ...values })[name] ?? '')
    crossCheck(inputs)
    expectTyped(inputs)
    return inputs
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    const { message } = error as UserError
    const [, one = '', other] = /^Inputs? ([a-z-]+)(?: and ([a-z-]+))?[: ]/.exec(message) ?? []
    expect(names).toEqual(expect.arrayContaining([names.includes(one) ? one : other]))
    expect(message).not.toMatch(UNSEEN)
    expect(message).not.toContain('##[')
    expect(message.length).toBeLessThanOrEqual(1_000)
    return message
  }
}

/** What the rest of the action relies upon. */
function expectTyped(inputs: Inputs): void {
  expect(isReference(inputs.image)).toBe(true)
  expect(inputs.tags.filter((tag) => !isReference(tag))).toEqual([])
  expect([inputs.builderTag, inputs.latestTag].every(isTag)).toBe(true)
  const { builderTarget, target, network, platform, shmSize, builder } = inputs
  for (const word of [builderTarget, target, network, platform, shmSize, builder])
    expect(word ?? 'x').toMatch(/^[^\s-]\S*$/)
  for (const path of [inputs.context, inputs.file]) expect(path ?? 'x').toMatch(/^[^-]/)
  for (const { id, value } of inputs.secrets) expect([/^[\w.-]+$/.test(id), value !== '']).toEqual([true, true])
  for (const label of inputs.labels) expect(label).toMatch(/^[^=\s]+=/)
  for (const arg of inputs.buildArgs) expect(arg).toMatch(/^[^=\s]+(=|$)/)
  for (const list of [inputs.tests, inputs.ssh, inputs.addHosts])
    expect(list.filter((line) => line.trim() !== line)).toEqual([])
  expect(inputs.retries).toEqual(Math.min(Math.max(Math.trunc(inputs.retries), 0), 10))
  const { testParallelism = 1, testTimeoutMinutes = 1 } = inputs
  expect([Number.isInteger(testParallelism), testParallelism > 0, testTimeoutMinutes > 0]).toEqual([true, true, true])
  // a timer of Node's holds 2^31 ms, and with more fires at once
  expect(testTimeoutMinutes * 60_000).toBeLessThan(2 ** 31)
  expect(typeof inputs.skipUnchangedTests).toBe('boolean')
  expect(['auto', 'always', 'never']).toContain(inputs.push)
  expect(['none', 'warn', 'fail']).toContain(inputs.expectCache)
}

function field(name: string): keyof Inputs {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) as keyof Inputs
}

function textsOf(name: string): fc.Arbitrary<string> {
  return (VALID[name] ?? hostile()).map((valid) => (typeof valid === 'string' ? valid : valid.text))
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
        const areSame = expected.builderTag === expected.latestTag
        expect(read(texts)).toEqual(areSame ? expect.stringMatching(/^Inputs builder-tag and latest-tag /) : expected)
      }),
      cases()
    )
  })
})

describe('whatever an input is, it is taken or refused in one clear line', () => {
  it.each(NAMES)('%s', (name) => {
    const texts = textsOf(name)
    fc.assert(
      fc.property(
        fc.oneof(mutated(texts), mutated(mutated(texts)), hostile(), fc.stringMatching(/^[-a-z "=,:]*$/)),
        (text) => {
          read({ [name]: text })
        }
      ),
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
