import { describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import { testArgs } from '../../../src/pipeline/test-args.ts'
import { makeInputs } from '../../support/make-plan.ts'

describe('testArgs', () => {
  it('runs the command through sh -c in a container of our name and label', () => {
    const inputs = publicInputs(makeInputs({ 'test-options': '--network host', platform: 'linux/arm64' }))
    const test = { command: 'npm test && "x"', options: ['--env', 'A=b'] }
    expect(testArgs(inputs, 'a:builder-1', test, 'n', 'r')).toEqual([
      'run',
      ...['--env', 'CI=true', '--log-driver', 'none', '--platform', 'linux/arm64', '--network', 'host', '--env', 'A=b'],
      ...['--name', 'n', '--label', 'shared-docker-layers.run=r', '--entrypoint', 'sh'],
      ...['a:builder-1', '-c', 'npm test && "x"']
    ])
  })
})
