/** Maximum number of characters of an external text in a message. */
const MOST_SHOWN = 300

/**
 * Quotes an external text as a JSON string that is safe in a log line and a message: one short line without invisible
 * characters and without `##[`, which the runner interprets as a command anywhere in a line (actions/runner, `ActionCommand.cs`).
 *
 * @param unsafe characters to escape in addition to those that JSON requires
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

/** Formats a text for a message: unchanged if it is plain, otherwise as an ASCII JSON string; truncates a long text. */
export function show(text: string): string {
  const quoted = quote(text, /[^\x20-\x7e]/)
  const [, plain] = /^"([!#-[\]-~]+)"$/.exec(quoted) ?? []
  return plain ?? quoted
}

/** Converts an external text to one line that contains no workflow command. */
export function harmless(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
    .replaceAll('##[', '# #[')
    .replace(/^(\s*)::/, '$1: :')
}

/** Returns the parts before and after the first equals sign. */
export function splitAtEquals(text: string): [string, string] {
  const equals = text.indexOf('=')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** Truncates a long text. Counts characters, not UTF-16 units, so that it splits no character. */
export function shortened(value: string, most: number): string {
  // cut a very long text before counting its characters
  const characters = [...value.slice(0, 2 * most + 2)]
  return characters.length > most ? `${characters.slice(0, most).join('')}…` : value
}
