import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { isNewest, isVersion, notesOf, type VersionFiles, versionFaults } from '../../scripts/versions.ts'

const ROOT = join(import.meta.dirname, '../..')
const HOMEPAGE = 'https://github.com/shared-docker-layers/shared-docker-layers'

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-27

### Fixed

- One thing; see [the list](docs/list.md#one) and [its source](https://example.com/).

## [1.2.2] - 2026-11-26

- Another thing.

[Unreleased]: ${HOMEPAGE}/compare/v1.2.3...HEAD
[1.2.3]: ${HOMEPAGE}/compare/v1.2.2...v1.2.3
[1.2.2]: ${HOMEPAGE}/releases/tag/v1.2.2
`

const FILES: VersionFiles = {
  packageJson: '{ "version": "1.2.3" }',
  packageLock: '{ "version": "1.2.3" }',
  changelog: CHANGELOG,
  documents: {
    'README.md': '- uses: shared-docker-layers/shared-docker-layers@v1.2.3\n',
    'examples/caller.yml': 'uses: shared-docker-layers/shared-docker-layers/.github/workflows/pipeline.yml@v1.2.3\n'
  }
}

describe('The notes of a release', () => {
  it('are those of its version, with links to the files of its tag', () => {
    expect(notesOf('1.2.3', CHANGELOG, HOMEPAGE)).toBe(
      `### Fixed\n\n- One thing; see [the list](${HOMEPAGE}/blob/v1.2.3/docs/list.md#one) and [its source](https://example.com/).`
    )
  })

  it.each(['1.2.4', '1.2', '1.2.3] - 2026-11-27\n'])('are empty without a section: %j', (version) => {
    expect(notesOf(version, CHANGELOG)).toBe('')
  })

  it('end before the definitions of links', () => {
    expect(notesOf('1.2.2', CHANGELOG)).toBe('- Another thing.')
  })
})

describe('The version of a commit', () => {
  it('is right if all files name it', () => {
    expect(versionFaults('1.2.3', FILES)).toEqual([])
  })

  it.each<[keyof VersionFiles, string, string, string]>([
    ['packageJson', '1.2.3', '1.2.2', 'package.json has the version 1.2.2, not 1.2.3'],
    ['packageLock', '1.2.3', '1.2.2', 'package-lock.json has the version 1.2.2, not 1.2.3'],
    ['changelog', '## [1.2.3]', '## [1.2.4]', 'CHANGELOG.md has no section [1.2.3] with a date'],
    ['changelog', '## [1.2.3] - 2026-11-27', '## [1.2.3]', 'CHANGELOG.md has no section [1.2.3] with a date'],
    ['changelog', '2026-11-27\n', '2026-11-27\n\n## [1.2.1] - 2026-11-25\n', 'CHANGELOG.md says nothing about 1.2.3'],
    ['changelog', '\n[1.2.3]: ', '\n[1.2.1]: ', 'CHANGELOG.md has no link for [1.2.3]'],
    [
      'changelog',
      '## [Unreleased]\n',
      '## [Unreleased]\n\n- More.\n',
      'CHANGELOG.md has entries under Unreleased: move them to 1.2.3'
    ]
  ])('is wrong: in %s, %j becomes %j', (name, right, wrong, fault) => {
    expect(FILES[name]).toContain(right)
    expect(versionFaults('1.2.3', { ...FILES, [name]: String(FILES[name]).replace(right, wrong) })).toEqual([fault])
  })

  it('is wrong if a document names another one, or none does', () => {
    const own = 'shared-docker-layers/shared-docker-layers'
    const documents = { 'README.md': `- uses: ${own}@v1.2.3\n- uses: ${own}/build@v1.2\n- uses: ${own}/test@v1\n` }
    expect(versionFaults('1.2.3', { ...FILES, documents })).toEqual([`README.md names ${own}/build@v1.2, not v1.2.3`])
    expect(versionFaults('1.2.3', { ...FILES, documents: {} })).toEqual(['no document names v1.2.3'])
  })

  it.each(['v1.2.3', '1.2', '1.2.3-rc.1', '01.2.3', '1.2.3\n', ''])('has three numbers: %j is none', (text) => {
    expect(isVersion(text)).toBe(false)
  })

  it('is the newest one by number, of all or of its major version', () => {
    const others = ['1.9.0', '1.10.0', '2.0.0', 'v1', '1']
    expect(isNewest('1.10.0', others)).toBe(false)
    expect(isNewest('1.10.0', others, '1')).toBe(true)
    expect(isNewest('1.9.1', others, '1')).toBe(false)
    expect(isNewest('2.0.0', others)).toBe(true)
  })
})

