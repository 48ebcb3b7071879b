import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { crossCheck, type Inputs, readInputs } from '../../src/action/inputs.ts'
import { actionSteps, exampleWorkflows, OURS, servicesOf } from '../support/examples.ts'
import { lintAll } from '../support/workflows.ts'

const root = join(import.meta.dirname, '../..')
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as { inputs: Record<string, unknown> }
const examples = exampleWorkflows()

/** The inputs of this action in a workflow, each expression replaced by a word. */
function inputsIn(text: string): Record<string, string>[] {
  return actionSteps(text, () => 'word').map(({ inputs }) => inputs)
}

function readAll(values: Record<string, string>): Inputs {
  const inputs = readInputs((name) => values[name] ?? '')
  crossCheck(inputs)
  return inputs
}

/** What the action would refuse in the inputs of a workflow. */
function inputFaults(text: string): string[] {
  return inputsIn(text).flatMap((values) => {
    const unknown = Object.keys(values).filter((name) => !Object.hasOwn(action.inputs, name))
    try {
      readAll(values)
      return unknown
    } catch (error) {
      return [...unknown, (error as Error).message]
    }
  })
}

/** The lines of a workflow that name an action or a container of the checks by a name that can move. */
function notPinned(text: string): string[] {
  const pinned = /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/
  return text
    .split('\n')
    .filter((line) => line.includes('uses:') && !line.endsWith(`uses: ${OURS}`) && !pinned.test(line))
}

/** Service containers that a workflow refers to, but does not start. */
function missingServices(text: string): string[] {
  const started = Object.keys(servicesOf(text))
  const used = [...text.matchAll(/job\.services\.(\w+)/g)].map(([, name = '']) => name)
  return used.filter((name) => !started.includes(name))
}

/** All that is wrong with a workflow, besides what actionlint finds. */
function faults(text: string): string[] {
  return [...inputFaults(text), ...notPinned(text), ...missingServices(text)]
}

function example(name: string): string {
  return examples.find(({ path }) => path === name)?.text ?? ''
}

describe.each(examples)('The example $path', ({ text }) => {
  it('has nothing that the action refuses, and uses actions of one commit only', () => {
    expect(faults(text)).toEqual([])
  })
})

describe('The examples', () => {
  it.each([
    ['job.services.postgres.network', 'job.services.mysql.network', /^mysql$/],
    ['          tests: |', '          test: |', /^test$/],
    ['    --network ', '    --rm --network ', /^Input tests has .*--rm/],
    ['image: ghcr.io/octo/app', 'image: ghcr.io/octo/app:1', /^Input image/],
    ['@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1', '@v7', /actions\/checkout@v7/],
    [' # v4.6.0', '', /docker\/login-action/],
    [OURS, OURS.replace(/@.*/, '@main'), /@main/]
  ])('are really checked: with %j instead of %j a fault is found', (right, wrong, fault) => {
    const text = example('services.yml')
    expect(text).toContain(right)
    expect(faults(text.replace(right, wrong))).toContainEqual(expect.stringMatching(fault))
  })

  it('have nothing that actionlint finds, and all of them are really linted', () => {
    const right = examples.map(({ path, text }) => [path, text] as const)
    const wrong = right.map(([path, text]) => [`${path}, wrong`, text.replace('runs-on', 'runs-no')] as const)
    const linted = Object.entries(lintAll(Object.fromEntries([...right, ...wrong])))
    for (const [path, messages] of linted) expect(messages).toMatch(path.endsWith('wrong') ? /"runs-no"/ : /^$/)
  })

  it.each(['services.yml', 'compose.yml', 'scan.yml'])('say when to use %s, and use the action once', (name) => {
    expect(example(name)).toMatch(/^# Use this if .*\n# .*\nname: /)
    expect(inputsIn(example(name))).toHaveLength(1)
  })

  it('give one test the network of a service, and run a scanner by digest in one check', () => {
    const [services, scan] = ['services.yml', 'scan.yml'].flatMap((name) => inputsIn(example(name)).map(readAll))
    expect(services?.tests).toEqual([
      { command: 'npm test', options: [] },
      {
        command: 'npm run test:integration',
        options: ['--env', 'DATABASE_URL=postgres://postgres:test@postgres/postgres', '--network', 'word']
      }
    ])
    expect(scan?.checks).toEqual([
      {
        command: expect.stringMatching(/^docker save .*\n.*\\\n\S+:[\d.]+@sha256:[0-9a-f]{64} \\\nimage /),
        options: []
      }
    ])
  })
})
