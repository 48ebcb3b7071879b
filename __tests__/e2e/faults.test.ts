import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type FaultSchedule, faultSchedule } from '../../testbed/fault-schedule.ts'
import { type Agent, availableEngines, type EngineSpec, FaultProxy, type Injected } from '../../testbed/index.ts'
import { send } from '../../testbed/registry.ts'
import { type Outcome, pushEvent, RunningAction } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { bed } from '../support/bed.ts'
import { annotations, ending, short } from '../support/harness.ts'

/** How many schedules are played, and the seed of the first: a failing one can be played alone. */
const { SCHEDULES = process.env.CASES === 'long' ? '200' : '12', SEED = '1' } = process.env
const seeds = Array.from({ length: Number(SCHEDULES) }, (_, index) => Number(SEED) + index)

/** Cache tags and tested tags. */
const CACHE_TAG = /^(cache|tested)-[0-9a-f]{16}$/

/** Seconds after which a run must have ended, whatever the registry does. */
const BOUND = 120
/** The same where layers fail: docker itself asks five times within 50 s, and all of that is done again three times. */
const BOUND_OF_LAYERS = 280

const newest = availableEngines().at(-1)?.version
const engines = availableEngines().filter(({ version }) => version === newest)
/** How many runners each store has: most of a run among faults is waiting. */
const RUNNERS = 2

/** A runner whose registry fails as it is told. */
interface Runner {
  engine: EngineSpec
  agent: Agent
  proxy: FaultProxy
  /** Repository with what the first commit published; the tags of every schedule's repository come from it. */
  template: string
}

/** Tag → digest. */
type State = Record<string, string | undefined>

/** A run among faults, and what is wrong with it: a sentence each. */
interface Judged {
  played: Case
  problems: string[]
}

/** By seed. */
const judged = new Map<number, Promise<Judged>>()
let source: SourceRepository
let firstCommit: string
/** Pulls what was published, from a registry that is well. */
let reader: Agent

/** A commit prints its number; without a good verdict its test fails. Its layer is large enough to break in the midst. */
function commitFiles(number: number, testPasses: boolean): Files {
  const ballast = createHash('shake256', { outputLength: 48_000 }).update(String(number)).digest('base64')
  return {
    'src/1.txt': `version ${number}\n`,
    'src/2.txt': `${ballast}\n`,
    'verdict.txt': testPasses ? 'good\n' : 'bad\n'
  }
}

function dockerfile(base: string): string {
  return [
    `FROM ${base} AS builder`,
    'WORKDIR /app',
    'COPY . ./',
    'RUN cat src/* > app.txt',
    '',
    `FROM ${base}`,
    'WORKDIR /app',
    'COPY --from=builder /app/app.txt ./',
    'CMD ["head", "-n", "1", "/app/app.txt"]',
    ''
  ].join('\n')
}

interface Played extends Outcome {
  /** What is left in the runner's folder for temporary files. */
  left: string[]
}

/** Runs the action on an engine that has nothing yet. */
async function play({ agent, proxy }: Runner, repository: string, sha: string): Promise<Played> {
  await agent.docker('system', 'prune', '--all', '--force')
  const action = new RunningAction(agent, {
    workspace: source.checkout(sha),
    event: pushEvent(sha, 'master'),
    inputs: { image: proxy.image(repository), tests: 'grep -x good verdict.txt' }
  })
  const outcome = await action.end()
  return { ...outcome, left: readdirSync(action.temp) }
}

/** The tags that people use; what builds use is judged by `cachedBadly`. */
async function stateOf(repository: string): Promise<State> {
  const tags = (await bed.registry.tags(repository)).filter((tag) => !CACHE_TAG.test(tag))
  const manifests = await Promise.all(tags.map((tag) => bed.registry.manifest(repository, tag)))
  return Object.fromEntries(tags.map((tag, index) => [tag, manifests[index]?.digest]))
}

async function revisionOf(repository: string, tag: string): Promise<string | undefined> {
  return (await bed.registry.config(repository, tag)).config.Labels?.['org.opencontainers.image.revision']
}

