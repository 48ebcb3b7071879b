import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineSpec, TestBed } from '../../../testbed/index.ts'
import type { Outcome } from '../../../testbed/runner.ts'
import { SourceRepository } from '../../../testbed/source-repository.ts'
import { readStamps } from '../corpus/judge.ts'
import { executedRuns, Project, sharesWithBuildKit, short, startInside } from '../harness.ts'
import { applicationOf, type BranchChain, DEPENDS_ON, type Moment, type RunName } from './chains.ts'
import { type Built, judgeOrigin, judgeReuse, judgeTests, judgeWarnings, judgeWritten } from './judge.ts'

/** How one moment went. */
export interface PlayedMoment {
  moment: Moment
  sha: string
  outcome: Outcome
  /** The RUNs that were executed. */
  executed: string[]
  /** Those of them that an earlier run had built and stored: always to be none. */
  unchanged: string[]
  /** Sentences on everything else that is not as it should be. */
  faults: string[]
}

/** The default of the input `tests`: shows the stamps of the builder image. */
const TESTS = 'grep -H . stamp-* && test -s app.txt'

/** One repository of the registry and one of sources, between which a chain is played. */
export class BranchPlayer {
  readonly project: Project
  readonly #source: SourceRepository
  readonly #strategy: 'inline' | 'legacy'
  readonly #played: PlayedMoment[] = []
  /** By `#contentOf`. */
  readonly #built = new Map<string, Built>()
  /** The content of each stamp that an image has shown. */
  readonly #stamps = new Map<string, string>()
  /** Files of the commits, by commit. */
  readonly #contents = new Map<string, Record<'dependencies' | 'source', string>>()

  constructor(bed: TestBed, base: string, engine: EngineSpec, chain: BranchChain) {
    this.project = new Project(bed, engine, `branches-${chain}`)
    this.#strategy = sharesWithBuildKit(engine) ? 'inline' : 'legacy'
    this.#source = new SourceRepository(bed.folder, applicationOf(base))
  }

