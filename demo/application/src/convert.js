import { units } from './units.js'

/** A conversion that cannot be done; the message is one sentence. */
export class ConversionError extends Error {}

/** Converts `value` from one unit to another of the same quantity. */
export function convert(value, from, to) {
  if (!Number.isFinite(value)) throw new ConversionError('The value is not a number.')
  const [source, target] = [find(from), find(to)]
  if (source.quantity !== target.quantity) {
    throw new ConversionError(`${from} is a ${source.quantity}, but ${to} is a ${target.quantity}.`)
  }
  return (value * source.size) / target.size
}

function find(symbol) {
  if (!Object.hasOwn(units, symbol)) throw new ConversionError(`There is no unit ${JSON.stringify(symbol)}.`)
  return units[symbol]
}
