// Rules for workflows that people copy: those of zizmor that a text can break. actionlint has none of them.
import { parse } from 'yaml'

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}

interface Job {
  permissions?: Record<string, string>
  'timeout-minutes'?: number | string
  env?: Record<string, unknown>
  steps?: Step[]
  secrets?: unknown
}

interface Workflow {
  on: Record<string, unknown>
  permissions?: unknown
  env?: Record<string, unknown>
  jobs: Record<string, Job>
}

/** Actions and commands, and the permissions of the token that they need. */
const NEEDS: [step: RegExp, permissions: Record<string, string>][] = [
  [/^actions\/checkout@/, { contents: 'read' }],
  [/^(aws-actions\/configure-aws-credentials|google-github-actions\/auth|azure\/login)@/, { 'id-token': 'write' }],
  [/^actions\/attest@/, { 'id-token': 'write', attestations: 'write' }],
  [/\bgh attestation verify\b/, { attestations: 'read' }],
  [/\bclean-up\.mjs\b/, { packages: 'write', 'pull-requests': 'read' }]
]

/** A registry whose password is the token of the run. */
const OWN_REGISTRY = /^(ghcr\.io|containers\.)/

/** Inputs of this action that are code of a shell. */
const SCRIPTS = ['tests', 'production-tests', 'checks']

/** Expressions that nobody outside the repository has an influence on. */
const HARMLESS = /\$\{\{ job\.services\.\w+\.network \}\}/g

/** What breaks a rule in a workflow. */
export function ruleFaults(text: string): string[] {
  const { on, permissions, env, jobs } = parse(text) as Workflow
  const triggers = Object.keys(on).filter((name) => /^(pull_request_target|workflow_run)$/.test(name))
  return [
    ...triggers.map((name) => `${name} runs with secrets on code that nobody has merged`),
    ...(JSON.stringify(permissions) === '{}' ? [] : ['the workflow has permissions of its own']),
    ...secretsIn(env).map((name) => `all jobs get the secret in ${name}`),
    ...Object.entries(jobs).flatMap(([name, job]) => jobFaults(job).map((fault) => `job ${name}: ${fault}`))
  ]
}

function jobFaults({ permissions, env, steps = [], 'timeout-minutes': minutes, secrets }: Job): string[] {
  const [needed, given] = [neededBy(steps), sorted(permissions ?? { all: 'default' })]
  return [
    ...(needed === given ? [] : [`it has the permissions ${given}, but needs ${needed}`]),
    ...(typeof minutes === 'number' ? [] : ['it has no timeout-minutes']),
    ...(secrets === 'inherit' ? ['it hands on all secrets'] : []),
    ...secretsIn(env).map((name) => `all steps get the secret in ${name}`),
    ...steps.flatMap(stepFaults)
  ]
}

function stepFaults({ uses = '', run = '', with: inputs = {} }: Step): string[] {
  const scripts = [run, ...SCRIPTS.map((name) => String(inputs[name] ?? ''))]
  return [
    ...scripts
      .filter((script) => script.replaceAll(HARMLESS, '').includes('${{'))
      .map(() => 'an expression in a script'),
    ...(uses.startsWith('actions/checkout@') && inputs['persist-credentials'] !== false
      ? ['the checkout keeps the token']
      : [])
  ]
}

/** The permissions that the steps of a job need. */
function neededBy(steps: readonly Step[]): string {
  const needed = steps.flatMap(({ uses, run, with: inputs = {} }) => {
    const step = uses ?? run ?? ''
    const own: Record<string, string>[] = []
    // a job that only logs in, pulls; one that uses the action pushes
    if (step.startsWith('docker/login-action@') && OWN_REGISTRY.test(String(inputs.registry)))
      own.push({ packages: 'read' })
    if (/\/shared-docker-layers(\/publish)?@/.test(step) && OWN_REGISTRY.test(String(inputs.image)))
      own.push({ packages: 'write' })
    return [...own, ...NEEDS.filter(([pattern]) => pattern.test(step)).map(([, permissions]) => permissions)]
  })
  const reads = needed.flatMap((permissions) => Object.entries(permissions).filter(([, level]) => level === 'read'))
  const writes = needed.flatMap((permissions) => Object.entries(permissions).filter(([, level]) => level === 'write'))
  return sorted(Object.fromEntries([...reads, ...writes]))
}

function sorted(permissions: Record<string, string>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(permissions).toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

/** The variables that have the value of a secret; whether there is one is none. */
function secretsIn(env: Record<string, unknown> = {}): string[] {
  return Object.entries(env)
    .filter(([, value]) => /\bsecrets\b(?!\.\w+ != '' \}\})/.test(String(value)))
    .map(([name]) => name)
}
