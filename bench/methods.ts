import { RawJsonProgress } from '../src/docker/progress/buildkit.ts'
import { type Span, type SpanKind, Timeline } from '../src/lib/timeline.ts'
import type { Agent, Store } from '../testbed/index.ts'
import { runAction } from '../testbed/runner.ts'
import type { Run } from './history.ts'

/** One run, and the agent for it. */
export interface Job {
  agent: Agent
  store: Store
  workspace: string
  run: Run
  /** Repository of this method, without a tag. */
  image: string
  buildArgs: string[]
  tests: string[]
}

/** A Dockerfile step, as the progress of a build shows it. */
export interface Step {
  stage: string
  instruction: string
  cached: boolean
}

export interface Played {
  /** The steps of all builds. */
  steps: Step[]
  /** What took place when; for this action, the timeline of its report. */
  timeline: Span[]
}

/** A way to build, test and publish. */
export interface Method {
  key: string
  title: string
  /** Whether all runs share one agent, instead of a brand-new one each. */
  persistent: boolean
  /** The traces that this method plays by default. */
  traces: ('straight' | 'team')[]
  play(job: Job): Promise<Played>
}

const BOTH: Method['traces'] = ['straight', 'team']

export const METHODS: Method[] = [
  {
    key: 'post',
    title: 'blog post script',
    persistent: false,
    traces: BOTH,
    play: (job) => withTimeline(job, (recorded) => playPost(recorded, []))
  },
  {
    key: 'post-inline',
    title: 'blog post script with inline metadata',
    persistent: false,
    traces: ['straight'],
    play: (job) => withTimeline(job, (recorded) => playPost(recorded, ['--cache-to', 'type=inline']))
  },
  {
    key: 'documented',
    title: 'docker/build-push-action as documented',
    persistent: false,
    traces: BOTH,
    play: (job) => withTimeline(job, playDocumented)
  },
  { key: 'action', title: 'this action', persistent: false, traces: BOTH, play: (job) => playAction(job, {}) },
  {
    key: 'action-skip',
    title: 'this action, skip-unchanged-tests',
    persistent: false,
    traces: ['team'],
    play: (job) => playAction(job, { 'skip-unchanged-tests': 'true' })
  },
  {
    key: 'persistent',
    title: 'one persistent agent',
    persistent: true,
    traces: BOTH,
    play: (job) => withTimeline(job, playPersistent)
  }
]

/** A job whose docker clients are recorded. */
interface RecordedJob extends Job {
  timeline: Timeline
}

async function withTimeline(job: Job, play: (job: RecordedJob) => Promise<Step[]>): Promise<Played> {
  const timeline = new Timeline()
  const steps = await play({ ...job, timeline })
  return { steps, timeline: timeline.spans() }
}

/**
 * The script of the blog post "Sharing Docker Layers Between Build Agents": pull both images, build the builder stage from them,
 * test, build the production stage, push. Only runs of master push the two images that the next run pulls.
 */
async function playPost(job: RecordedJob, cacheTo: string[]): Promise<Step[]> {
  const { image } = job
  for (const moving of ['builder', 'latest']) {
    const pull = (): Promise<unknown> => job.agent.run('docker', ['pull', `${image}:${moving}`], { allowFailure: true })
    await record(job, 'fetch', `Pull ${image}:${moving}`, 'pull', pull)
  }
  const builder = `${image}:builder-${shortSha(job)}`
  const cacheFrom = (reference: string): string[] => ['--cache-from', reference]
  const steps = await build(job, `Build ${builder}`, [
    ...['build', '--target', 'builder', ...cacheFrom(`${image}:builder`), ...cacheTo],
    ...tags(builder, `${image}:builder`)
  ])
  await runTests(job, builder)
  const production = await build(job, `Build ${image}:latest`, [
    ...['build', ...cacheFrom(builder), ...cacheFrom(`${image}:latest`), ...cacheTo],
    ...tags(...productionTags(job))
  ])
  await pushAll(job)
  return [...steps, ...production]
}

/**
 * The commands of docker/build-push-action's "test before push": load the builder image, test it, build production and push. As in
 * docker's documentation of cache backends ("Multiple caches"), a run uses the cache of its own branch and that of the main branch.
 */
