import { parseArgsStringToArgv } from 'string-argv'
import { UserError } from '../lib/errors.ts'
import { show } from '../lib/text.ts'
import { lineBeginning, oneALine } from './input-values.ts'

/** Options that would take control of a test's container from the action: its terminal, its lifetime, its name or its command. */
const OWN_RUN_OPTIONS = new Map([
  ['--detach', 'a test must run in the foreground'],
  ['--tty', 'a runner has no terminal'],
  ['--interactive', 'a test has no standard input'],
  ['--help', 'docker would print its help and run no test'],
  ['--rm', 'containers are removed anyway'],
  ['--name', 'tests run in parallel and get names of their own'],
  ['--cidfile', 'tests run in parallel and would write the same file'],
  ['--entrypoint', 'the command runs through sh -c']
])
const SHORT_RUN_OPTIONS: Record<string, string> = { d: '--detach', t: '--tty', i: '--interactive' }

/** Options without a value: docker would interpret a word after one as the image. */
const SWITCHES =
  /^(--(privileged|init|read-only|no-healthcheck|oom-kill-disable|publish-all|quiet|sig-proxy|disable-content-trust|use-api-socket)|-[Pq]+)$/

/**
 * Returns the words of one option of `docker run`.
 *
 * @param name of the input
 * @throws UserError
 */
export function runOption(name: string, line: string): string[] {
  if (/,\s*--[a-z][a-z-]+[= ]/.test(line)) throw oneALine(name, lineBeginning(line))
  const words = parseArgsStringToArgv(line)
  const [first = '', value] = words
  const [, letter = ''] = /^-[Pq]*([dti])/.exec(first) ?? []
  const why = OWN_RUN_OPTIONS.get(SHORT_RUN_OPTIONS[letter] ?? first.replace(/=.*/s, ''))
  if (why) {
    throw new UserError(`Input ${name} has ${show(first)}, which cannot be used: ${why}; remove that line`)
  }
  // an option without its value would take the next argument as its value, whatever it is
  const takesValue = /^(--[a-z][a-z0-9-]*|-[Pq]*[a-zA-Z])$/.test(first) && !SWITCHES.test(first)
  if (
    !/^(--[a-z][a-z0-9-]*(=|$)|-[a-zA-Z])/.test(first) ||
    words.length !== (takesValue ? 2 : 1) ||
    value?.startsWith('-')
  ) {
    throw new UserError(
      `Input ${name} has ${lineBeginning(line)}; each ${name === 'test-options' ? 'line' : 'indented line that begins with a dash'} must be one docker run option, for example --env NODE_ENV=test`
    )
  }
  return words
}
