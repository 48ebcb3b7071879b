import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConversionError, convert } from '../../src/convert.js'

test('converts between units of one quantity', () => {
  assert.equal(convert(1, 'km', 'm'), 1_000)
  assert.equal(convert(5_280, 'ft', 'mi'), 1)
  assert.equal(convert(2, 'lb', 'kg'), 0.90718474)
})

test('goes there and back', () => {
  for (const [from, to] of [
    ['km', 'mi'],
    ['kg', 'lb'],
    ['l', 'pt']
  ]) {
    assert.ok(Math.abs(convert(convert(3, from, to), to, from) - 3) < 1e-9)
  }
})

test('refuses what cannot be converted', () => {
  assert.throws(() => convert(1, 'km', 'kg'), new ConversionError('km is a length, but kg is a mass.'))
  assert.throws(() => convert(1, 'km', 'parsec'), new ConversionError('There is no unit "parsec".'))
  assert.throws(() => convert(1, 'toString', 'm'), new ConversionError('There is no unit "toString".'))
  assert.throws(() => convert(Number.NaN, 'km', 'm'), new ConversionError('The value is not a number.'))
})