describe('A release', () => {
  let template: string
  let folder: string
  let clone: string

  beforeAll(() => {
    template = mkdtempSync(join(tmpdir(), 'release-'))
    clone = join(template, 'clone')
    mkdirSync(join(template, 'bin'))
    git(template, 'init', '--quiet', '--bare', '--initial-branch', 'main', 'origin.git')
    git(template, 'init', '--quiet', '--initial-branch', 'main', 'clone')
    git(clone, 'remote', 'add', 'origin', '../origin.git')
    for (const path of ['package.json', 'package-lock.json', 'README.md', 'CHANGELOG.md', 'examples', 'scripts']) {
      cpSync(join(ROOT, path), join(clone, path), { recursive: true })
    }
    // a bundler that takes no time
    write(
      'scripts/build.ts',
      "import { cpSync } from 'node:fs'\ncpSync('src', process.argv[2] ?? '', { recursive: true })\n"
    )
    write('src/index.js', 'run()\n')
    write('dist/index.js', 'run()\n')
    git(clone, 'add', '--all')
    prepare('9.8.7')
    commit()
  })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'release-'))
    cpSync(template, folder, { recursive: true })
    clone = join(folder, 'clone')
  })

  afterEach(() => rmSync(folder, { recursive: true }))
  afterAll(() => rmSync(template, { recursive: true }))

  /** What CONTRIBUTING.md says to do before a release. */
  function prepare(version: string): void {
    const { version: old } = JSON.parse(read('package.json')) as { version: string }
    for (const path of ['package.json', 'package-lock.json'])
      edit(path, `"version": "${old}"`, `"version": "${version}"`)
    for (const path of git(clone, 'ls-files', 'README.md', 'examples').split('\n')) {
      edit(path, /(shared-docker-layers\/shared-docker-layers\S*@)v[\d.]+/g, `$1v${version}`)
    }
    // the entries of the next release are not there yet
    edit(
      'CHANGELOG.md',
      /## \[Unreleased\]\n.*?(?=\n## )/s,
      `## [Unreleased]\n\n## [${version}] - 2026-11-27\n\n- One thing.\n`
    )
    edit('CHANGELOG.md', '\n[Unreleased]: ', `\n[${version}]: ${HOMEPAGE}/releases/tag/v${version}\n[Unreleased]: `)
  }

  function read(path: string): string {
    return readFileSync(join(clone, path), 'utf8')
  }

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(clone, path)), { recursive: true })
    writeFileSync(join(clone, path), text)
  }

  function edit(path: string, old: string | RegExp, text: string): void {
    write(path, read(path).replace(old, text))
  }

  function commit(): void {
    git(clone, 'add', '--all')
    git(clone, 'commit', '--quiet', '--message', 'Prepare the release')
    git(clone, 'push', '--quiet', 'origin', 'HEAD:main')
  }

  function script(name: string, ...args: string[]): { status: number | null; text: string } {
    const env = {
      PATH: [join(folder, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: folder
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(clone, 'scripts', name), ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...env, ...IDENTITY }
    })
    return { status, text: `${stdout}${stderr}` }
  }

  /** The tags of the fake remote. */
  function pushed(): string[] {
    return git(clone, 'ls-remote', '--tags', 'origin')
      .split('\n')
      .map((line) => line.replace(/^\S+\s/, ''))
  }

  it('is checked by a dry run, which changes nothing', () => {
    const { status, text } = script('release.ts', '9.8.7', '--dry-run')
    expect({ status, text }).toEqual({
      status: 0,
      text: expect.stringMatching(/^- One thing\.\n.*is ready to be v9\.8\.7\./s)
    })
    expect([git(clone, 'tag'), pushed()]).toEqual(['', ['']])
  })

  it.each<[string, () => void, string]>([
    ['a change that is not committed', () => write('new.txt', 'new'), 'the work tree has changes:\n?? new.txt'],
    [
      'a version that CHANGELOG.md does not have',
      () => change('CHANGELOG.md', '## [9.8.7]', '## [9.8.6]'),
      'no section [9.8.7]'
    ],
    [
      'entries that no version has',
      () => change('CHANGELOG.md', '[Unreleased]\n', '[Unreleased]\n- More.\n'),
      'under Unreleased'
    ],
    ['another version in the README', () => change('README.md', '@v9.8.7', '@v9.8.6'), 'README.md names'],
    [
      'another version of the package',
      () => change('package.json', '9.8.7', '9.8.6'),
      'package.json has the version 9.8.6'
    ],
    ['a tag of this clone', () => git(clone, 'tag', 'v9.8.7'), 'the tag v9.8.7 exists'],
    [
      'a tag of origin',
      () => git(clone, 'push', '--quiet', 'origin', 'HEAD:refs/tags/v9.8.7'),
      'the tag v9.8.7 exists'
    ],
    [
      'a commit that is not pushed',
      () => git(clone, 'commit', '--quiet', '--allow-empty', '--message', 'x'),
      'of a branch of origin'
    ],
    ['a dist of other sources', () => change('src/index.js', 'run()', 'stop()'), 'dist is not a build of src']
  ])('refuses %s', (_, change, fault) => {
    change()
    const { status, text } = script('release.ts', '9.8.7', '--dry-run')
    expect({ status, text }).toEqual({ status: 1, text: expect.stringContaining('Not ready for v9.8.7: ') })
    expect(text).toContain(fault)
  })

  function change(path: string, old: string, text: string): void {
    edit(path, old, text)
    commit()
  }

  it.each([[[]], [['v9.8.7']], [['9.8.7', '--dry-run', '--push']]])('refuses the arguments %j', (args) => {
    expect(script('release.ts', ...args)).toEqual({ status: 2, text: expect.stringMatching(/^Usage: /) })
  })

  it('is tagged here alone, unless the tag is to be pushed', () => {
    expect(script('release.ts', '9.8.7')).toMatchObject({
      status: 0,
      text: expect.stringContaining('git push origin v9.8.7')
    })
    expect([git(clone, 'tag'), pushed()]).toEqual(['v9.8.7', ['']])
    git(clone, 'tag', '--delete', 'v9.8.7')
    expect(script('release.ts', '9.8.7', '--push')).toMatchObject({ status: 0 })
    expect(pushed()).toEqual(['refs/tags/v9.8.7', 'refs/tags/v9.8.7^{}'])
    expect(script('release.ts', '9.8.7', '--tagged')).toMatchObject({
      status: 0,
      text: expect.stringContaining('is v9.8.7.')
    })
    git(clone, 'commit', '--quiet', '--allow-empty', '--message', 'Go on')
    expect(script('release.ts', '9.8.7', '--tagged')).toMatchObject({
      status: 1,
      text: expect.stringContaining('the tag v9.8.7 is at')
    })
  })

  /** A stand-in for gh: it keeps releases as files, and logs its arguments. */
  function standIn(isImmutable: boolean): void {
    const lines = [
      '#!/bin/sh',
      `cd ${folder}; echo "$*" >> log`,
      'case "$*" in',
      `  *--jq*) echo ${isImmutable} ;;`,
      '  "release view "*) test -e "$3" ;;',
      '  "release create "*) cat > "$3" ;;',
      'esac'
    ]
    writeFileSync(join(folder, 'bin/gh'), `${lines.join('\n')}\n`, { mode: 0o755 })
  }

  it('is published with its notes, moves vX, and can be published again', () => {
    standIn(true)
    const early = script('publish-release.ts', '9.8.7')
    expect(early).toMatchObject({ status: 1, text: expect.stringContaining('is not at the commit of the checkout') })
    git(clone, 'push', '--quiet', 'origin', 'HEAD:refs/tags/v9', 'HEAD:refs/tags/v9.8.6')
    script('release.ts', '9.8.7', '--push')
    expect(script('publish-release.ts', '9.8.7')).toMatchObject({ status: 0 })
    expect(readFileSync(join(folder, 'v9.8.7'), 'utf8')).toBe('- One thing.')
    expect(readFileSync(join(folder, 'log'), 'utf8')).toContain('--title v9.8.7 --latest=true --notes-file -')
    const again = script('publish-release.ts', '9.8.7')
    expect(again).toEqual({ status: 0, text: expect.stringMatching(/^v9 is at \S+ already\.\n$/) })
  })

  it('moves vX only forward, and only after an immutable release', () => {
    const old = git(clone, 'rev-parse', 'HEAD')
    git(clone, 'commit', '--quiet', '--allow-empty', '--message', 'Go on')
    git(clone, 'push', '--quiet', 'origin', 'HEAD:main', `${old}:refs/tags/v9`)
    script('release.ts', '9.8.7', '--push')
    const v9 = (): string => git(clone, 'ls-remote', 'origin', 'refs/tags/v9').slice(0, 40)
    standIn(false)
    expect(script('publish-release.ts', '9.8.7')).toMatchObject({
      status: 1,
      text: expect.stringContaining('not immutable')
    })
    expect(v9()).toBe(old)
    standIn(true)
    git(clone, 'push', '--quiet', 'origin', `${old}:refs/tags/v9.10.0`)
    expect(script('publish-release.ts', '9.8.7')).toEqual({ status: 0, text: 'v9 stays: a newer version has it.\n' })
    expect(v9()).toBe(old)
    git(clone, 'push', '--quiet', 'origin', ':refs/tags/v9.10.0')
    expect(script('publish-release.ts', '9.8.7')).toMatchObject({
      status: 0,
      text: expect.stringMatching(/^Moved v9 to /)
    })
    expect(v9()).toBe(git(clone, 'rev-parse', 'HEAD'))
  })
})

const IDENTITY = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'octocat',
  GIT_AUTHOR_EMAIL: 'octocat@example.com',
  GIT_COMMITTER_NAME: 'octocat',
  GIT_COMMITTER_EMAIL: 'octocat@example.com'
}

function git(cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('git', args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...IDENTITY }
  })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}
