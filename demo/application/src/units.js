/** Units by symbol, each with the quantity it measures and how many of the quantity's first unit it is. */
export const units = {
  m: { quantity: 'length', size: 1 },
  km: { quantity: 'length', size: 1_000 },
  ft: { quantity: 'length', size: 0.3048 },
  mi: { quantity: 'length', size: 1_609.344 },
  kg: { quantity: 'mass', size: 1 },
  lb: { quantity: 'mass', size: 0.45359237 },
  l: { quantity: 'volume', size: 1 },
  pt: { quantity: 'volume', size: 0.56826125 }
}
