import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readInputs } from '../../../src/action/inputs.ts'
import { publicInputs } from '../../../src/action/secrets.ts'
import { testArgs } from '../../../src/pipeline/test-args.ts'
import { cases, hostile, mutated, oneLine } from '../../support/cases.ts'
import { listOf, parseOptions, validInputs, withOtherSecrets } from '../../support/docker-options.ts'

describe('testArgs', () => {
  const line = oneLine(hostile('--privileged', '--detach', '-v /:/host'))

  it('every value is one word that docker reads as what it is', () => {
    fc.assert(
      fc.property(validInputs, line, (all, command) => {
        const args = testArgs(publicInputs(all), 'octo/app:builder-1', { command, options: [] }, 'our-name', 'run')
        expect(args[0]).toBe('run')
        const { options, operands } = parseOptions(args.slice(1))
        expect(operands).toEqual(['octo/app:builder-1', '-c', command])
        const users = parseOptions(all.testOptions)
        expect(users.operands).toEqual([])
        expect(options).toEqual([
          ['--env', 'CI=true'],
          ['--log-driver', 'none'],
          ...listOf(all.platform).map((platform) => ['--platform', platform]),
          ...users.options,
          ['--name', 'our-name'],
          ['--label', 'shared-docker-layers.run=run'],
          ['--entrypoint', 'sh']
        ])
        const others = publicInputs(withOtherSecrets(all))
        expect(testArgs(others, 'octo/app:builder-1', { command, options: [] }, 'our-name', 'run')).toEqual(args)
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
        const args = testArgs(publicInputs(all), 'octo/app:builder-1', { command: 'x', options: [] }, 'our-name', 'run')
        const { options, operands } = parseOptions(args.slice(1))
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
