import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Inputs, readInputs } from '../../../src/action/inputs.ts'
import { replayable } from '../../../src/docker/command-line.ts'
import { testArgs } from '../../../src/pipeline/test-args.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from '../../../src/strategy/build-args.ts'
import { cases, hostile, mutated, oneLine } from '../../support/cases.ts'
import { VALID } from '../../support/valid-inputs.ts'

const inputs = fc.record(VALID).map((all) => readInputs((name) => all[name]?.text ?? ''))

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
function parse(args: readonly string[]): Parsed {
  const [word = '', ...rest] = args
  if (!/^-./s.test(word)) return { options: [], operands: [...args] }
  const [, name = '', equals = '', behind = ''] = /^(--[^=]*|-[^-])(=?)(.*)$/s.exec(word) ?? []
  if (equals !== '') return withOption(name, behind, rest)
  // several letters in one word; what is no letter docker refuses
  if (SWITCHES.includes(name)) return withOption(name, '', /^[a-z]/i.test(behind) ? [`-${behind}`, ...rest] : rest)
  return behind === '' ? withOption(name, rest[0] ?? '', rest.slice(1)) : withOption(name, behind, rest)
}

function withOption(name: string, value: string, rest: string[]): Parsed {
  const { options, operands } = parse(rest)
  return { options: [[name, value], ...options], operands }
}

function valuesOf(options: readonly [string, string][], name: string): string[] {
  return options.filter(([other]) => other === name).map(([, value]) => value)
}

function list(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}

/** The same but for the values of the secrets. */
function withOtherSecrets(all: Inputs): Inputs {
  return { ...all, secrets: all.secrets.map(({ id }) => ({ id, value: 'another' })) }
}

describe('testArgs', () => {
  const line = oneLine(hostile('--privileged', '--detach', '-v /:/host'))

  it('every value is one word that docker reads as what it is', () => {
    fc.assert(
      fc.property(inputs, line, (all, command) => {
        const args = testArgs(all, 'octo/app:builder-1', command, 'our-name', 'run')
        expect(args[0]).toBe('run')
        const { options, operands } = parse(args.slice(1))
        expect(operands).toEqual(['octo/app:builder-1', '-c', command])
        const users = parse(all.testOptions)
        expect(users.operands).toEqual([])
        expect(options).toEqual([
          ['--env', 'CI=true'],
          ['--log-driver', 'none'],
          ...list(all.platform).map((platform) => ['--platform', platform]),
          ...users.options,
          ['--name', 'our-name'],
          ['--label', 'shared-docker-layers.run=run'],
          ['--entrypoint', 'sh']
        ])
        expect(testArgs(withOtherSecrets(all), 'octo/app:builder-1', command, 'our-name', 'run')).toEqual(args)
      }),
      cases()
    )
  })

  it('no option that is taken takes ours away, or is one of those that are', () => {
    const option = fc.stringMatching(
      /^(--(env|init|name|network|rm|[a-z]{2,8})|-[PqdtieuvZ]{1,4})(=| )?("?[-a-z]{0,3}"?)$/
    )
    const taken = fc.oneof(option, mutated(option)).map((text) => {
      try {
        return readInputs((name) => (name === 'image' ? 'octo/app' : name === 'test-options' ? text : ''))
      } catch {
        return undefined
      }
    })
    fc.assert(
      fc.property(taken, (all) => {
        if (all === undefined) return
        const { options, operands } = parse(testArgs(all, 'octo/app:builder-1', 'x', 'our-name', 'run').slice(1))
        expect(operands).toEqual(['octo/app:builder-1', '-c', 'x'])
        expect(options.slice(-3).map(([name]) => name)).toEqual(['--name', '--label', '--entrypoint'])
        const users = options.slice(0, -3).map(([name]) => name)
        const ours = /^(--(detach|tty|interactive|help|rm|name|cidfile|entrypoint)|-[dti])$/
        expect(users.filter((name) => ours.test(name))).toEqual([])
      }),
      cases(50_000)
    )
  })
})

describe('commonBuildArgs and secretArgs', () => {
  it('every value is one word that follows its option, and no secret is among them', () => {
    fc.assert(
      fc.property(inputs, (all) => {
        const build = { file: all.file ?? 'D', target: all.target, tags: all.tags, labels: all.labels, idFile: '/t/id' }
        const argsOf = (some: Inputs): string[] => [...commonBuildArgs(some, build), ...secretArgs(some), some.context]
        const { options, operands } = parse(argsOf(all))
        expect(operands).toEqual([all.context])
        const expected = {
          '--file': [build.file],
          '--target': list(all.target),
          '--tag': all.tags,
          '--label': all.labels,
          '--build-arg': all.buildArgs,
          '--add-host': all.addHosts,
          '--network': list(all.network),
          '--platform': list(all.platform),
          '--shm-size': list(all.shmSize),
          '--iidfile': ['/t/id'],
          '--ssh': all.ssh
        }
        for (const [name, values] of Object.entries(expected)) expect(valuesOf(options, name)).toEqual(values)
        const names = new Set(options.map(([name]) => name))
        expect([...names].filter((name) => !(name in expected))).toEqual(all.secrets.length > 0 ? ['--secret'] : [])
        // docker build takes it for standard input
        expect(build.file).not.toBe('-')
        expect(argsOf(withOtherSecrets(all))).toEqual(argsOf(all))
        const handedOver = secretEnvironment(all.secrets)
        const read = valuesOf(options, '--secret').map((value) => {
          const [, id = '', variable = ''] = /^id=([^,]+),env=([A-Z0-9_]+)$/.exec(value) ?? []
          return { id, value: handedOver[variable] }
        })
        expect(read).toEqual(all.secrets)
      }),
      cases()
    )
  })
})

describe('replayable', () => {
  it('is what a POSIX shell reads as the same words', () => {
    // what an argument of a process can hold: text without NUL, and at most 128 KiB
    const word = hostile(' a=b', '~', '{a,b}', '$HOME', '!!', "'\\''").map((text) =>
      text.slice(0, 500).replaceAll(/[\0\p{Cs}]/gu, '')
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), word, (words, value) => {
        const line = replayable(words, { VALUE: value })
        const script = `docker() { printf '%s\\0' "$VALUE" "$@"; }\n${line}`
        const shown = execFileSync('sh', ['-c', script], { encoding: 'utf8' })
        expect(shown.split('\0')).toEqual([value, ...words, ''])
      }),
      cases(1_000)
    )
  })
})
