import { parse } from 'csv-parse/sync'
import { messageOf, UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import { isTag } from '../registry/image-reference.ts'

/** Returns the value of an input by its name in action.yml, or '' if it is not set. */
export type Get = (name: string) => string

export function optional(get: Get, name: string): string | undefined {
  const value = get(name).trim()
  return value === '' ? undefined : value
}

export function required(get: Get, name: string, example: string): string {
  const value = optional(get, name)
  if (value === undefined) throw new UserError(`Input ${name} is missing: give ${example}`)
  return value
}

/** Returns a path that docker cannot interpret as an option or as standard input. */
export function path(get: Get, name: string): string | undefined {
  const value = optional(get, name)
  return value?.startsWith('-') ? `./${value}` : value
}

/** Returns a value for a separate argument of docker: one word that docker cannot interpret as an option. */
export function argument(get: Get, name: string): string | undefined {
  const value = optional(get, name)
  if (value !== undefined && (value.startsWith('-') || /\s/.test(value))) {
    throw new UserError(`Input ${name} is ${quote(value)}; it must be one word that does not begin with a dash`)
  }
  return value
}

/** Reads one item per line; ignores blank lines and spaces around an item. */
export function lines(get: Get, name: string): string[] {
  return get(name)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** Says that an input lists items on one line. */
export function oneALine(name: string, what: string): UserError {
  return new UserError(`Input ${name} has ${what}, with a comma between items; give one item a line`)
}

/**
 * Reads items like `lines` that contain no commas; one in double quotes is taken as it is, as in docker/build-push-action.
 *
 * @param isList whether an item without quotes is a list with commas
 * @throws UserError for such a list
 */
export function words(get: Get, name: string, isList = (line: string): boolean => line.includes(',')): string[] {
  const items = lines(get, name).map((line) => {
    if (/^"([^"]|"")*"$/.test(line)) return line.slice(1, -1).replaceAll('""', '"').trim()
    if (isList(line)) throw oneALine(name, `the line ${quote(line)}`)
    return line
  })
  return items.filter((item) => item !== '')
}

/** An item of `records`. */
interface Item {
  text: string
  isQuoted: boolean
}

/**
 * Reads items like `lines`, but an item in double quotes may span lines, as in docker/build-push-action.
 *
 * @throws UserError, also for a list with commas on one line
 */
export function records(get: Get, name: string): string[] {
  let rows: Item[][]
  try {
    rows = parse(get(name), {
      // one field per record, whatever its content: commas do not separate items
      delimiter: '\u0000',
      // by default, the parser uses the first line end that it finds for all lines, but the next may differ
      record_delimiter: ['\r\n', '\n'],
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
      cast: (text, { quoting }): Item => ({ text, isQuoted: quoting })
    }) as unknown as Item[][]
  } catch (error) {
    throw new UserError(
      `Input ${name} cannot be read: ${messageOf(error)}; give one item a line, and put an item of several lines in double quotes, with its own double quotes doubled`
    )
  }
  const items = rows.flat().filter(({ text }) => text !== '')
  const [only] = items
  if (items.length === 1 && only && !only.isQuoted && isListOfPairs(only.text)) {
    throw new UserError(
      `Input ${name} has a list on one line, with a comma between items; give one item a line, or put the line into double quotes if it is one item`
    )
  }
  return items.map(({ text }) => text)
}

/** Returns whether a line is `a=1,b=2`; a value with further equals signs is not taken apart. */
function isListOfPairs(line: string): boolean {
  const pieces = line.split(',')
  return pieces.length > 1 && pieces.every((piece) => /^\s*[A-Za-z_][\w.-]*=[^=]*$/.test(piece))
}

export function pair(name: string, form: string, item: string, valueOptional = false): string {
  const equals = item.indexOf('=')
  const key = equals < 0 ? item : item.slice(0, equals)
  if ((equals < 0 && !valueOptional) || key === '' || /\s/.test(key)) {
    throw new UserError(
      `Input ${name} has ${lineBeginning(item)}; each line must be ${form}, and an item of several lines must be in double quotes`
    )
  }
  return item
}

/** Describes a line by its beginning, because the rest may be a secret. */
export function lineBeginning(item: string): string {
  const [beginning = ''] = /^[^\s=]*=?/.exec(item) ?? []
  return beginning === item ? `the line ${quote(item)}` : `a line that begins with ${quote(beginning)}`
}

export function wholeNumber(get: Get, name: string): number | undefined {
  const value = optional(get, name)
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(value)) {
    throw new UserError(`Input ${name} is ${quote(value)}; it must be a whole number from 1 up`)
  }
  return Number(value)
}

/** Six days, well below the longest timer of Node.js (2^31 ms, about 24 days) and above the time limit of any job. */
const MOST_MINUTES = 8_640

export function minutes(get: Get, name: string): number | undefined {
  const value = optional(get, name)
  if (value === undefined) return undefined
  const number = /^\d{1,5}(\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN
  if (!(number > 0 && number <= MOST_MINUTES)) {
    throw new UserError(
      `Input ${name} is ${quote(value)}; it must be a number of minutes above 0 and at most ${MOST_MINUTES}`
    )
  }
  return number
}

export function tagName(get: Get, name: string, otherwise: string): string {
  const value = optional(get, name) ?? otherwise
  if (!isTag(value)) {
    throw new UserError(
      `Input ${name} is ${quote(value)}; a tag is at most 128 letters, digits, dots, dashes and underscores and begins with none of dot and dash`
    )
  }
  return value
}

export function oneOf<T extends string>(get: Get, name: string, values: readonly [T, ...T[]], otherwise: T): T {
  const value = optional(get, name) ?? otherwise
  const known = values.find((other) => other === value)
  if (known !== undefined) return known
  const list = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
  throw new UserError(`Input ${name} is ${quote(value)}; it must be ${list}`)
}

/** Reads a boolean in the spellings of YAML, as @actions/core does. */
export function yesOrNo(get: Get, name: string): boolean {
  const value = optional(get, name) ?? 'false'
  if (/^(true|True|TRUE|false|False|FALSE)$/.test(value)) return value.toLowerCase() === 'true'
  throw new UserError(`Input ${name} is ${quote(value)}; it must be true or false`)
}

/** Adds the name of the input to the error of a parser that does not know it. */
export function check<T>(name: string, parseValue: () => T): T {
  try {
    return parseValue()
  } catch (error) {
    throw new UserError(`Input ${name}: ${messageOf(error)}`)
  }
}

/** With a pause that doubles from one second, the tenth retry starts after about a quarter of an hour. */
const MOST_RETRIES = 10

export function retries(get: Get): number {
  const value = optional(get, 'retries') ?? '3'
  if (!/^\d{1,2}$/.test(value) || Number(value) > MOST_RETRIES) {
    throw new UserError(`Input retries is ${quote(value)}; it must be a whole number from 0 to ${MOST_RETRIES}`)
  }
  return Number(value)
}
