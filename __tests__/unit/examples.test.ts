import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { crossCheck, type Inputs, readInputs } from '../../src/action/inputs.ts'
import { actionSteps, exampleFiles, exampleWorkflows, OURS, readExample, servicesOf } from '../support/examples.ts'
import { ruleFaults } from '../support/workflow-rules.ts'
import { forActionlint, lintAll, ownFaults } from '../support/workflows.ts'

const root = join(import.meta.dirname, '../..')
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as { inputs: Record<string, unknown> }
const examples = exampleWorkflows()

/** The inputs of this action in a workflow, each expression replaced by a word. */
function inputsIn(text: string): Record<string, string>[] {
  const evaluate = (expression: string): string =>
    expression.includes('==') ? 'true' : expression === 'matrix.platform' ? 'linux/amd64' : 'word'
  return actionSteps(text, evaluate).map(({ inputs }) => inputs)
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
    .filter(
      (line) =>
        line.includes('uses:') &&
        !line.endsWith(`uses: ${OURS}`) &&
        !line.endsWith(`uses: ${OURS.replace('@', '/publish@')}`) &&
        !pinned.test(line)
    )
}

/** Service containers that a workflow refers to, but does not start. */
function missingServices(text: string): string[] {
  const started = Object.keys(servicesOf(text))
  const used = [...text.matchAll(/job\.services\.(\w+)/g)].map(([, name = '']) => name)
  return used.filter((name) => !started.includes(name))
}

/** All that is wrong with a workflow, besides what actionlint finds. */
function faults(text: string): string[] {
  return [...inputFaults(text), ...notPinned(text), ...missingServices(text), ...ruleFaults(text), ...ownFaults(text)]
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

  it.each([
    ['ghcr.yml', '  pull_request:', '  pull_request_target:', /^pull_request_target runs/],
    ['ghcr.yml', 'permissions: {}', 'permissions: read-all', /^the workflow has permissions/],
    ['ghcr.yml', 'packages: write', 'packages: read', /"packages":"read"}, but needs .*"packages":"write"}$/],
    ['ghcr.yml', '    timeout-minutes: 30\n', '', /^job image: it has no timeout-minutes/],
    ['ghcr.yml', '          persist-credentials: false\n', '          lfs: true\n', /^job image: the checkout keeps/],
    [
      'ghcr.yml',
      'tests: npm test',
      'tests: npm test $' + '{{ github.head_ref }}',
      /^job image: an expression in a script/
    ],
    ['azure.yml', '--name octo', '--name $' + '{{ vars.REGISTRY }}', /^job image: an expression in a script/],
    ['azure.yml', 'contents: read', 'contents: read\n      packages: write', /"packages":"write"}, but needs/],
    ['attest.yml', '      attestations: write\n', '', /but needs .*"attestations":"write"/],
    ['attest.yml', 'attestations: read', 'attestations: write', /^job verify: it has the permissions/],
    ['attest.yml', 'steps.image.outputs.digest', 'steps.image.outputs.id', /^steps\.image has no output id$/],
    ['deploy.yml', 'needs.image.outputs.digest', 'needs.image.outputs.ref', /^needs\.image has no output ref$/],
    [
      'docker-hub.yml',
      "DOCKERHUB_TOKEN != ''",
      'DOCKERHUB_TOKEN',
      /^job image: all steps get the secret in HAS_TOKEN$/
    ],
    [
      'docker-hub.yml',
      'permissions: {}',
      'permissions: {}\nenv:\n  A: $' + '{{ toJSON(secrets) }}',
      /^all jobs get the secret in A$/
    ]
  ])('keep the rules: in %s, %j instead of %j breaks one', (name, right, wrong, fault) => {
    const text = example(name)
    expect(text).toContain(right)
    expect(faults(text.replace(right, wrong))).toContainEqual(expect.stringMatching(fault))
  })

  it('have nothing that actionlint finds, and all of them are really linted', () => {
    const right = examples.map(({ path, text }) => [path, forActionlint(text)] as const)
    const wrong = right.map(([path, text]) => [`${path}, wrong`, text.replace('runs-on', 'runs-no')] as const)
    const linted = Object.entries(lintAll(Object.fromEntries([...right, ...wrong])))
    for (const [path, messages] of linted) expect(messages).toMatch(path.endsWith('wrong') ? /"runs-no"/ : /^$/)
  })

  // the documents show the workflow of clean-up, and say there when to use it
  it.each(examples.filter(({ path }) => path !== 'clean-up/workflow.yml'))(
    'say in two lines when to use $path, and use the action once',
    ({ text }) => {
      expect(text).toMatch(/^# Use this (if|to|for|on) .*\n# .*\.\nname: Image\n/)
      expect(inputsIn(text)).toHaveLength(1)
    }
  )

  it('are all in their list, each once', () => {
    const linked = [...readExample('README.md').matchAll(/\]\((?!\.\.\/)([^)]+)\)/g)].map(([, path]) => path)
    expect(linked).toHaveLength(exampleFiles().length)
    expect(new Set(linked)).toEqual(new Set(exampleFiles()))
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('(examples/README.md)')
  })

  it('publish under one name for each service, and under another moving tag than the releases', () => {
    const [monorepo, release] = ['monorepo.yml', 'release-tags.yml'].flatMap((name) => inputsIn(example(name)))
    expect(monorepo).toMatchObject({ image: 'ghcr.io/octo/word', context: 'services/word' })
    expect(release).toMatchObject({ 'latest-tag': 'edge', tags: 'word' })
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
