import { describe, expect, it } from '@jest/globals'
import { crossCheck, type Inputs, readInputs } from '../../../src/action/inputs.ts'
import { readSecrets } from '../../../src/action/secret-inputs.ts'
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
      annotations: [],
      secrets: [],
      secretFiles: [],
      secretEnvs: [],
      ssh: [],
      addHosts: [],
      network: undefined,
      platform: undefined,
      platforms: [],
      shmSize: undefined,
      ulimit: [],
      buildContexts: [],
      noCache: false,
      noCacheFilters: [],
      pull: false,
      provenance: undefined,
      sbom: undefined,
      tags: [],
      commitTag: '{short}',
      builderTag: 'builder',
      latestTag: 'latest',
      cacheStages: 'auto',
      cacheTags: 'all',
      expectCache: 'warn',
      publishBranch: [],
      push: 'auto',
      dryRun: false,
      retries: 3,
      builder: undefined,
      removeImages: 'auto',
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
    ['secrets', 'npm_token=\n"mirror=a=b"\r\n"other="', 'secrets', [{ id: 'mirror', value: 'a=b' }]],
    ['secrets', '"a=1,b=2"', 'secrets', [{ id: 'a', value: '1,b=2' }]],
    ['build-args', '"A=1,B=2"', 'buildArgs', ['A=1,B=2']],
    ['build-args', 'LDAP=dc=example,dc=com', 'buildArgs', ['LDAP=dc=example,dc=com']],
    ['build-args', 'A=1,B=2\nC=3', 'buildArgs', ['A=1,B=2', 'C=3']],
    ['labels', 'a.b=one, and two', 'labels', ['a.b=one, and two']],
    ['build-args', ' A=1 \r\n\r\n  \r\nB=2\t\r\n', 'buildArgs', ['A=1', 'B=2']],
    ['tags', '\r\n v1 \r\n\r\n"v2"\r\n  \r\n""\r\n', 'tags', [`${IMAGE}:v1`, `${IMAGE}:v2`]],
    ['cache-stages', '"deps"\r\n"assets" \r\n', 'cacheStages', ['deps', 'assets']],
    ['cache-stages', '"none"', 'cacheStages', 'none'],
    ['add-hosts', '"db:10.0.0.1"\r\n\r\n', 'addHosts', ['db:10.0.0.1']],
    ['test-reports', '"a, b.xml"', 'testReports', ['a, b.xml']],
    ['ssh', 'key=/k1,/k2\n"default"', 'ssh', ['key=/k1,/k2', 'default']],
    ['dry-run', 'True', 'dryRun', true],
    ['dry-run', 'FALSE', 'dryRun', false],
    ['ssh', 'default\nkey=/k', 'ssh', ['default', 'key=/k']],
    ['add-hosts', 'db:10.0.0.1\nv6:::1', 'addHosts', ['db:10.0.0.1', 'v6:::1']],
    ['tags', 'v1.2\ndocker.io/octo/app:v1', 'tags', [`${IMAGE}:v1.2`, 'docker.io/octo/app:v1']],
    ['cache-stages', 'none', 'cacheStages', 'none'],
    ['cache-stages', 'deps\n assets \ndeps', 'cacheStages', ['deps', 'assets']],
    ['cache-tags', 'publish-branch', 'cacheTags', 'publish-branch'],
    ['expect-cache', 'fail', 'expectCache', 'fail'],
    ['push', 'never', 'push', 'never'],
    ['remove-images', 'always', 'removeImages', 'always'],
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
    ['secrets', '=topsecret', 'Input secrets has a line that is not id=value'],
    ['secrets', 'id=npmrc,env=NPMRC\nid=pip,src=pip.conf', 'Input secrets has a line in the notation of docker build'],
    [
      'secrets',
      'gcp={\n  "type": "x"\n}',
      'put an item of several lines in double quotes, with its own double quotes doubled'
    ],
    ['build-args', 'MESSAGE=Fix it\n\nLong body here', 'and an item of several lines must be in double quotes'],
    [
      'publish-branch',
      'refs/tags/v1',
      'Input publish-branch has "refs/tags/v1"; each line must be the name of a branch'
    ],
    [
      'secrets',
      'a=topsecret,b=topsecret',
      'Input secrets has a list on one line, with a comma between items; give one item a line'
    ],
    [
      'build-args',
      'A=1, B=2',
      'Input build-args has a list on one line, with a comma between items; give one item a line'
    ],
    ['labels', 'a=1,b.c=2', 'Input labels has a list on one line, with a comma between items; give one item a line'],
    ['tags', 'v1,v2', 'Input tags has the line "v1,v2", with a comma between items; give one item a line'],
    ['tags', '"v1","v2"', 'with a comma between items; give one item a line'],
    ['tags', 'ghcr.io/octo/app:v1, ghcr.io/octo/app:v2', 'give one item a line'],
    [
      'cache-stages',
      'deps,assets',
      'Input cache-stages has the line "deps,assets", with a comma between items; give one item a line'
    ],
    ['add-hosts', 'a:10.0.0.1,b:10.0.0.2', 'Input add-hosts has the line "a:10.0.0.1,b:10.0.0.2", with a comma'],
    ['test-reports', 'a.xml,b.xml', 'Input test-reports has the line "a.xml,b.xml", with a comma between items'],
    ['ssh', 'default,key=/k', 'Input ssh has the line "default,key=/k", with a comma between items'],
    ['ssh', 'key=/k,default', 'Input ssh has the line "key=/k,default", with a comma between items'],
    [
      'test-options',
      '--env=A=1,--env=B=2',
      'Input test-options has a line that begins with "--env=", with a comma between items; give one item a line'
    ],
    ['add-hosts', 'db', 'Input add-hosts has the line "db"; each line must be host:ip'],
    ['platform', 'linux/amd64,linux/arm64', 'Input platform is "linux/amd64,linux/arm64"; it must be one platform'],
    ['platforms', 'linux/amd64 linux/arm64', 'Input platforms has "linux/amd64 linux/arm64"; each item must be'],
    ['platforms', 'amd64', 'Input platforms has "amd64"; each item must be a platform'],
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
    ['remove-images', 'yes', 'Input remove-images is "yes"; it must be auto, always or never'],
    ['expect-cache', 'error', 'Input expect-cache is "error"; it must be none, warn or fail'],
    ['test-reports', 'out/*.xml', 'Input test-reports has the line "out/*.xml"; each line must be one file or folder'],
    ['dry-run', 'yes', 'Input dry-run is "yes"; it must be true or false'],
    ['push', 'yes', 'Input push is "yes"; it must be auto, always or never']
  ])('refuses %s: %j', (name, text, message) => {
    expect(() => read({ [name]: text })).toThrow(UserError)
    expect(() => read({ [name]: text })).toThrow(message)
  })

  it.each([
    ['npm_token=\r\n"mirror=a=b"\n"other= \n"', ['npm_token', 'other']],
    ['a=\na=', ['a']],
    ['a=\na=b', []],
    ['', []]
  ])('tells the secrets without a value of %j', (secrets, ids) => {
    expect(readSecrets(() => secrets)[1]).toEqual(ids)
  })

  it('does not show a secret in its error', () => {
    for (const secrets of ['topsecret', '=topsecret', 'a=topsecret,b=topsecret']) {
      expect(() => read({ secrets })).not.toThrow('topsecret')
    }
  })
})