async function playDocumented(job: RecordedJob): Promise<Step[]> {
  const { image, store, run } = job
  const own = run.isMaster ? '' : `-${run.ref}`
  // only the containerd store can export a cache to a registry; overlay2 supports inline alone
  const caches =
    store === 'containerd'
      ? [`${image}:buildcache${own}`, `${image}:buildcache`]
      : [`${image}:${run.isMaster ? 'latest' : run.ref}`, `${image}:latest`]
  const cacheTo = store === 'containerd' ? `type=registry,ref=${caches[0]},mode=max` : 'type=inline'
  const cache = [...new Set(caches)].flatMap((reference) => ['--cache-from', `type=registry,ref=${reference}`])
  const test = ['buildx', 'build', '--load', '--target', 'builder', ...cache, ...tags('app:test')]
  const steps = await build(job, `Build ${image}:builder-test`, test)
  await runTests(job, 'app:test')
  const published = run.isMaster ? productionTags(job) : [...new Set([...productionTags(job), `${image}:${run.ref}`])]
  const production = await build(job, `Build ${image}:latest`, [
    ...['buildx', 'build', '--push', ...cache, '--cache-to', cacheTo],
    ...tags(...published)
  ])
  return [...steps, ...production]
}

interface Build {
  steps: Step[]
}

async function playAction(job: Job, more: Record<string, string>): Promise<Played> {
  const { agent, workspace, run, image, buildArgs, tests } = job
  const lists = { tests: tests.join('\n'), 'build-args': buildArgs.join('\n'), tags: run.tags.join('\n') }
  const { exitCode, log, report } = await runAction(agent, {
    workspace,
    event: run.event,
    inputs: { image, ...lists, ...more }
  })
  if (exitCode !== 0) throw new Error(`The action failed:\n${log}`)
  // a run that builds nothing has no builds
  const { builder, cacheStages, production, timeline } = report as Partial<Record<'builder' | 'production', Build>> & {
    cacheStages?: Build[]
    timeline: Span[]
  }
  const builds = [builder, ...(cacheStages ?? []), production]
  return { steps: builds.flatMap((one) => one?.steps ?? []), timeline }
}

/** The blog post script without pulls and cache sources: the engine has everything. */
async function playPersistent(job: RecordedJob): Promise<Step[]> {
  const { image } = job
  const builder = `${image}:builder-${shortSha(job)}`
  const target = ['build', '--target', 'builder', ...tags(builder, `${image}:builder`)]
  const steps = await build(job, `Build ${builder}`, target)
  await runTests(job, builder)
  const production = await build(job, `Build ${image}:latest`, ['build', ...tags(...productionTags(job))])
  await pushAll(job)
  return [...steps, ...production]
}

async function build(job: RecordedJob, title: string, args: string[]): Promise<Step[]> {
  const options = job.buildArgs.flatMap((argument) => ['--build-arg', argument])
  const { stderr } = await record(job, 'build', title, args[0] === 'buildx' ? 'buildx build' : 'build', () =>
    job.agent.run('docker', [...args, ...options, '--progress', 'rawjson', '.'], { cwd: job.workspace })
  )
  const reader = new RawJsonProgress(() => {})
  reader.write(Buffer.from(stderr), 'stderr')
  reader.end()
  return reader.steps()
}

/** Runs the tests in parallel, as all methods do. */
async function runTests(job: RecordedJob, image: string): Promise<void> {
  const test = (command: string): Promise<string> =>
    job.agent.docker('run', '--rm', '--env', 'CI=true', image, 'sh', '-c', command)
  await Promise.all(job.tests.map((command) => record(job, 'test', `Test ${command}`, 'run', () => test(command))))
}

async function pushAll(job: RecordedJob): Promise<void> {
  const [own = '', ...others] = productionTags(job)
  const references = [own, ...(job.run.isMaster ? [`${job.image}:builder`] : []), ...others]
  for (const reference of references) {
    await record(job, 'publish', `Push ${reference}`, 'push', () => job.agent.docker('push', reference))
  }
}

/** Records a call of docker as the action does. */
function record<T>(
  { timeline }: RecordedJob,
  kind: SpanKind,
  name: string,
  command: string,
  call: () => Promise<T>
): Promise<T> {
  return timeline.measure(kind, name, () => timeline.measure('command', `docker ${command}`, call))
}

function productionTags({ image, run }: Job): string[] {
  const moving = run.isMaster ? ['latest'] : []
  return [shortSha({ run }), ...run.tags, ...moving].map((tag) => `${image}:${tag}`)
}

function shortSha({ run }: Pick<Job, 'run'>): string {
  return run.sha.slice(0, 7)
}

function tags(...references: string[]): string[] {
  return references.flatMap((reference) => ['--tag', reference])
}
