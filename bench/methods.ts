import { RawJsonProgress } from '../src/docker/progress/buildkit.ts'
import type { Span } from '../src/lib/timeline.ts'
import type { Agent, Store } from '../testbed/index.ts'
import { pushEvent, runAction } from '../testbed/runner.ts'

/** One commit, and the agent that builds it. */
export interface Job {
  agent: Agent
  store: Store
  workspace: string
  sha: string
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
  steps: Step[]
  /** The timeline of the action's report. */
  timeline?: Span[]
}

/** A way to build, test and publish the commits of master. */
export interface Method {
  key: string
  title: string
  /** Whether all commits share one agent, instead of a brand-new one each. */
  persistent: boolean
  /** Builds, tests and publishes one commit; returns the steps of all builds. */
  play(job: Job): Promise<Played>
}

export const METHODS: Method[] = [
  {
    key: 'post',
    title: 'blog post script',
    persistent: false,
    play: (job) => playPost(job, [])
  },
  {
    key: 'post-inline',
    title: 'blog post script with inline metadata',
    persistent: false,
    play: (job) => playPost(job, ['--cache-to', 'type=inline'])
  },
  { key: 'documented', title: 'docker/build-push-action as documented', persistent: false, play: playDocumented },
  { key: 'action', title: 'this action', persistent: false, play: playAction },
  { key: 'persistent', title: 'one persistent agent', persistent: true, play: playPersistent }
]

/**
 * The script of the blog post "Sharing Docker Layers Between Build Agents": pull both images, build the builder stage from them,
 * test, build the production stage, push.
 */
async function playPost(job: Job, cacheTo: string[]): Promise<Played> {
  const { image } = job
  const tag = tagOf(job)
  for (const moving of ['builder', 'latest']) {
    await job.agent.run('docker', ['pull', `${image}:${moving}`], { allowFailure: true })
  }
  const builder = `${image}:builder-${tag}`
  const cacheFrom = (reference: string): string[] => ['--cache-from', reference]
  const steps = await build(job, [
    ...['build', '--target', 'builder', ...cacheFrom(`${image}:builder`), ...cacheTo],
    ...tags(builder, `${image}:builder`)
  ])
  await runTests(job, builder)
  const production = await build(job, [
    ...['build', ...cacheFrom(builder), ...cacheFrom(`${image}:latest`), ...cacheTo],
    ...tags(`${image}:${tag}`, `${image}:latest`)
  ])
  for (const reference of [tag, 'builder', 'latest']) await job.agent.docker('push', `${image}:${reference}`)
  return { steps: [...steps, ...production] }
}

/** The commands of docker/build-push-action's "test before push": load the builder image, test it, build production and push. */
async function playDocumented(job: Job): Promise<Played> {
  const { image, store } = job
  // only the containerd store can export a cache to a registry; overlay2 supports inline alone
  const cacheFrom = store === 'containerd' ? `${image}:buildcache` : `${image}:latest`
  const cacheTo = store === 'containerd' ? `type=registry,ref=${image}:buildcache,mode=max` : 'type=inline'
  const cache = ['--cache-from', `type=registry,ref=${cacheFrom}`]
  const steps = await build(job, ['buildx', 'build', '--load', '--target', 'builder', ...cache, ...tags('app:test')])
  await runTests(job, 'app:test')
  const production = await build(job, [
    ...['buildx', 'build', '--push', ...cache, '--cache-to', cacheTo],
    ...tags(`${image}:${tagOf(job)}`, `${image}:latest`)
  ])
  return { steps: [...steps, ...production] }
}

interface Build {
  steps: Step[]
}

async function playAction({ agent, workspace, sha, image, buildArgs, tests }: Job): Promise<Played> {
  const inputs = { image, tests: tests.join('\n'), 'build-args': buildArgs.join('\n') }
  const { exitCode, log, report } = await runAction(agent, { workspace, event: pushEvent(sha, 'master'), inputs })
  if (exitCode !== 0) throw new Error(`The action failed:\n${log}`)
  const { builder, cacheStages, production, timeline } = report as Record<'builder' | 'production', Build> & {
    cacheStages: Build[]
    timeline: Span[]
  }
  return { steps: [builder, ...cacheStages, production].flatMap(({ steps }) => steps), timeline }
}

/** The blog post script without pulls and cache sources: the engine has everything. */
async function playPersistent(job: Job): Promise<Played> {
  const { image } = job
  const tag = tagOf(job)
  const builder = `${image}:builder-${tag}`
  const steps = await build(job, ['build', '--target', 'builder', ...tags(builder, `${image}:builder`)])
  await runTests(job, builder)
  const production = await build(job, ['build', ...tags(`${image}:${tag}`, `${image}:latest`)])
  for (const reference of [tag, 'builder', 'latest']) await job.agent.docker('push', `${image}:${reference}`)
  return { steps: [...steps, ...production] }
}

async function build({ agent, workspace, buildArgs }: Job, args: string[]): Promise<Step[]> {
  const options = buildArgs.flatMap((argument) => ['--build-arg', argument])
  const { stderr } = await agent.run('docker', [...args, ...options, '--progress', 'rawjson', '.'], { cwd: workspace })
  const reader = new RawJsonProgress(() => {})
  reader.write(Buffer.from(stderr), 'stderr')
  reader.end()
  return reader.steps()
}

/** Runs the tests in parallel, as all methods do. */
async function runTests({ agent, tests }: Job, image: string): Promise<void> {
  await Promise.all(tests.map((command) => agent.docker('run', '--rm', '--env', 'CI=true', image, 'sh', '-c', command)))
}

function tagOf({ sha }: Job): string {
  return sha.slice(0, 7)
}

function tags(...references: string[]): string[] {
  return references.flatMap((reference) => ['--tag', reference])
}
