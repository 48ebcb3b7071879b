import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { readInputs } from '../../src/action/inputs.ts'
import { makeOutputs } from '../../src/report/outputs.ts'
import { makeReport } from '../../src/report/report.ts'
import { emptyResult, type RunResult } from '../../src/result/result.ts'

interface Description {
  description?: string
  required?: boolean
  default?: unknown
}
interface Action {
  name: string
  description: string
  branding: { icon: string; color: string }
  runs: Record<string, string>
  inputs: Record<string, Description>
  outputs: Record<string, Description>
}

const root = join(import.meta.dirname, '../..')
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as Action
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The cells of the table below a heading of the README, a row each. */
function table(heading: string): string[][] {
  const [, section = ''] = readme.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const [text = ''] = section.split(/^#/m)
  const rows = text.split('\n').filter((line) => line.startsWith('| '))
  return rows.slice(2).map((row) => row.slice(2, -2).split(' | '))
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** In DESIGN's order, and never fewer: a word once published keeps its meaning. */
const INPUTS =
  'image context file builder-target target tests production-tests checks test-options test-parallelism test-timeout-minutes test-reports reports-directory skip-unchanged-tests build-args labels secrets ssh add-hosts network platform shm-size tags builder-tag latest-tag cache-stages cache-tags expect-cache publish-branch push dry-run retries builder remove-images github-token'
const OUTPUTS =
  'image short-sha branch builder-image image-id digest tags cache-tags pushed published publish-reason cache-hit cached-steps total-steps pull-bytes pull-bytes-full cache tests engine report'

describe('inputs', () => {
  const inputs = readInputs((name) => (name === 'image' ? 'octo/app' : ''))

  it('are the same in action.yml, in Inputs and in the README', () => {
    expect(Object.keys(action.inputs)).toEqual(INPUTS.split(' '))
    expect(Object.keys(inputs).map(kebab)).toEqual(INPUTS.split(' '))
    expect(table('Inputs').map(([name]) => name)).toEqual(INPUTS.split(' ').map((name) => `\`${name}\``))
  })

  it('have the same defaults in action.yml, in Inputs and in the README', () => {
    const shown = new Map(table('Inputs').map(([name = '', value = '']) => [name.replaceAll('`', ''), value]))
    for (const [name, { default: value, required }] of Object.entries(action.inputs)) {
      if (required) expect(shown.get(name)).toBe('required')
      else if (value !== undefined) expect(shown.get(name)).toBe(`\`${String(value)}\``)
      else expect(shown.get(name)).not.toMatch(/^`/)
    }
    const withDefaults = readInputs((name) => {
      const value = action.inputs[name]?.default
      return name === 'image' ? 'octo/app' : name === 'github-token' ? '' : String(value ?? '')
    })
    expect(withDefaults).toEqual(inputs)
  })

  it('are all described', () => {
    for (const { description } of [...Object.values(action.inputs), ...Object.values(action.outputs)]) {
      expect(description).toMatch(/^.{20,}/)
    }
  })
})

describe('outputs', () => {
  it('are the same in action.yml, in Outputs and in the README', () => {
    const result: RunResult = { ...emptyResult(), failures: [{ kind: 'error', message: 'x' }] }
    const outputs = makeOutputs(makeReport(undefined, result, []), '')
    expect(Object.keys(action.outputs)).toEqual(OUTPUTS.split(' '))
    expect(Object.keys(outputs)).toEqual(OUTPUTS.split(' '))
    expect(table('Outputs').map(([name]) => name)).toEqual(OUTPUTS.split(' ').map((name) => `\`${name}\``))
  })
})

describe('action.yml', () => {
  it('runs the bundles on Node 24', () => {
    expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js', post: 'dist/cleanup/index.js' })
  })

  it('has branding', () => {
    expect(action.branding).toEqual({ icon: 'layers', color: 'blue' })
  })
})

describe('Node', () => {
  it('is the one that runs the action: npm would silently fall back to its own', () => {
    expect(process.version).toMatch(/^v24\./)
  })
})