describe('crossCheck', () => {
  it('refuses one tag for both images', () => {
    expect(() => crossCheck(read({ 'builder-tag': 'latest' }))).toThrow(
      'Inputs builder-tag and latest-tag are both "latest"'
    )
    expect(() => crossCheck(read({}))).not.toThrow()
  })

  it.each([
    ['latest-cache', 'latest', 'latest-cache'],
    ['app', 'app-next', 'app-next'],
    ['app', 'app-stage-web', 'app-stage-web'],
    ['app', 'app-0123abc', 'app-0123abc']
  ])('refuses builder-tag %s with latest-tag %s: both are %s', (builder, latest, twice) => {
    expect(() => crossCheck(read({ 'builder-tag': builder, 'latest-tag': latest }))).toThrow(
      `Inputs builder-tag and latest-tag are "${builder}" and "${latest}", so the action would use the tag "${twice}" for two images; change one of them`
    )
  })

  it.each([
    ['builder', 'the builder image (input builder-tag)'],
    ['builder-next', 'candidates for the builder image (input builder-tag)'],
    ['latest-cache', 'the kept cache of the production image (input latest-tag)'],
    [`${IMAGE}:builder-stage-deps`, 'the images of cache stages (input builder-tag)'],
    ['ghcr.io:443/octo/app:builder-0123abc', 'local copies of the builder image (input builder-tag)']
  ])('refuses the tag %s of the user', (tag, use) => {
    expect(() => crossCheck(read({ tags: `v1\n${tag}` }))).toThrow(UserError)
    expect(() => crossCheck(read({ tags: `v1\n${tag}` }))).toThrow(
      `, but the action uses this tag for ${use}; remove it, or change that input`
    )
    expect(() => crossCheck(read({ tags: tag, 'builder-tag': 'b', 'latest-tag': 'l' }))).not.toThrow()
  })

  it.each(['latest', 'release', 'deps', 'stage-deps', 'builder-2', 'ghcr.io/octo/other:builder', 'pr-7', 'c0ffee1'])(
    'accepts the tag %s of the user',
    (tag) => {
      expect(() => crossCheck(read({ tags: tag }))).not.toThrow()
    }
  )
})
