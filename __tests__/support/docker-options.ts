import fc from 'fast-check'
import { type Inputs, readInputs } from '../../src/action/inputs.ts'
import { VALID } from './valid-inputs.ts'

/** Inputs that are right, of any kind. */
export const validInputs: fc.Arbitrary<Inputs> = fc
  .record(VALID)
  .map((all) => readInputs((name) => all[name]?.text ?? ''))

/** The same but for the values of the secrets. */
export function withOtherSecrets(all: Inputs): Inputs {
  return { ...all, secrets: all.secrets.map(({ id }) => ({ id, value: 'another' })) }
}

/** Options of docker run without a value (docker/cli, cli/command/container: every `BoolVar`). */
const SWITCHES =
  '--detach --disable-content-trust --help --init --interactive --no-healthcheck --oom-kill-disable --privileged --publish-all --quiet --read-only --rm --sig-proxy --tty --use-api-socket -P -d -i -q -t'.split(
    ' '
  )

interface Parsed {
  options: [name: string, value: string][]
  operands: string[]
}

/** Options as docker reads them (spf13/pflag, flag.go): a value stands behind the name, or is the next word whatever that is. */
export function parseOptions(args: readonly string[]): Parsed {
  const [word = '', ...rest] = args
  if (!/^-./s.test(word)) return { options: [], operands: [...args] }
  const [, name = '', equals = '', behind = ''] = /^(--[^=]*|-[^-])(=?)(.*)$/s.exec(word) ?? []
  if (equals !== '') return withOption(name, behind, rest)
  // several letters in one word; what is no letter docker refuses
  if (SWITCHES.includes(name)) return withOption(name, '', /^[a-z]/i.test(behind) ? [`-${behind}`, ...rest] : rest)
  return behind === '' ? withOption(name, rest[0] ?? '', rest.slice(1)) : withOption(name, behind, rest)
}

function withOption(name: string, value: string, rest: string[]): Parsed {
  const { options, operands } = parseOptions(rest)
  return { options: [[name, value], ...options], operands }
}

/** None or one value of an option that may be given once. */
export function listOf(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}
