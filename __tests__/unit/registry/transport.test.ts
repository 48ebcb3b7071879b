import { expect, it } from '@jest/globals'
import { isInsecure } from '../../../src/registry/transport.ts'

it.each<[string, boolean]>([
  ['127.0.0.1:5000', true],
  ['localhost', true],
  ['[::1]:5000', true],
  ['registry.example:5000', true],
  ['registry.example:5001', false],
  ['registry.example', false],
  ['10.1.2.3:5000', true],
  ['11.1.2.3', false],
  ['ghcr.io', false]
])('isInsecure %s: %s', (registry, expected) => {
  expect(
    isInsecure(registry, { hosts: ['registry.example:5000'], ranges: ['10.0.0.0/8', 'nonsense', '10.0.0.0/99'] })
  ).toBe(expected)
})
