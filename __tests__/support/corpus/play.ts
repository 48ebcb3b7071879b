import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { availableEngines, type EngineSpec, type TestBed } from '../../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../../testbed/runner.ts'
import { SourceRepository } from '../../../testbed/source-repository.ts'
import { Project, sharesWithBuildKit, short } from '../harness.ts'
import { CHAINS, type ChainName, type Commit, kindsBetween } from './chains.ts'
import { allSteps, type Judgement, judgePrinted, judgeSteps, readStamps } from './judge.ts'
import { filesOf, instructionsOf, type Shape, type State } from './shape.ts'
import { shapes } from './shapes.ts'

/** A shape on an engine. */
export interface Setting {
  shape: Shape
  engine: EngineSpec
  strategy: 'inline' | 'legacy'
}

/** How one commit went. */
export interface PlayedCommit extends Judgement {
  name: string
  outcome: Outcome
}

const TEST = 'grep source app.txt'

/** Every shape on every engine; those that need BuildKit on the newest only. */
export function settings(): Setting[] {
  return shapes.flatMap((shape) =>
    availableEngines()
      .filter(({ version }) => !shape.needsBuildKit || !['20.10', '26.1'].includes(version))
      .map((engine) => ({ shape, engine, strategy: sharesWithBuildKit(engine) ? 'inline' : 'legacy' }))
  )
}

/** Plays a chain of commits, each on a brand-new agent; ends early at a run that fails. */
export async function playChain(
  bed: TestBed,
  base: string,
  { shape, engine, strategy }: Setting,
  chain: ChainName
): Promise<PlayedCommit[]> {
  const project = new Project(bed, engine, `${shape.name}-${chain.toLowerCase()}`)
  const commits: Commit[] = CHAINS[chain]
  const states = commits.map(({ versions }, commit): State => ({ ...versions, commit }))
  const shas: string[] = []
  const outcomes: Outcome[] = []
  let source: SourceRepository | undefined
  for (const [number, state] of states.entries()) {
    const branchOff = commits[number]?.branchOff
    const files = filesOf(shape, base, state, engine.store)
    if (source) {
      source.goTo('master')
      if (branchOff !== undefined) source.branch('feature', shas[branchOff])
      source.commit(files)
    } else {
      source = new SourceRepository(bed.folder, files, (checkout) => setModes(shape, checkout))
    }
    const sha = source.head()
    const inputs = { tests: TEST, ...shape.inputs?.(base, state) }
    const event = pushEvent(sha, branchOff === undefined ? 'master' : 'feature')
    const outcome = await project.play(source, sha, inputs, event)
    shas.push(sha)
    outcomes.push(outcome)
    if (outcome.exitCode !== 0) break
  }

  const pushed = shas.filter((_, number) => outcomes[number]?.exitCode === 0)
  const printed = await project.onAgent((agent) =>
    Promise.all(pushed.map((sha) => agent.docker('run', '--rm', `${project.image}:${short(sha)}`)))
  )
  const stamps = printed.map(readStamps)
  let published = 0
  return outcomes.map((outcome, number): PlayedCommit => {
    const { name = '', branchOff } = commits[number] ?? {}
    const state = states[number] as State
    const [mine, was] = [stamps[number], states[published]]
    if (!mine || !was) return { name: `${chain}:${name}`, outcome, misses: [], lies: ['the action failed'] }
    const { misses, lies } =
      number === 0
        ? { misses: [], lies: [] }
        : judgeSteps(
            allSteps(outcome.report),
            instructionsOf(shape, base, state, engine.store),
            kindsBetween(was, state),
            mine,
            stamps.slice(0, number)
          )
    if (branchOff === undefined) published = number
    return {
      name: `${chain}:${name}`,
      outcome,
      misses,
      lies: [...lies, ...judgeOutcome(outcome, strategy), ...judgePrinted(printed[number] ?? '', state)]
    }
  })
}

function setModes({ modes = {} }: Shape, checkout: string): void {
  for (const [file, mode] of Object.entries(modes)) chmodSync(join(checkout, file), mode)
}

/** Every miss has a reason that can be shown, and the cache can serve: a warning says that one of these does not hold. */
function judgeOutcome({ outputs, post, log }: Outcome, strategy: string): string[] {
  const used = (JSON.parse(String(outputs.engine)) as { strategy: string }).strategy
  const stages = JSON.parse(String(outputs.cache)) as {
    stage: string
    miss?: { instruction: string; kind: string; reason: string }
  }[]
  return [
    ...stages.flatMap(({ stage, miss }) => (miss?.kind === 'unknown' ? [`${stage}: ${miss.reason}`] : [])),
    ...log
      .split('\n')
      .filter((line) => line.startsWith('::warning') && !line.startsWith('::warning title=Docker build check,')),
    ...(used === strategy ? [] : [`the strategy is ${used}`]),
    ...(String(outputs.tests).includes('"passed"') ? [] : ['the test did not pass']),
    ...(post.exitCode === 0 ? [] : ['the post step failed'])
  ]
}
