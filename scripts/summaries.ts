/**
 * `npm run summaries`: plays a run of each kind on a brand-new engine, and writes its report, its summary and a picture of the
 * summary to docs/summaries.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { applicationFiles } from '../demo/commits.ts'
import { availableEngines, type EngineSpec, GitHubApi, pushBaseImages, TestBed } from '../testbed/index.ts'
import { type Event, type Job, type Outcome, pushEvent, RunningAction } from '../testbed/runner.ts'
import { SourceRepository } from '../testbed/source-repository.ts'
import { openBrowser, render, type View } from './picture.ts'

const FOLDER = join(import.meta.dirname, '..', 'docs', 'summaries')
const TESTS = ['npm test', 'npm run test:integration', 'npm run lint']
const JUNIT =
  '--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit --test-reporter-destination=junit.xml'

/** Pictures in addition to the light, wide one of each scenario. */
const FURTHER_PICTURES: [scenario: string, ending: string, view: View][] = [
  ['warm', 'dark', { scheme: 'dark', width: 1_012 }],
  ['failing-test', 'narrow', { scheme: 'light', width: 400 }]
]

interface Scenario {
  name: string
  /** Makes the commit and returns its ID. */
  commit: () => string
  event?: (sha: string) => Event
  action?: Job['action']
  inputs?: Record<string, string>
  /** RUNNER_NAME */
  runner?: string
  /** The folder that an output names is copied to another one, before the agent ends. */
  kept?: { output: string; folder: string }
  /** Cancels the run when its log matches. */
  cancelAt?: RegExp
}

const bed = await TestBed.start({ name: 'summaries' })
try {
  const base = (await pushBaseImages(bed, ['node'])).node
  const files = applicationFiles()
  const source = new SourceRepository(bed.folder, files)
  const api = await GitHubApi.start(source.origin, new URL(bed.registry.url).hostname)
  const text = (name: string): string => String(files[name])
  const change = (name: string, old: string, replacement: string): string => {
    if (!text(name).includes(old)) throw new Error(`${name} does not contain ${old}`)
    return source.commit({ [name]: text(name).replace(old, replacement) })
  }
  const first = source.head()
  let warm = ''
  const makeWarm = (): string => {
    warm = change(
      'src/units.js',
      "  kg: { quantity: 'mass'",
      "  nmi: { quantity: 'length', size: 1_852 },\n  kg: { quantity: 'mass'"
    )
    return warm
  }
  const scenarios: Scenario[] = [
    { name: 'first-publish', commit: () => first },
    { name: 'warm', commit: makeWarm },
    { name: 'stale-commit', commit: () => first },
    { name: 'cold', commit: () => change('Dockerfile', 'AS builder\n', 'AS builder\nENV TZ=UTC\n') },
    {
      name: 'failing-test',
      commit: () =>
        change('src/convert.js', '(value * source.size) / target.size', '(value * target.size) / source.size')
    },
    { name: 'fork', commit: () => warm, event: forkEvent },
    { name: 'cancelled', commit: () => warm, cancelAt: /npm run lint/ },
    { name: 'dry-run', commit: () => warm, inputs: { 'dry-run': 'true' } },
    // as it was before the failing tests
    ...severalMachines(() => change('src/convert.js', 'source.size', 'source.size'))
  ]
  const browser = await openBrowser()
  mkdirSync(FOLDER, { recursive: true })
  const [engine] = availableEngines().slice(-1)
  if (!engine) throw new Error('No engine is available for this machine.')
  for (const scenario of scenarios) {
    console.log(`${scenario.name} …`)
    const { report, summary, log } = await play(engine, scenario, base, source, api)
    if (summary === '') throw new Error(`No summary:\n${log}`)
    const path = (extension: string): string => join(FOLDER, `${scenario.name}.${extension}`)
    writeFileSync(path('json'), `${JSON.stringify(report, undefined, 2)}\n`)
    writeFileSync(path('md'), summary)
    writeFileSync(path('png'), (await render(browser, [summary], { scheme: 'light', width: 1_012 })).picture)
    for (const [name, ending, view] of FURTHER_PICTURES) {
      const further = join(FOLDER, `${name}-${ending}.png`)
      if (name === scenario.name) writeFileSync(further, (await render(browser, [summary], view)).picture)
    }
  }
  await browser.close()
  await api.stop()
} finally {
  await bed.stop()
}

async function play(
  engine: EngineSpec,
  {
    commit,
    event = (sha) => pushEvent(sha, 'master'),
    action: part = '',
    inputs = {},
    runner,
    kept,
    cancelAt
  }: Scenario,
  base: string,
  source: SourceRepository,
  api: GitHubApi
): Promise<Outcome> {
  const sha = commit()
  const agent = await bed.agent(engine)
  try {
    const action = new RunningAction(agent, {
      action: part,
      workspace: source.checkout(sha),
      event: event(sha),
      inputs:
        part === 'test'
          ? inputs
          : {
              ...{
                image: `${bed.registry.host}/octo/converter`,
                tests: TESTS.join('\n'),
                'build-args': `BASE=${base}`
              },
              ...{ 'test-options': `--env "NODE_OPTIONS=${JUNIT}"`, 'test-reports': 'junit.xml' },
              ...{ ...api.job.inputs, ...inputs }
            },
      env: { ...api.job.env, ...(runner !== undefined && { RUNNER_NAME: runner }) }
    })
    if (cancelAt) {
      while (!cancelAt.test(action.log)) await sleep(20)
      await action.cancel()
    }
    const outcome = await action.end()
    if (kept) cpSync(String(outcome.outputs[kept.output]), kept.folder, { recursive: true })
    return outcome
  } finally {
    await agent.stop()
  }
}

/** One commit on five machines; of the three that test, the last one is shown. */
function severalMachines(commit: () => string): Scenario[] {
  const [handOff, results] = [join(bed.folder, 'hand-off'), join(bed.folder, 'results')]
  let sha = ''
  return [
    {
      ...{ name: 'machines-build', action: 'build', kept: { output: 'hand-off', folder: handOff } },
      commit: () => {
        sha = commit()
        return sha
      }
    },
    ...TESTS.map(
      (_, index): Scenario => ({
        ...{ name: 'machines-test', action: 'test', kept: { output: 'result', folder: results } },
        inputs: { 'hand-off': handOff, test: String(index) },
        runner: `GitHub Actions ${index + 12}`,
        commit: () => sha
      })
    ),
    { name: 'machines-publish', action: 'publish', inputs: { 'hand-off': handOff, results }, commit: () => sha }
  ]
}

/** The event of a pull request of a fork, with the fields that the action reads. */
function forkEvent(sha: string): Event {
  return {
    name: 'pull_request',
    sha,
    ref: 'refs/pull/7/merge',
    payload: {
      repository: { id: 1, default_branch: 'master' },
      pull_request: { head: { sha, ref: 'nautical-miles', repo: { id: 2 } }, user: { login: 'contributor' } }
    }
  }
}
