import { describe, expect, it } from '@jest/globals'
import { readInputs } from '../../../src/action/inputs.ts'
import { variablesAskedFor } from '../../../src/docker/args.ts'
import { childEnvironment } from '../../../src/docker/environment.ts'

describe('childEnvironment', () => {
  const env = {
    PATH: '/bin',
    HOME: '/root',
    DOCKER_HOST: 'unix:///x',
    https_proxy: 'http://proxy',
    'INPUT_GITHUB-TOKEN': 'token',
    ACTIONS_RUNTIME_TOKEN: 'token',
    GITHUB_TOKEN: 'token',
    NODE_ENV: 'x',
    MINE: 'mine'
  }

  it('passes on what docker needs and nothing of the runner', () => {
    expect(Object.keys(childEnvironment(env))).toEqual(['PATH', 'HOME', 'DOCKER_HOST', 'https_proxy'])
  })

  it('passes on what the inputs name', () => {
    const values: Record<string, string> = {
      image: 'ghcr.io/octo/app',
      'build-args': 'MINE\nX=1',
      'test-options': '--env NODE_ENV\n-e Y=2\n--env=Z\n-eW'
    }
    const asked = variablesAskedFor(readInputs((name) => values[name] ?? ''))
    expect(asked).toEqual(['MINE', 'NODE_ENV', 'Z', 'W'])
    expect(childEnvironment(env, asked)).toMatchObject({ MINE: 'mine', NODE_ENV: 'x' })
  })
})
