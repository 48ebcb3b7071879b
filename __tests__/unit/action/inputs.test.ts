import { describe, expect, it } from '@jest/globals'
import { crossCheck, type Inputs, readInputs } from '../../../src/action/inputs.ts'
import { UserError } from '../../../src/lib/errors.ts'

const IMAGE = 'ghcr.io/octo/app'

function read(values: Record<string, string>): Inputs {
  return readInputs((name) => ({ image: IMAGE, ...values })[name] ?? '')
}

describe('readInputs', () => {
  it('has defaults for all but the image', () => {
    expect(read({})).toEqual({
      image: IMAGE,
      context: '.',
      file: undefined,
      builderTarget: 'builder',
      target: undefined,
      tests: [],
      productionTests: [],
      checks: [],
      testOptions: [],
      testParallelism: undefined,
      skipUnchangedTests: false,
      testTimeoutMinutes: undefined,
      testReports: [],
      reportsDirectory: 'test-reports',
      buildArgs: [],
      labels: [],
      secrets: [],
      ssh: [],
      addHosts: [],
      network: undefined,
      platform: undefined,
      shmSize: undefined,
      tags: [],
      builderTag: 'builder',
      latestTag: 'latest',
      cacheStages: 'auto',
      cacheTags: 'all',
      expectCache: 'warn',
      publishBranch: undefined,
      push: 'auto',
      dryRun: false,
      retries: 3,
      builder: undefined,
      githubToken: undefined
    })
  })

  it.each<[string, string, keyof Inputs, unknown]>([
    [
      'tests',
      '\nnpm test -- --only="a, b"\r\n\nnpm run lint # fast\n',
      'tests',
      [
        { command: 'npm test -- --only="a, b"', options: [] },
        { command: 'npm run lint # fast', options: [] }
      ]
    ],
    ['tests', '"quoted command" && more', 'tests', [{ command: '"quoted command" && more', options: [] }]],
    [
      'test-options',
      '--env NAME="two words"\n--network=host\n-v /a:/b',
      'testOptions',
      ['--env', 'NAME=two words', '--network=host', '-v', '/a:/b']
    ],
    ['test-parallelism', '3', 'testParallelism', 3],
    ['test-timeout-minutes', '0.5', 'testTimeoutMinutes', 0.5],
    ['test-reports', 'junit.xml\n\n/tmp/coverage', 'testReports', ['junit.xml', '/tmp/coverage']],
    ['reports-directory', '-out', 'reportsDirectory', './-out'],
    ['dry-run', 'true', 'dryRun', true],
    ['build-args', 'A=1,2\nB\nC=a=b', 'buildArgs', ['A=1,2', 'B', 'C=a=b']],
    ['build-args', '"KEY=line 1\nline 2"\nB=2', 'buildArgs', ['KEY=line 1\nline 2', 'B=2']],
    ['labels', 'a.b=c "d", e', 'labels', ['a.b=c "d", e']],
    ['labels', 'shared-docker-layers=a', 'labels', ['shared-docker-layers=a']],
    [
      'tags',
      'pr-7\ncache-0123456789ABCDEF\ncache-0123456789abcdef0\nghcr.io/octo/other:cache-0123456789abcdef',
      'tags',
      [
        `${IMAGE}:pr-7`,
        `${IMAGE}:cache-0123456789ABCDEF`,
        `${IMAGE}:cache-0123456789abcdef0`,
        'ghcr.io/octo/other:cache-0123456789abcdef'
      ]
    ],
    ['latest-tag', 'pr-seven', 'latestTag', 'pr-seven'],
    ['latest-tag', '20240101', 'latestTag', '20240101'],
    ['tags', 'c0ffee1', 'tags', [`${IMAGE}:c0ffee1`]],
    [
      'secrets',
      'npm=s3cret=\n"pem=-----\nabc\n-----"',
      'secrets',
      [
        { id: 'npm', value: 's3cret=' },
        { id: 'pem', value: '-----\nabc\n-----' }
      ]
    ],
    ['ssh', 'default\nkey=/k', 'ssh', ['default', 'key=/k']],
    ['add-hosts', 'db:10.0.0.1\nv6:::1', 'addHosts', ['db:10.0.0.1', 'v6:::1']],
    ['tags', 'v1.2\ndocker.io/octo/app:v1', 'tags', [`${IMAGE}:v1.2`, 'docker.io/octo/app:v1']],
    ['cache-stages', 'none', 'cacheStages', 'none'],
    ['cache-stages', 'deps\n assets \ndeps', 'cacheStages', ['deps', 'assets']],
    ['cache-tags', 'publish-branch', 'cacheTags', 'publish-branch'],
    ['expect-cache', 'fail', 'expectCache', 'fail'],
    ['push', 'never', 'push', 'never'],
    ['context', '-odd', 'context', './-odd']
  ])('reads %s: %j', (name, text, field, expected) => {
    expect(read({ [name]: text })[field]).toEqual(expected)
  })

  it.each<[string, string, string]>([
    ['image', '', 'Input image is missing: give the repository to publish to, for example ghcr.io/octo/app'],
    ['image', 'ghcr.io/Octo/App', 'Input image: '],
    [
      'image',
      'Octo/app',
      'Input image is "Octo/app", with upper-case letters; registries allow lower case only: octo/app'
    ],
    ['builder-target', 'a b', 'Input builder-target is "a b"; it must be one word that does not begin with a dash'],
    ['target', '--push', 'Input target is "--push"; it must be one word that does not begin with a dash'],
    ['test-parallelism', '0', 'Input test-parallelism is "0"; it must be a whole number from 1 up'],
    ['test-timeout-minutes', '-1', 'Input test-timeout-minutes is "-1"; it must be a number of minutes above 0'],
    [
      'test-options',
      'CI=true',
      'Input test-options has a line that begins with "CI="; each line must be one docker run option'
    ],
    [
      'test-options',
      '-it',
      'Input test-options has -it, which cannot be used: a test has no standard input; remove that line'
    ],
    [
      'test-options',
      '--detach',
      'Input test-options has --detach, which cannot be used: a test must run in the foreground'
    ],
    ['test-options', '-Pd', 'Input test-options has -Pd, which cannot be used: a test must run in the foreground'],
    ['test-options', '--help', 'Input test-options has --help, which cannot be used'],
    [
      'test-options',
      '--env=A=b busybox',
      'Input test-options has a line that begins with "--env="; each line must be one'
    ],
    ['test-options', '-eA=b busybox', 'Input test-options has a line that begins with "-eA="; each line must be one'],
    [
      'test-options',
      '--sig-proxy busybox',
      'Input test-options has a line that begins with "--sig-proxy"; each line must be one'
    ],
    ['test-options', '--env --detach', 'Input test-options has a line that begins with "--env"; each line must be one'],
    ['test-options', '-d=true', 'Input test-options has -d=true, which cannot be used'],
    [
      'test-options',
      '--env A=b --detach',
      'Input test-options has a line that begins with "--env"; each line must be one'
    ],
    [
      'test-options',
      '--privileged busybox',
      'Input test-options has a line that begins with "--privileged"; each line must be one'
    ],
    ['test-options', '--name=x', 'Input test-options has --name=x, which cannot be used'],
    ['build-args', '=1', 'Input build-args has a line that begins with "="; each line must be NAME=value'],
    ['build-args', 'NPM_TOKEN = s3cret', 'Input build-args has a line that begins with "NPM_TOKEN"; each'],
    ['labels', 'novalue', 'Input labels has the line "novalue"; each line must be key=value'],
    [
      'labels',
      'a=b\nshared-docker-layers.tests=abc',
      'Input labels has a line that begins with "shared-docker-layers.tests="; only the action sets labels that begin with shared-docker-layers.: use another prefix'
    ],
    ['labels', '"open', 'Input labels cannot be read: '],
    ['secrets', 'topsecret', 'Input secrets has a line that is not id=value'],
    ['add-hosts', 'db', 'Input add-hosts has the line "db"; each line must be host:ip'],
    ['platform', 'linux/amd64,linux/arm64', 'Input platform is "linux/amd64,linux/arm64"; it must be one platform'],
    ['tags', 'docker.io/octo/app', 'Input tags: '],
    [
      'tags',
      '1.2\ncache-0123456789abcdef',
      'Input tags has "cache-0123456789abcdef", a tag that the action sets for purposes of its own; give one of another form than cache- or tested- and 16 hex digits'
    ],
    ['tags', 'ghcr.io:443/octo/app:tested-0123456789abcdef', 'Input tags has "ghcr.io:443/octo/app:tested-01'],
    ['builder-tag', 'cache-0123456789abcdef', 'Input builder-tag is "cache-0123456789abcdef", a tag that the action'],
    [
      'latest-tag',
      'pr-7',
      'Input latest-tag is "pr-7", a tag that the action sets for purposes of its own; give one of another form than pr- and a number'
    ],
    [
      'builder-tag',
      'c0ffee1',
      'Input builder-tag is "c0ffee1", a tag that the action sets for purposes of its own; give one of another form than 7 hex digits'
    ],
    ['latest-tag', '2024010', 'Input latest-tag is "2024010", a tag that the action sets'],
    ['builder-tag', '.x', 'Input builder-tag is ".x"; a tag is at most 128'],
    [
      'cache-stages',
      'deps\nauto',
      'Input cache-stages has the line "auto" among others; it must be auto, none, or names of stages, one a line'
    ],
    ['cache-stages', 'a b', 'Input cache-stages has the line "a b" among others'],
    ['cache-tags', 'some', 'Input cache-tags is "some"; it must be all, publish-branch or none'],
    ['expect-cache', 'error', 'Input expect-cache is "error"; it must be none, warn or fail'],
    ['test-reports', 'out/*.xml', 'Input test-reports has the line "out/*.xml"; each line must be one file or folder'],
    ['dry-run', 'yes', 'Input dry-run is "yes"; it must be true or false'],
    ['push', 'yes', 'Input push is "yes"; it must be auto, always or never']
  ])('refuses %s: %j', (name, text, message) => {
    expect(() => read({ [name]: text })).toThrow(UserError)
    expect(() => read({ [name]: text })).toThrow(message)
  })

  it('does not show a secret in its error', () => {
    expect(() => read({ secrets: 'topsecret' })).not.toThrow('topsecret')
  })
})

describe('crossCheck', () => {
  it('refuses one tag for both images', () => {
    expect(() => crossCheck(read({ 'builder-tag': 'latest' }))).toThrow(
      'Inputs builder-tag and latest-tag are both "latest"'
    )
    expect(() => crossCheck(read({}))).not.toThrow()
  })
})
