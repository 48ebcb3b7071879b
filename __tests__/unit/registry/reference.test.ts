import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { RegistryError } from '../../../src/registry/failure.ts'
import { addressOf, digestInRepository } from '../../../src/registry/reference.ts'
import { cases } from '../../support/cases.ts'

it.each([
  ['busybox', { registry: 'docker.io', path: 'library/busybox', target: 'latest' }],
  ['octo/app:1.2', { registry: 'docker.io', path: 'octo/app', target: '1.2' }],
  ['localhost:5000/a/b:c', { registry: 'localhost:5000', path: 'a/b', target: 'c' }],
  [`ghcr.io/a@sha256:${'a'.repeat(64)}`, { registry: 'ghcr.io', path: 'a', target: `sha256:${'a'.repeat(64)}` }],
  [`ghcr.io/a:b@sha256:${'a'.repeat(64)}`, { registry: 'ghcr.io', path: 'a', target: `sha256:${'a'.repeat(64)}` }]
])('addressOf %s', (reference, expected) => {
  expect(addressOf(reference)).toEqual(expected)
})

it('addressOf fails as a registry does for anything else, and never leads to another path', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', 'A', '.', '/', ':', '@', '..', '%2f', '?', '#', ' ', '$'),
        maxLength: 12
      }),
      (text) => {
        try {
          const { registry, path, target } = addressOf(text)
          const url = new URL(`https://${registry}/v2/${path}/manifests/${target}`)
          expect(url.pathname).toBe(`/v2/${path}/manifests/${target}`)
          expect(url.search + url.hash + url.username).toBe('')
        } catch (error) {
          expect(error).toBeInstanceOf(RegistryError)
        }
      }
    ),
    cases()
  )
})

it('digestInRepository takes a digest of the very repository', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  expect(digestInRepository(`busybox@${digest}`, 'docker.io/library/busybox:1')).toBe(digest)
  expect(digestInRepository(`ghcr.io/busybox@${digest}`, 'busybox:1')).toBeUndefined()
  expect(digestInRepository('busybox:1', 'busybox:1')).toBeUndefined()
})
