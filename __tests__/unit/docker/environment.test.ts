import { describe, expect, it } from '@jest/globals'
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

  it('passes on what it is asked for', () => {
    const asked = ['MINE', 'NODE_ENV', 'Z', 'W']
    expect(childEnvironment(env, asked)).toEqual({ ...childEnvironment(env), MINE: 'mine', NODE_ENV: 'x' })
  })
})
