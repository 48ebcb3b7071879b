import { describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from '../../../src/strategy/build-args.ts'
import { makeInputs } from '../../support/make-plan.ts'

describe('commonBuildArgs', () => {
  it('leaves out what is not set', () => {
    const build = { file: 'Dockerfile', target: undefined, tags: ['a:1'], labels: [], idFile: '/t/id' }
    const args = commonBuildArgs(publicInputs(makeInputs()), build)
    expect(args).toEqual(['--file', 'Dockerfile', '--tag', 'a:1', '--iidfile', '/t/id'])
  })

  it('passes on every input that both builders know', () => {
    const all = makeInputs({
      'build-args': 'A=1 2\nB',
      'add-hosts': 'db:10.0.0.1',
      network: 'host',
      platform: 'linux/amd64',
      'shm-size': '1g'
    })
    const build = { file: 'D', target: 'builder', tags: ['a:1', 'a:2'], labels: ['k=v w'], idFile: '/t/id' }
    expect(commonBuildArgs(publicInputs(all), build).join('|')).toBe(
      '--file|D|--target|builder|--tag|a:1|--tag|a:2|--label|k=v w|--build-arg|A=1 2|--build-arg|B|--add-host|db:10.0.0.1|--network|host|--platform|linux/amd64|--shm-size|1g|--iidfile|/t/id'
    )
  })
})

describe('secrets', () => {
  it('go through the environment, never through an argument', () => {
    const withSecrets = makeInputs({ secrets: 'npm=s3cret\npem=other', ssh: 'default' })
    expect(secretArgs(publicInputs(withSecrets))).toEqual([
      '--secret',
      'id=npm,env=SHARED_DOCKER_LAYERS_SECRET_1',
      '--secret',
      'id=pem,env=SHARED_DOCKER_LAYERS_SECRET_2',
      '--ssh',
      'default'
    ])
    expect(secretEnvironment(publicInputs(withSecrets), withSecrets.secrets.toReversed())).toEqual({
      SHARED_DOCKER_LAYERS_SECRET_1: 's3cret',
      SHARED_DOCKER_LAYERS_SECRET_2: 'other'
    })
  })
})