  /** Plays a moment on a brand-new agent. */
  async play(moment: Moment): Promise<PlayedMoment> {
    const at = Object.fromEntries(this.#played.map((played) => [played.moment.id, played.sha]))
    const { sha, event, inputs } = moment.start(this.#source, at)
    const checkout = this.#source.checkout(sha)
    this.#contents.set(sha, readContent(checkout))
    const before = await this.#digests()
    const { outcome, traffic } = await this.project.onAgent(async (agent) => {
      if (moment.beside !== undefined) await startInside(agent, moment.beside)
      const ended = await this.project.runOn(agent, checkout, { tests: TESTS, ...inputs }, event)
      return { outcome: ended, traffic: agent.traffic() }
    })
    if (outcome.report === undefined) throw new Error(`The action left no report: ${outcome.log}`)
    const after = await this.#digests()
    const written = [...after].filter(([tag, digest]) => before.get(tag) !== digest).map(([tag]) => tag)
    const removed = [...before.keys()].filter((tag) => !after.has(tag))

    const executed = executedRuns(outcome).map((text) => /stamp-([\w-]+)/.exec(text)?.[1] ?? text)
    const origin = this.#longest(sha, inputs?.file === undefined ? 'build' : 'worker-build')
    const unchanged = this.#note(moment, sha, outcome, executed)
    const faults = [
      ...(executed.join() === moment.executes.join() ? [] : [`it executed [${executed}], not [${moment.executes}]`]),
      ...(outcome.exitCode === (moment.fails ? 1 : 0) ? [] : [`exit code ${outcome.exitCode}: ${outcome.log}`]),
      ...(outcome.post.exitCode === 0 ? [] : ['the post step failed']),
      ...(String(outcome.outputs.engine).includes(`"strategy":"${this.#strategy}"`)
        ? []
        : [`the engine is ${outcome.outputs.engine} instead of ${this.#strategy}`]),
      ...judgeWarnings(moment, outcome),
      ...removed.map((tag) => `the tag ${tag} is gone`),
      ...judgeWritten(moment, sha, written, after, outcome),
      ...judgeTests(moment, outcome),
      ...(moment.reuses ? judgeReuse(outcome, traffic) : judgeOrigin(outcome, origin)),
      ...this.#judgeStamps(sha, readStamps(outcome.log))
    ]
    const played = { moment, sha, outcome, executed, unchanged, faults }
    this.#played.push(played)
    return played
  }

  /** Runs all pushed images on one more agent: sentences on stamps that contradict the reports, and on wrong content. */
  async judgeImages(): Promise<string[]> {
    const pushed = this.#played.filter(({ outcome }) => outcome.outputs.digest)
    if (pushed.length === 0) return ['no run pushed an image']
    return this.project.onAgent(async (agent) => {
      const faults: string[] = []
      for (const { sha, outcome, moment } of pushed) {
        const printed = await agent.docker('run', '--rm', `${this.project.image}@${outcome.outputs.digest}`)
        const [source = ''] = this.#contents.get(sha)?.source.split('\n') ?? []
        const found = this.#judgeStamps(sha, readStamps(printed))
        if (!printed.includes(source)) found.push(`the image does not say ${source}`)
        faults.push(...found.map((text) => `${moment.id}: ${text}`))
      }
      return faults
    })
  }

  /** Notes which RUNs of a moment are in the registry from now on; returns those executed that were there before. */
  #note({ writes }: Moment, sha: string, { report }: Outcome, executed: string[]): string[] {
    const branch = (report as { branch?: string }).branch ?? ''
    const unchanged: string[] = []
    for (const name of executed) {
      const content = this.#contentOf(name, sha)
      if (this.#built.has(content)) unchanged.push(name)
      else if (writes !== 'nothing') this.#built.set(content, { sha, branch })
    }
    return unchanged
  }

  /** Returns the stored RUN of the builder stage with which the content of a commit agrees the furthest. */
  #longest(sha: string, build: RunName): Built | undefined {
    // both Dockerfiles copy the same source before their own RUN
    const other = build === 'build' ? 'worker-build' : 'build'
    return [build, other, 'builder', 'tools'].flatMap((name) => this.#built.get(this.#contentOf(name, sha)) ?? [])[0]
  }

  /** Returns equal texts for what gives equal layers. */
  #contentOf(name: string, sha: string): string {
    const parts = DEPENDS_ON[name as RunName] ?? ['dependencies', 'source']
    return JSON.stringify([name, ...parts.map((part) => this.#contents.get(sha)?.[part])])
  }

  #judgeStamps(sha: string, stamps: Map<string, string>): string[] {
    return [...stamps].flatMap(([name, value]) => {
      const content = this.#contentOf(name, sha)
      const shown = this.#stamps.get(value) ?? content
      this.#stamps.set(value, shown)
      if (shown !== content) return [`stamp ${name} is that of other content: ${shown}`]
      const built = this.#built.get(content)
      // a run that writes nothing has made a layer of its own
      if (built === undefined) return []
      built.stamp ??= value
      return built.stamp === value ? [] : [`stamp ${name} differs from that of ${short(built.sha)}`]
    })
  }

  async #digests(): Promise<Map<string, string>> {
    const tags = await this.project.tags()
    const digests = await Promise.all(tags.map(async (tag) => [tag, (await this.project.digest(tag)) ?? ''] as const))
    return new Map(digests)
  }
}

function readContent(checkout: string): Record<'dependencies' | 'source', string> {
  const files = readdirSync(join(checkout, 'src')).sort()
  return {
    dependencies: readFileSync(join(checkout, 'package.json'), 'utf8'),
    source: files.map((file) => readFileSync(join(checkout, 'src', file), 'utf8')).join('')
  }
}
