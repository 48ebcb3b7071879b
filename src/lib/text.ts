/** At most so many characters of a text from outside are in a message. */
const MOST_SHOWN = 300

/**
 * Text from outside as a JSON string that is safe in a log line and a message: one short line, nothing invisible, and no
 * `##[`, which the runner takes for a command anywhere in a line (actions/runner, `ActionCommand.cs`).
 *
 * @param unsafe what is written as an escape beyond what JSON demands
 */
export function quote(text: string, unsafe = /(?! )[\p{C}\p{Z}]/u): string {
  let shown = ''
  for (const [part] of text.matchAll(/##\[|./gsu)) {
    const json = JSON.stringify(part).slice(1, -1)
    const safe = part === '##[' ? `##${jsonEscape('[')}` : unsafe.test(json) ? jsonEscape(part) : json
    if (shown.length + safe.length > MOST_SHOWN) return `"${shown}..."`
    shown += safe
  }
  return `"${shown}"`
}

function jsonEscape(text: string): string {
  return text.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A text for a message: as it is if it is plain, else as a JSON string of ASCII; cut short if it is long. */
export function show(text: string): string {
  const quoted = quote(text, /[^\x20-\x7e]/)
  const [, plain] = /^"([!#-[\]-~]+)"$/.exec(quoted) ?? []
  return plain ?? quoted
}

/** A text of others as one line of ours that holds no workflow command. */
export function harmless(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
    .replaceAll('##[', '# #[')
    .replace(/^(\s*)::/, '$1: :')
}

/** The two sides of the first equals sign. */
export function splitAtEquals(text: string): [string, string] {
  const equals = text.indexOf('=')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** The beginning of a long text. Counts characters, not UTF-16 units: none is cut in two. */
export function shortened(value: string, most: number): string {
  // long before it is counted
  const characters = [...value.slice(0, 2 * most + 2)]
  return characters.length > most ? `${characters.slice(0, most).join('')}…` : value
}
