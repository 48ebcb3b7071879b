import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
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
  runs: { using: string; main: string; post: string }
  inputs: Record<string, Description>
  outputs: Record<string, Description>
}

const root = join(import.meta.dirname, '../..')
const action = readAction('action.yml')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

function readAction(path: string): Action {
  return parse(readFileSync(join(root, path), 'utf8')) as Action
}

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
  'image context file builder-target target tests production-tests checks test-options test-parallelism test-timeout-minutes test-reports reports-directory skip-unchanged-tests build-args labels annotations secrets secret-files secret-envs ssh add-hosts network platform platforms shm-size ulimit build-contexts no-cache no-cache-filters pull provenance sbom tags commit-tag builder-tag latest-tag cache-stages cache-tags expect-cache publish-branch push dry-run retries builder remove-images github-token'
const OUTPUTS =
  'image short-sha branch builder-image image-id digest ref tags cache-tags pushed published publish-reason cache-hit cached-steps total-steps pull-bytes pull-bytes-full cache tests engine platform-result report'

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

/** The actions for several machines: names in order; those of action.yml mean the same there. */
const PARTS = {
  build: {
    inputs: [...INPUTS.split(' ').filter((name) => name !== 'dry-run'), 'transport'],
    outputs:
      'digest matrix hand-off builder-image short-sha branch cache-tags cache-hit cached-steps total-steps cache engine report'.split(
        ' '
      ),
    required: ['image']
  },
  test: {
    inputs: 'hand-off test test-parallelism reports-directory retries remove-images'.split(' '),
    outputs: 'result tests report'.split(' '),
    required: ['hand-off']
  },
  publish: {
    inputs: [...INPUTS.split(' ').filter((name) => name !== 'dry-run'), 'hand-off', 'results'],
    outputs: OUTPUTS.split(' '),
    required: ['image']
  }
}

/** Outputs that have the name of another one in action.yml, but another meaning. */
const OTHER_MEANING = new Set(['build digest'])

/** What an action for several machines has that differs from the inputs or outputs of action.yml with the same name. */
function differences(
  part: string,
  own: Record<string, Description>,
  whole: Record<string, Description> = {}
): Record<string, Description> {
  const different = Object.entries(own).filter(
    ([name, value]) => whole[name] && !OTHER_MEANING.has(`${part} ${name}`) && !isDeepStrictEqual(value, whole[name])
  )
  return Object.fromEntries(different)
}

describe.each(Object.entries(PARTS))('%s/action.yml', (part, { inputs, outputs, required }) => {
  const own = readAction(`${part}/action.yml`)

  it('has the inputs and outputs of its contract, in order', () => {
    expect(Object.keys(own.inputs)).toEqual(inputs)
    expect(Object.keys(own.outputs)).toEqual(outputs)
    expect(Object.keys(own.inputs).filter((name) => own.inputs[name]?.required)).toEqual(required)
  })

  it('shares descriptions and defaults with action.yml, so that one `with` fits all', () => {
    expect(differences(part, own.inputs, action.inputs)).toEqual({})
    expect(differences(part, own.outputs, action.outputs)).toEqual({})
  })

  it('describes everything', () => {
    for (const { description } of [...Object.values(own.inputs), ...Object.values(own.outputs)]) {
      expect(description).toMatch(/^.{20,}/)
    }
  })

  it('runs its own bundle, with the clean-up of action.yml', () => {
    const bundle = (path: string): string => join(part, path)
    expect({ ...own.runs, main: bundle(own.runs.main), post: bundle(own.runs.post) }).toEqual({
      ...action.runs,
      main: `dist/${part}/index.js`
    })
    expect(own.branding).toEqual(action.branding)
  })

  it('has the inputs and outputs that action.yml lacks in docs/several-machines.md', () => {
    const page = readFileSync(join(root, 'docs/several-machines.md'), 'utf8')
    const names = [
      ...inputs.filter((name) => !(name in action.inputs)),
      ...outputs.filter((name) => !(name in action.outputs) || OTHER_MEANING.has(`${part} ${name}`))
    ]
    for (const name of names) expect(page).toContain(`\`${name}\``)
  })
})

describe('The comparison with action.yml', () => {
  it('finds another default and another description', () => {
    const { inputs, outputs } = readAction('build/action.yml')
    const wrong = { ...inputs, push: { ...inputs.push, default: 'never' } }
    expect(Object.keys(differences('build', wrong, action.inputs))).toEqual(['push'])
    expect(Object.keys(differences('test', outputs, action.outputs))).toEqual(['digest'])
  })
})

describe('Node', () => {
  it('is the one that runs the action: npm would silently fall back to its own', () => {
    expect(process.version).toMatch(/^v24\./)
  })
})
