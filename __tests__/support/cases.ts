import fc from 'fast-check'

/** How many cases a property tries: `most` where CASES is `long`, else few enough for every run of the tests. */
export function cases(most = 10_000): { numRuns: number } {
  return { numRuns: process.env.CASES === 'long' ? most : Math.ceil(most / 40) }
}

/** What separates, begins or ends something for a shell, csv, docker, Markdown, git, the runner or a terminal. */
const NASTY = [
  '\n \r \r\n \t \0 \u0007 \u001b[31m \u007f \u0085 \u2028 \u2029 \u202e \u2066 \u200b \ufeff \u{e0001} \ud800 \udc00',
  '" \' ` , = : ; | & \\ / @ . .. - -- # * ~ < > %0A $(id) ::error:: ##[error] ##[ ${{ <b> é ſ 日本 🐳'
].flatMap((pieces) => pieces.split(' '))
NASTY.push(' ', '\u00a0')

/** A text of any kind, most often of a few nasty pieces between ordinary ones; now and then a very long one. */
export function hostile(...more: string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...NASTY, ...more) },
    { weight: 2, arbitrary: fc.string({ maxLength: 8 }) },
    fc.string({ unit: 'grapheme', maxLength: 4 }),
    fc.string({ unit: 'binary', maxLength: 4 })
  )
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  const long = fc.tuple(text, fc.integer({ min: 100, max: 2_000 })).map(([part, times]) => part.repeat(times))
  return fc.oneof({ weight: 40, arbitrary: text }, long)
}

/** A text with one to three places changed: something nasty put in, or in the place of a character, or one left out. */
export function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.nat(300), without: fc.nat(1), put: fc.oneof(fc.constant(''), piece()) })
  return fc.tuple(texts, fc.array(change, { minLength: 1, maxLength: 3 })).map(([text, changes]) =>
    changes.reduce((changed, { at, without, put }) => {
      const index = at % (changed.length + 1)
      return changed.slice(0, index) + put + changed.slice(index + without)
    }, text)
  )
}

function piece(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(...NASTY),
    fc.string({ minLength: 1, maxLength: 1 }),
    fc.constantFrom('A', 'a', '0', '_')
  )
}

/** A text on one line: what `text` holds with its line breaks left out, and nothing around it that would be trimmed. */
export function oneLine(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return texts.map((text) => text.replaceAll('\n', '').trim()).filter((text) => text !== '')
}

/** What is invisible, moves the cursor, changes the direction or ends a line somewhere. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u

/** What is wrong with a message, which shall be one clear line however long and odd that is which it is about. */
export function faultsOf(message: string): string[] {
  const faults = {
    'something invisible': UNSEEN.test(message),
    'a workflow command': message.includes('##['),
    'too long': message.length > 1_000
  }
  return Object.entries(faults).flatMap(([fault, isThere]) => (isThere ? [fault] : []))
}
