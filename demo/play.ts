import { setTimeout as sleep } from 'node:timers/promises'
import { type Agent, availableEngines, pushBaseImages, TestBed } from '../testbed/index.ts'
import { type Outcome, pushEvent, runAction } from '../testbed/runner.ts'
import { SourceRepository } from '../testbed/source-repository.ts'
import { ANSWER, applicationFiles, COMMITS, type Commit, changedFiles, QUESTION } from './commits.ts'

const REPOSITORY = 'octo/converter'
const TESTS = ['npm test', 'npm run test:integration', 'npm run lint']
const MOVING_TAGS = ['builder', 'latest']

/** A Dockerfile step in the action's report. */
export interface Step {
  stage: string
  instruction: string
  cached: boolean
  seconds: number
}

/** A test in the action's report. */
export interface Test {
  command: string
  status: string
  seconds: number
}

/** The run of the action for one commit. */
export interface PlayedCommit {
  commit: Commit
  shortSha: string
  engine: { version: string; store: string; strategy: string }
  outcome: Outcome
  /** The steps of the builder stage come first; none if the run built nothing. */
  steps: Step[]
  /** The commit and the branch whose layers the builder stage found in the registry, if they have a content key. */
  cacheOrigin: { commit: string; branch: string } | undefined
  /** The commit whose image a run only tagged, as it had been built from the same content and had passed the same tests. */
  reused: string | undefined
  tests: Test[]
  /** References that were pushed. */
  pushed: string[]
  /** The commit that each moving tag names in the registry after the run. */
  movingTags: { tag: string; shortSha: string }[]
  /** Bytes over the link between this agent and the registry. */
  traffic: { pulled: number; pushed: number }
}

/** The answer of the last promoted image. */
export interface Answer {
  image: string
  question: string
  text: string
}

/** Receives the progress of the demo. */
export interface Audience {
  progress(line: string): void
  commit(played: PlayedCommit): void
  answer(answer: Answer): void
}

/** The demo failed to show what it promises. */
export class DemoError extends Error {
  /** The log of the action, if one of its runs is the cause. */
  readonly log: string

  constructor(message: string, log = '') {
    super(message)
    this.log = log
  }
}

/**
 * Plays each commit on its own brand-new agent, and then sends a request to the last promoted image.
 *
 * @throws DemoError
 */
