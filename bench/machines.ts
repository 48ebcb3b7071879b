/**
 * `npm run machines`: measures one machine against several, for 1, 3 and 6 tests of 20 seconds. Each number is of a commit that changes
 * one source file. The machines of a pipeline run one after the other, because they would share the cores of this machine: the time of the
 * pipeline is that of build, of the longest test, and of publish. It does not have the time that GitHub needs to start a job.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { applicationFiles } from '../demo/commits.ts'
import { availableEngines, pushBaseImages, TestBed } from '../testbed/index.ts'
import { type Job, type Outcome, pushEvent, runAction } from '../testbed/runner.ts'
import { SourceRepository } from '../testbed/source-repository.ts'

const TESTS = [1, 3, 6]
const TEST = 'sleep 20'

const { values: options } = parseArgs({ options: { output: { type: 'string' } } })
const engine = availableEngines().at(-1)
if (!engine) throw new Error('No engine is available for this machine.')
const bed = await TestBed.start({ name: 'machines' })
try {
  const base = (await pushBaseImages(bed, ['node'])).node
  const image = `${bed.registry.host}/octo/converter`
  const source = new SourceRepository(bed.folder, applicationFiles())
  let sha = source.head()

  /** Does a step on a brand-new agent, whose files end with it but for the one that an output names. */
  const play = async (
    action: Job['action'],
    inputs: Record<string, string>,
    kept?: { output: string; folder: string }
  ): Promise<Outcome> => {
    const agent = await bed.agent(engine)
    try {
      const outcome = await runAction(agent, {
        ...{ action: action ?? '', workspace: source.checkout(sha), event: pushEvent(sha, 'master') },
        inputs: action === 'test' ? inputs : { image, 'build-args': `BASE=${base}`, ...inputs }
      })
      if (outcome.exitCode !== 0) throw new Error(outcome.log)
      if (kept) cpSync(String(outcome.outputs[kept.output]), kept.folder, { recursive: true })
      return outcome
    } finally {
      await agent.stop()
    }
  }
  const change = (): void => {
    sha = source.commit({ 'src/units.js': `${String(applicationFiles()['src/units.js'])}// ${sha}\n` })
  }

  await play('', {})
  const rows = []
  for (const count of TESTS) {
    const tests = Array.from({ length: count }, (_, index) => `${TEST} # ${index}`).join('\n')
    change()
    const atOnce = await play('', { tests })
    change()
    const inTurn = await play('', { tests, 'test-parallelism': '1' })
    change()
    const [handOff, results] = [join(bed.folder, `hand-off-${count}`), join(bed.folder, `results-${count}`)]
    const built = await play('build', { tests }, { output: 'hand-off', folder: handOff })
    const legs: number[] = []
    for (let index = 0; index < count; index++) {
      const inputs = { 'hand-off': handOff, test: String(index) }
      legs.push((await play('test', inputs, { output: 'result', folder: results })).seconds)
    }
    const published = await play('publish', { tests, 'hand-off': handOff, results })
    const parts = { build: built.seconds, test: Math.max(...legs), publish: published.seconds }
    rows.push({
      tests: count,
      'one machine, all tests at once': atOnce.seconds,
      'one machine, one test at a time': inTurn.seconds,
      'several machines': parts.build + parts.test + parts.publish,
      ...parts
    })
    console.log(JSON.stringify(rows.at(-1)))
  }
  console.log(`\nDocker ${engine.version}, ${engine.store} store\n\n${tableOf(rows)}`)
  if (options.output !== undefined) {
    mkdirSync(options.output, { recursive: true })
    writeFileSync(join(options.output, 'machines.json'), `${JSON.stringify({ engine, rows }, undefined, 2)}\n`)
  }
} finally {
  await bed.stop()
}

function tableOf(rows: Record<string, number>[]): string {
  const [first = {}] = rows
  const names = Object.keys(first)
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(names),
    line(names.map(() => '---:')),
    ...rows.map((row) =>
      line(names.map((name) => (name === 'tests' ? String(row[name]) : `${row[name]?.toFixed(0)} s`)))
    )
  ].join('\n')
}
