import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { collect, handOver } from '../../../src/pipeline/collect-reports.ts'
import type { Run } from '../../../src/plan/run-context.ts'
import { makePlan, makeSecrets } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'
import { RecordingLog } from '../../support/recording-log.ts'

let folder: string
let workspace: string
let before: string
let log: RecordingLog

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collect-'))
  workspace = mkdtempSync(join(tmpdir(), 'workspace-'))
  before = process.cwd()
  process.chdir(workspace)
  log = new RecordingLog()
})
afterEach(() => {
  process.chdir(before)
  for (const one of [folder, workspace]) rmSync(one, { recursive: true })
})

/** A run whose docker copies what `write` writes into the folder that it is given. */
function runWith(inputs: Record<string, string>, write: (target: string, source: string) => void): Run {
  const docker: Docker = {
    call: async (args) => {
      write(args[2] ?? '', args[1] ?? '')
      return { exitCode: 0, stdout: '', stderr: '' }
    }
  }
  return makeRun({ plan: makePlan({ inputs }), secrets: makeSecrets(inputs), folder, log, docker })
}

const TEST = { number: 1, command: '../../etc; rm -rf "$HOME"', container: 'c', workingDir: '/app' }

describe('collect', () => {
  it('asks for paths from the working directory, and never for more', async () => {
    const asked: string[] = []
    const inputs = { 'test-reports': 'junit.xml\n/tmp/out\n../../../x' }
    await collect(
      runWith(inputs, (_, source) => void asked.push(source)),
      TEST
    )
    expect(asked).toEqual(['c:/app/junit.xml', 'c:/tmp/out', 'c:/x'])
  })

  it('takes files, but no links, and names the folder after the test', async () => {
    const inputs = { 'test-reports': 'out', 'reports-directory': 'reports', secrets: 'x=s3cret' }
    const run = runWith(inputs, (target) => {
      mkdirSync(join(target, 'out', 'deep'), { recursive: true })
      writeFileSync(
        join(target, 'out', 'deep', 'a.xml'),
        '<testsuite><testcase name="a"><error message="s3cret"/></testcase></testsuite>'
      )
      symlinkSync('/etc', join(target, 'out', 'etc'))
      symlinkSync('/etc/passwd', join(target, 'out', 'passwd.xml'))
    })
    expect(await collect(run, TEST)).toEqual([{ name: 'a', message: '***' }])
    await handOver(run)
    const entries = readdirSync(join(workspace, 'reports'), { recursive: true, encoding: 'utf8' })
    expect(new Set(entries)).toEqual(
      new Set(['', '/out', '/out/deep', '/out/deep/a.xml'].map((path) => `1-etc-rm-rf-HOME${path}`))
    )
    expect(log.said().at(-1)).toMatch(/^The reports of 1 tests are in .*\/reports$/)
  })

  it('keeps apart what has one name, and takes the rest where one cannot be taken', async () => {
    const inputs = { 'test-reports': 'unit/a.txt\n/broken\ne2e/a.txt\n/tmp/a.txt' }
    const run = runWith(inputs, (target, source) => {
      if (source.endsWith('broken')) throw new Error('no space')
      writeFileSync(join(target, 'a.txt'), source)
    })
    expect(await collect(run, TEST)).toEqual([])
    await handOver(run)
    const read = (path: string): string => readFileSync(join(workspace, 'test-reports/1-etc-rm-rf-HOME', path), 'utf8')
    expect(['unit/a.txt', 'e2e/a.txt', 'tmp/a.txt'].map(read)).toEqual([
      'c:/app/unit/a.txt',
      'c:/app/e2e/a.txt',
      'c:/tmp/a.txt'
    ])
    expect(log.said()[0]).toMatch(/^The report "\/broken" of the test .* could not be collected: no space$/)
  })

  it('counts cases that are too many, and cuts long ones without the start of a secret', async () => {
    const many = '<testcase name="a"><failure message="b"/></testcase>'.repeat(50_000)
    const long = `<testcase name="${'n'.repeat(5_000)}"><failure message="${'x'.repeat(995)}s3cret"/></testcase>`
    const run = runWith({ 'test-reports': 'a.xml', secrets: 'x=s3cret' }, (target) =>
      writeFileSync(join(target, 'a.xml'), `<testsuite>${long}${many}</testsuite>`)
    )
    const cases = await collect(run, TEST)
    expect(cases).toHaveLength(101)
    expect(cases[0]).toEqual({ name: `${'n'.repeat(300)}…`, message: `${'x'.repeat(995)}***` })
    expect(cases.at(-1)).toEqual({ name: '… and 49901 more cases', message: '' })
  })
})

describe('handOver', () => {
  const write = (target: string): void => writeFileSync(join(target, 'a.txt'), 'new')

  it('writes through no link that leaves the working directory', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'))
    try {
      symlinkSync(elsewhere, join(workspace, 'test-reports'))
      symlinkSync(elsewhere, join(workspace, '..reports'))
      for (const directory of ['test-reports', 'test-reports/deep', join(workspace, 'test-reports'), '..reports']) {
        const run = runWith({ 'test-reports': 'a.txt', 'reports-directory': directory }, write)
        await collect(run, TEST)
        await handOver(run)
        expect(readdirSync(elsewhere)).toEqual([])
        expect(log.said().at(-1)).toMatch(
          /could not be written to .*: it is, or is below, a link that leaves the working dir/
        )
        rmSync(join(folder, 'reports'), { recursive: true })
      }
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it('replaces a link, or what an earlier run left, by the folder of a test', async () => {
    mkdirSync(join(workspace, 'test-reports'))
    const outside = mkdtempSync(join(tmpdir(), 'elsewhere-'))
    try {
      writeFileSync(join(outside, 'a.txt'), 'old')
      symlinkSync(outside, join(workspace, 'test-reports', '1-etc-rm-rf-HOME'))
      const run = runWith({ 'test-reports': 'a.txt' }, write)
      await collect(run, TEST)
      await handOver(run)
      expect(readFileSync(join(outside, 'a.txt'), 'utf8')).toBe('old')
      expect(readFileSync(join(workspace, 'test-reports', '1-etc-rm-rf-HOME', 'a.txt'), 'utf8')).toBe('new')
    } finally {
      rmSync(outside, { recursive: true })
    }
  })

  it('makes no folder where there is nothing to put', async () => {
    await handOver(runWith({}, write))
    expect(existsSync(join(workspace, 'test-reports'))).toBe(false)
  })
})
