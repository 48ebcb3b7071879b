import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseChallenges } from '../../../src/registry/challenge.ts'
import { cases } from '../../support/cases.ts'

const bearer = (parameters: Record<string, string>) => [{ scheme: 'bearer', parameters }]

describe('parseChallenges', () => {
  it.each([
    ['', []],
    ['Basic realm="registry"', [{ scheme: 'basic', parameters: { realm: 'registry' } }]],
    ['BASIC', [{ scheme: 'basic', parameters: {} }]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:octo/app:pull"',
      bearer({
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:octo/app:pull'
      })
    ],
    ['Bearer Realm=a , SERVICE = "b"', bearer({ realm: 'a', service: 'b' })],
    ['Bearer realm="a \\"quoted\\" \\\\ b"', bearer({ realm: 'a "quoted" \\ b' })],
    ['Bearer realm="a",realm="b"', bearer({ realm: 'a' })],
    [
      'Bearer scope="repository:a:pull,push repository:b:pull"',
      bearer({ scope: 'repository:a:pull,push repository:b:pull' })
    ],
    [
      'Basic realm="x", Bearer realm="y"',
      [
        { scheme: 'basic', parameters: { realm: 'x' } },
        { scheme: 'bearer', parameters: { realm: 'y' } }
      ]
    ],
    [
      'Negotiate, Basic realm="x"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } }
      ]
    ],
    ['"no scheme", Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
    ['Bearer realm="without an end', [{ scheme: 'bearer', parameters: {} }]],
    ['Bearer __proto__="x"', bearer(JSON.parse('{"__proto__":"x"}'))]
  ])('%s', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected)
  })

  it('reads what it wrote, and no parameter of one challenge gets into another', () => {
    const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,9}$/)
    const challenge = fc.record({
      scheme: token,
      parameters: fc.uniqueArray(fc.tuple(token, fc.string()), {
        selector: ([name]) => name.toLowerCase(),
        minLength: 1,
        maxLength: 4
      })
    })
    const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 3 }), (challenges) => {
        const header = challenges
          .map(
            ({ scheme, parameters }) =>
              `${scheme} ${parameters.map(([name, text]) => `${name}=${quoted(text)}`).join(',')}`
          )
          .join(', ')
        fc.pre(header.length < 8_000)
        const expected = challenges.map(({ scheme, parameters }) => ({
          scheme: scheme.toLowerCase(),
          parameters: Object.fromEntries(parameters.map(([name, text]) => [name.toLowerCase(), text]))
        }))
        expect(parseChallenges(header)).toEqual(expected)
      }),
      cases()
    )
  })

  it('ends with any header, however hostile, and fast', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('"', '\\', '=', ',', ' ', 'a', 'Basic ', 'realm="'), maxLength: 200 }),
        (text) => {
          expect(Array.isArray(parseChallenges(text))).toBe(true)
        }
      ),
      cases()
    )
    const start = performance.now()
    for (const part of ['a=', '"\\', ',', 'a ', 'Basic a="']) parseChallenges(part.repeat(100_000))
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})
