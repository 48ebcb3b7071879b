import { HttpError, json, router } from '@pocket/router'
import { ConversionError, convert } from './convert.js'
import { units } from './units.js'

/**
 * The request listener of the service.
 *
 * @param page the start page, as it is and compressed with gzip
 */
export function app(page) {
  return router({
    '/': (_url, headers) => {
      const compressed = /\bgzip\b/.test(headers['accept-encoding'] ?? '')
      return {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          vary: 'accept-encoding',
          ...(compressed ? { 'content-encoding': 'gzip' } : {})
        },
        body: compressed ? page.compressed : page.plain
      }
    },
    '/units': () => json(units),
    '/convert': ({ searchParams }) => {
      const [value, from, to] = ['value', 'from', 'to'].map((name) => {
        const text = searchParams.get(name)
        if (!text) throw new HttpError(400, `The parameter ${name} is missing.`)
        return text
      })
      try {
        return json({ value: Number(value), from, to, result: convert(Number(value), from, to) })
      } catch (error) {
        throw error instanceof ConversionError ? new HttpError(400, error.message) : error
      }
    }
  })
}
