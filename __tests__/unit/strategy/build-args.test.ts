import { describe, expect, it } from '@jest/globals'
import { readInputs } from '../../../src/action/inputs.ts'
import { variablesAskedFor } from '../../../src/action/passed-variables.ts'
import { replayable } from '../../../src/docker/command-line.ts'
import { childEnvironment } from '../../../src/docker/environment.ts'
import { testArgs } from '../../../src/pipeline/test-args.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from '../../../src/strategy/build-args.ts'

function inputs(values: Record<string, string> = {}): ReturnType<typeof readInputs> {
  return readInputs((name) => ({ image: 'ghcr.io/octo/app', ...values })[name] ?? '')
}

describe('commonBuildArgs', () => {
  it('leaves out what is not set', () => {
    const build = { file: 'Dockerfile', target: undefined, tags: ['a:1'], labels: [], idFile: '/t/id' }
    expect(commonBuildArgs(inputs(), build)).toEqual(['--file', 'Dockerfile', '--tag', 'a:1', '--iidfile', '/t/id'])
  })

  it('passes on every input that both builders know', () => {
    const all = inputs({
      'build-args': 'A=1 2\nB',
      'add-hosts': 'db:10.0.0.1',
      network: 'host',
      platform: 'linux/amd64',
      'shm-size': '1g'
    })
    const build = { file: 'D', target: 'builder', tags: ['a:1', 'a:2'], labels: ['k=v w'], idFile: '/t/id' }
    expect(commonBuildArgs(all, build).join('|')).toBe(
      '--file|D|--target|builder|--tag|a:1|--tag|a:2|--label|k=v w|--build-arg|A=1 2|--build-arg|B|--add-host|db:10.0.0.1|--network|host|--platform|linux/amd64|--shm-size|1g|--iidfile|/t/id'
    )
  })
})

describe('secrets', () => {
  it('go through the environment, never through an argument', () => {
    const withSecrets = inputs({ secrets: 'npm=s3cret\npem=other', ssh: 'default' })
    const args = secretArgs(withSecrets)
    expect(args).toEqual([
      '--secret',
      'id=npm,env=SHARED_DOCKER_LAYERS_SECRET_1',
      '--secret',
      'id=pem,env=SHARED_DOCKER_LAYERS_SECRET_2',
      '--ssh',
      'default'
    ])
    expect(secretEnvironment(withSecrets.secrets)).toEqual({
      SHARED_DOCKER_LAYERS_SECRET_1: 's3cret',
      SHARED_DOCKER_LAYERS_SECRET_2: 'other'
    })
  })
})

describe('testArgs', () => {
  it('runs the command through sh -c in a container of our name and label', () => {
    const args = testArgs(
      inputs({ 'test-options': '--network host', platform: 'linux/arm64' }),
      'a:builder-1',
      'npm test && "x"',
      'n',
      'r'
    )
    expect(args).toEqual([
      'run',
      ...['--env', 'CI=true', '--log-driver', 'none', '--platform', 'linux/arm64', '--network', 'host'],
      ...[
        '--name',
        'n',
        '--label',
        'shared-docker-layers.run=r',
        '--entrypoint',
        'sh',
        'a:builder-1',
        '-c',
        'npm test && "x"'
      ]
    ])
  })
})

describe('replayable', () => {
  it('quotes for a shell', () => {
    expect(replayable(['run', "it's", 'a:1', ''], { DOCKER_BUILDKIT: '0' })).toBe(
      `DOCKER_BUILDKIT=0 docker run 'it'\\''s' a:1 ''`
    )
  })
})