/** Gives a new repository the images of another. */
async function copyRepository(from: string, to: string): Promise<void> {
  const { registry } = bed
  for (const tag of await registry.tags(from)) {
    const manifest = await registry.manifest(from, tag)
    const { mediaType, body } = manifest ?? { mediaType: '', body: {} }
    const raw = await fetch(`${registry.url}/v2/${from}/manifests/${tag}`, { headers: { accept: mediaType } })
    for (const { digest } of [body.config, ...body.layers]) {
      await send('POST', `${registry.url}/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`, {})
    }
    const headers = { 'content-type': mediaType }
    await send('PUT', `${registry.url}/v2/${to}/manifests/${tag}`, { headers, body: await raw.arrayBuffer() })
  }
}

/** The digests that an image is made of, and which the registry has not under its repository. */
async function missingBlobs(repository: string, tag: string): Promise<string[]> {
  const { config, layers } = (await bed.registry.manifest(repository, tag))?.body ?? {}
  const digests: string[] = [config, ...layers].map(({ digest }) => digest)
  const answers = await Promise.all(
    digests.map((digest) => fetch(`${bed.registry.url}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' }))
  )
  return digests.filter((_, index) => !answers[index]?.ok)
}

/** What a clean engine that has pulled an image finds in it: the first line of the application. */
async function printedBy(repository: string, tag: string): Promise<string> {
  const image = `${bed.registry.host}/${repository}:${tag}`
  const command = tag.startsWith('builder') ? ['head', '-n', '1', '/app/app.txt'] : []
  const { stdout, stderr } = await reader.run('docker', ['run', '--rm', '--quiet', image, ...command], {
    allowFailure: true
  })
  return stdout.trim() || stderr.trim()
}

async function startRunner(engine: EngineSpec, number: number): Promise<Runner> {
  const agent = await bed.agent(engine)
  return { engine, agent, proxy: await FaultProxy.start(agent), template: `octo/template-${number}` }
}

/** A run among faults, and what the registry had before it and has after it. */
interface Case {
  schedule: FaultSchedule
  runner: Runner
  repository: string
  /** REPOSITORY as the run names it. */
  image: string
  sha: string
  seed: number
  outcome: Played
  before: State
  after: State
  injected: Injected[]
}

/** Whether the registry did what it was asked and the run could not know. */
function isAnswerLost({ injected }: Case, tag: string): boolean {
  return injected.some(
    ({ kind, method, path }) => kind === 'reset-response' && method === 'PUT' && path.endsWith(`/manifests/${tag}`)
  )
}

function endedBadly({ schedule, outcome, image, injected }: Case): string[] {
  const { exitCode, outputs, seconds, left, post } = outcome
  const problems: string[] = []
  const expected = [outputs.image, `${image}:builder`, `${image}:latest`].filter(
    (reference) => !outcome.log.includes(`::warning::${reference} was left where it is`)
  )
  const isDone = outputs.pushed === 'true' && outputs.published === 'true' && outputs.tags === expected.join('\n')
  if ((exitCode === 0) !== isDone)
    problems.push(`exit code ${exitCode}, but the outputs are ${JSON.stringify(outputs)}`)
  if (!schedule.testPasses && exitCode === 0) problems.push('it is green, and its test failed')
  const errors = annotations(outcome, 'error')
  if ((exitCode === 0) !== (errors.length === 0)) problems.push(`exit code ${exitCode} with ${errors.length} errors`)
  for (const error of errors) {
    // the image's repository, or that of its base
    if (!/127\.0\.0\.1:5001|^::error::The test /.test(error)) problems.push(`it names no registry: ${error}`)
    if (error.includes('%0A')) problems.push(`it is more than a line: ${error}`)
  }
  const bound = injected.some(({ path }) => path.includes('/blobs/')) ? BOUND_OF_LAYERS : BOUND
  if (seconds > bound) problems.push(`it took ${seconds} s`)
  if (left.length !== 1 || !/^shared-docker-layers-report-.*\.json$/.test(left[0] ?? '')) {
    problems.push(`files are left: ${left.join(' ')}`)
  }
  if (post.exitCode !== 0 || post.log !== '') problems.push(`the post step: ${post.exitCode} ${post.log}`)
  return problems
}

/** Whether the cache tags and the tested tags are whole, and a failing test has left no tested tag. */
async function cachedBadly({ schedule, repository, runner }: Case): Promise<string[]> {
  const problems: string[] = []
  const tags = (await bed.registry.tags(repository)).filter((tag) => CACHE_TAG.test(tag))
  for (const tag of tags) {
    const missing = await missingBlobs(repository, tag)
    if (missing.length > 0) problems.push(`${tag} lacks ${missing.join(' ')}`)
  }
  const before = await bed.registry.tags(runner.template)
  const tested = tags.filter((tag) => tag.startsWith('tested-') && !before.includes(tag))
  if (!schedule.testPasses && tested.length > 0) problems.push(`its test failed, but there is ${tested.join(' ')}`)
  return problems
}

/** Whether the registry has nothing that was not tested, and what it has is whole. */
async function publishedBadly({ schedule, repository, sha, seed, before, after }: Case): Promise<string[]> {
  const problems: string[] = []
  const gone = Object.keys(before).filter((tag) => !after[tag])
  if (gone.length > 0) problems.push(`tags are gone: ${gone.join(' ')}`)
  const moved = Object.keys(after).filter((tag) => after[tag] !== before[tag])
  if (!schedule.testPasses && moved.length > 0) problems.push(`its test failed, but it moved ${moved.join(' ')}`)
  for (const tag of moved) {
    const revision = await revisionOf(repository, tag)
    if (revision !== sha) problems.push(`${tag} is of ${revision}`)
    if (![short(sha), 'builder-next', 'builder', 'latest'].includes(tag)) problems.push(`${tag} has moved`)
    const missing = await missingBlobs(repository, tag)
    if (missing.length > 0) problems.push(`${tag} has no ${missing.join(' ')}`)
    const printed = await printedBy(repository, tag)
    if (printed !== `version ${seed}`) problems.push(`${tag} prints ${printed}`)
  }
  for (const tag of ['builder', 'latest']) {
    const revision = (await revisionOf(repository, tag)) ?? ''
    if (![firstCommit, sha].includes(revision)) problems.push(`${tag} is of ${revision}`)
  }
  return problems
}

/** Whether the outputs are what the registry has. */
function toldBadly(played: Case): string[] {
  const { outcome, image, sha, before, after } = played
  const problems: string[] = []
  const isMoved = (tag: string): boolean => after[tag] !== undefined && after[tag] !== before[tag]
  const listed = String(outcome.outputs.tags)
    .split('\n')
    .filter((line) => line !== '')
  const tags = [short(sha), 'builder', 'latest']
  for (const tag of tags) {
    const isListed = listed.includes(`${image}:${tag}`)
    if (isListed && !isMoved(tag)) problems.push(`the outputs list ${tag}, which has not moved`)
    if (!isListed && isMoved(tag) && !isAnswerLost(played, tag)) problems.push(`${tag} moved, and no output lists it`)
  }
  const strangers = listed.filter((reference) => !tags.includes(reference.slice(image.length + 1)))
  if (strangers.length > 0) problems.push(`the outputs list ${strangers.join(' ')}`)
  if (outcome.outputs.digest !== (listed.includes(`${image}:${short(sha)}`) ? after[short(sha)] : '')) {
    problems.push(`output digest is ${outcome.outputs.digest}`)
  }
  const [builder, latest] = ['builder', 'latest'].map(isMoved)
  const isKnown = !['builder', 'latest'].some((tag) => isAnswerLost(played, tag))
  const { published } = outcome.outputs
  if (published === 'true' ? !(builder && latest) : builder && latest && isKnown) {
    problems.push(`published is ${published}; moved: builder ${builder}, latest ${latest}`)
  }
  if (builder !== latest) {
    const unmoved = builder ? 'latest' : 'builder'
    const said = [...annotations(outcome, 'error'), ...annotations(outcome, 'warning')]
    if (!said.some((line) => new RegExp(`${image}:${unmoved}(?![\\w.-])`).test(line))) {
      problems.push(`nothing says that ${unmoved} has not moved`)
    }
  }
  return problems
}

/** How often docker itself asks to put one manifest, by kind of fault, at most; what is not named once. */
const OWN_REPEATS: Record<EngineSpec['store'], Partial<Record<Injected['kind'], number>>> = {
  overlay2: {},
  containerd: { '429': 6, '500': 2, '503': 2, 'disk-full': 2, 'expired-token': 2 }
}

/** Whether it gave up where it should not, or went on where it should not. */
function repeatedBadly({ schedule, runner, outcome, injected }: Case): string[] {
  const problems: string[] = []
  const isGreen = outcome.exitCode === 0 && outcome.outputs.published === 'true'
  if (schedule.nature === 'transient' && schedule.testPasses && !isGreen) problems.push('it gave up too early')
  if (schedule.nature === 'refused' && isGreen) problems.push('it is green, and every push was refused')
  const isFinal = ({ kind }: Injected): boolean => ['wrong-credentials', 'denied', 'unknown-repository'].includes(kind)
  const puts = injected.filter((one) => one.method === 'PUT' && one.path.includes('/manifests/') && isFinal(one))
  for (const { kind, path } of puts) {
    const times = puts.filter((other) => other.path === path && other.kind === kind).length
    if (times > (OWN_REPEATS[runner.engine.store][kind] ?? 1)) problems.push(`${times} times ${kind} for ${path}`)
  }
  return [...new Set(problems)]
}

/** Plays a schedule in a repository of its own. */
async function playSchedule(seed: number, runner: Runner): Promise<Judged> {
  const { agent, proxy, template } = runner
  const schedule = faultSchedule(seed)
  const repository = `octo/faults-${seed}`
  await copyRepository(template, repository)
  const sha = source.commit(commitFiles(seed, schedule.testPasses))
  const before = await stateOf(repository)

  await proxy.inject(schedule.faults)
  const outcome = await play(runner, repository, sha)
  await proxy.clear()

  const [after, injected] = [await stateOf(repository), await proxy.injected()]
  const image = proxy.image(repository)
  const played = { schedule, runner, repository, image, sha, seed, outcome, before, after, injected }
  const problems = [
    ...endedBadly(played),
    ...(await publishedBadly(played)),
    ...(await cachedBadly(played)),
    ...toldBadly(played),
    ...repeatedBadly(played)
  ]
  const containers = await agent.docker('ps', '--all', '--quiet')
  if (containers !== '') problems.push(`containers are left: ${containers}`)

  // whatever was left half done, a run that is started again does it
  if (schedule.testPasses && outcome.exitCode !== 0) {
    const again = await play(runner, repository, sha)
    if (again.exitCode !== 0 || again.outputs.published !== 'true') problems.push(`a second run fails: ${again.log}`)
    for (const tag of [short(sha), 'builder', 'latest']) {
      const revision = await revisionOf(repository, tag)
      if (revision !== sha) problems.push(`after a second run ${tag} is of ${revision}`)
    }
  }
  return { played, problems }
}

beforeAll(async () => {
  const specs = Array.from({ length: RUNNERS }, () => engines).flat()
  const [agent, ...runners] = await Promise.all([bed.agent(engines[0] as EngineSpec), ...specs.map(startRunner)])
  reader = agent
  // the same for all: every proxy listens on the same port of its own network
  const base = runners[0]?.proxy.image('base/busybox:1') ?? ''
  source = new SourceRepository(bed.folder, { Dockerfile: dockerfile(base), ...commitFiles(0, true) })
  firstCommit = source.head()
  const ready = runners.map(async (runner) => {
    expect(ending(await play(runner, runner.template, firstCommit))).toEqual({ exitCode: 0, log: '' })
    const printed = await Promise.all(['builder', 'latest'].map((tag) => printedBy(runner.template, tag)))
    expect(printed).toEqual(['version 0', 'version 0'])
  })
  await Promise.all(ready)
  // each runner plays its schedules one after the other, all runners at the same time
  const free = new Map<Runner, Promise<unknown>>()
  for (const seed of seeds) {
    const runner = runners[seed % runners.length] as Runner
    const result = Promise.resolve(free.get(runner)).then(() => playSchedule(seed, runner))
    // the test of this seed reports what it threw
    free.set(
      runner,
      result.catch(() => undefined)
    )
    judged.set(seed, result)
  }
})

describe('a registry that fails', () => {
  it.each(seeds)(
    'leaves nothing half done: SCHEDULES=1 SEED=%i',
    async (seed) => {
      const { played, problems } = (await judged.get(seed)) as Judged
      const context = { store: played.runner.engine.store, schedule: played.schedule }
      const injected = played.injected.map(({ kind, method, path }) => `${kind} ${method} ${path}`)
      const details = problems.length === 0 ? {} : { injected, log: played.outcome.log }
      expect({ ...context, problems, ...details }).toEqual({ ...context, problems: [] })
    },
    900_000
  )

  it('really failed', async () => {
    // the schedules would prove nothing if none of their faults came about
    const all = await Promise.all(judged.values())
    const withFaults = all.filter(({ played }) => played.injected.length > 0)
    expect(withFaults.length).toBeGreaterThanOrEqual(Math.floor(seeds.length / 2))
  })
})