export async function play(audience: Audience): Promise<PlayedCommit[]> {
  // the last engine is the newest
  const engine = availableEngines().at(-1)
  audience.progress('Starting a registry with the Node.js base image')
  const bed = await TestBed.start({ name: 'demo' })
  const files = applicationFiles()
  const source = new SourceRepository(bed.folder, files)
  let interrupted = false
  // on a signal, the test bed ends this process, perhaps before the code below can react
  const interrupt = (): void => {
    interrupted = true
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  async function onAgent<T>(use: (agent: Agent) => Promise<T>): Promise<T> {
    if (!engine) throw new DemoError('No engine is available for this machine.')
    const agent = await bed.agent(engine)
    try {
      return await use(agent)
    } finally {
      await agent.stop()
    }
  }

  try {
    const base = (await pushBaseImages(bed, ['node'])).node
    const image = `${bed.registry.host}/${REPOSITORY}`
    const played: PlayedCommit[] = []
    for (const [index, commit] of COMMITS.entries()) {
      const sha = index === 0 ? source.head() : commitChange(source, files, commit)
      audience.progress(`Building commit ${index + 1} of ${COMMITS.length} on a brand-new agent`)
      const result = await onAgent(async (agent) => {
        const outcome = await runAction(agent, {
          workspace: source.checkout(sha),
          event: pushEvent(sha, commit.branch),
          // without skip-unchanged-tests, a merge builds both images from the cache and tests them again
          inputs: { image, tests: TESTS.join('\n'), 'build-args': `BASE=${base}`, 'skip-unchanged-tests': 'true' }
        })
        try {
          const read = await readOutcome(bed, commit, outcome, agent.traffic())
          check(read, played.at(-1))
          return read
        } catch (error) {
          throw new DemoError(`Commit ${index + 1}: ${(error as Error).message}`, outcome.log + outcome.post.log)
        }
      })
      played.push(result)
      audience.commit(result)
    }

    audience.progress(`Running ${image}:latest on another agent`)
    const text = await onAgent((agent) => ask(agent, `${image}:latest`))
    audience.answer({ image: `${image}:latest`, question: QUESTION, text })
    if (text !== ANSWER) throw new DemoError(`${image}:latest answered ${text} instead of ${ANSWER}`)
    return played
  } catch (error) {
    throw interrupted ? new DemoError('Interrupted.') : error
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await bed.stop()
  }
}

function commitChange(source: SourceRepository, files: Record<string, string>, commit: Commit): string {
  const { branch, merges } = commit
  if (merges !== undefined) {
    source.goTo(branch)
    return source.merge(merges)
  }
  if (source.currentBranch() !== branch) source.branch(branch)
  const changed = changedFiles(files, commit)
  Object.assign(files, changed)
  return source.commit(changed, commit.subject)
}

async function readOutcome(
  bed: TestBed,
  commit: Commit,
  outcome: Outcome,
  traffic: PlayedCommit['traffic']
): Promise<PlayedCommit> {
  const { exitCode, outputs, post } = outcome
  if (exitCode !== 0) throw new Error(`the action ended with exit code ${exitCode}`)
  if (post.exitCode !== 0) throw new Error(`the post step ended with exit code ${post.exitCode}`)
  const report = outcome.report as {
    builder?: { steps: Step[]; cacheOrigin?: { commit: string; branch: string } }
    production?: { steps: Step[] }
    unchanged?: { commit: string }
    tests: Test[]
  }
  return {
    commit,
    shortSha: String(outputs['short-sha']),
    engine: JSON.parse(String(outputs.engine)) as PlayedCommit['engine'],
    outcome,
    steps: [...(report.builder?.steps ?? []), ...(report.production?.steps ?? [])],
    cacheOrigin: report.builder?.cacheOrigin,
    reused: report.unchanged?.commit.slice(0, 7),
    tests: report.tests,
    pushed: String(outputs.tags)
      .split('\n')
      .filter((tag) => tag !== ''),
    movingTags: await Promise.all(
      MOVING_TAGS.map(async (tag) => {
        const { config } = await bed.registry.config(REPOSITORY, tag)
        return { tag, shortSha: String(config.Labels['org.opencontainers.image.revision']).slice(0, 7) }
      })
    ),
    traffic
  }
}

/**
 * Throws unless the report and the registry show what the action promises for a commit.
 *
 * @param before the run of the commit before it
 */
function check(
  { commit, shortSha, reused, steps, tests, pushed, movingTags }: PlayedCommit,
  before?: PlayedCommit
): void {
  const status = commit.merges === undefined ? 'passed' : 'unchanged'
  const good = tests.filter((test) => test.status === status).map(({ command }) => command)
  expectSame(`the tests with the status ${status}`, good, TESTS)

  // the legacy builder counts CMD as a step
  const executed = steps.filter(({ cached, instruction }) => !cached && !instruction.startsWith('CMD '))
  const names = executed.map(({ stage, instruction }) => `${stage}: ${instruction}`)
  if (commit.executes !== 'all') expectSame('the steps that were executed', names, commit.executes)

  const tags = pushed.map((reference) => reference.slice(reference.lastIndexOf(':') + 1))
  const moved = movingTags.filter((tag) => tag.shortSha === shortSha).map(({ tag }) => tag)
  if (commit.merges !== undefined) {
    expectSame('the commits whose images were tagged', [reused ?? 'none'], [before?.shortSha ?? 'none'])
    expectSame('the tags that were set', tags.slice(0, 1), [shortSha])
    const latest = movingTags.filter(({ tag }) => tag === 'latest').map((tag) => tag.shortSha)
    expectSame('the commits of latest', latest, [before?.shortSha ?? 'none'])
    return
  }
  const moving = commit.branch === 'master' ? MOVING_TAGS : []
  expectSame('the tags that were pushed', tags, [shortSha, ...moving])
  expectSame('the moving tags that name this commit', moved, moving)
}

function expectSame(what: string, actual: readonly string[], expected: readonly string[]): void {
  if (actual.join('\n') === expected.join('\n')) return
  throw new Error(`${what} are [${actual.join(', ')}] instead of [${expected.join(', ')}]`)
}

/** Starts the image as a host would, and sends it a request. */
async function ask(agent: Agent, image: string): Promise<string> {
  await agent.docker('run', '--detach', '--name', 'converter', image)
  const request = ['exec', 'converter', 'wget', '-q', '-O', '-', `http://127.0.0.1:8080${QUESTION}`]
  for (let tries = 1; ; tries++) {
    const { exitCode, stdout, stderr } = await agent.run('docker', request, { allowFailure: true })
    if (exitCode === 0) return stdout.trim()
    if (tries === 50) throw new DemoError(`${image} did not answer: ${stderr.trim()}`)
    await sleep(100)
  }
}
