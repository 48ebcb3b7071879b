import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec } from '../../testbed/index.ts'
import { pushEvent, RunningAction } from '../../testbed/runner.ts'
import { type Files, SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { isNewest, sampled } from '../support/harness.ts'

/** Milliseconds from the runner's SIGINT to its SIGTERM (actions/runner ProcessInvoker.cs). */
const UNTIL_SIGTERM = 7_500

/** A command that no other process of this machine has. */
const HANG = 'sleep 4242'

interface Phase {
  name: string
  builder: string
  tests: string
  production: string
  /** Printed when the phase has begun. */
  begun: RegExp
  linkMbit?: number
}

const MARK = 'echo reached $((40 + 2))'

const phases: Phase[] = [
  { name: 'the builder build', builder: `RUN ${MARK}; ${HANG}`, tests: 'true', production: '', begun: /reached 42/ },
  {
    name: 'the tests',
    builder: '',
    tests: `${MARK}; trap "" TERM INT; ${HANG}\n${HANG}`,
    production: '',
    begun: /reached 42/
  },
  {
    name: 'the production build',
    builder: '',
    tests: 'true',
    production: `RUN ${MARK}; ${HANG}`,
    begun: /reached 42/
  },
  {
    name: 'a push',
    builder: '',
    tests: 'true',
    // 20 s on that link
    production: 'RUN head -c 20000000 /dev/urandom > /blob',
    begun: /The push refers to repository/,
    linkMbit: 8
  }
]

function application(base: string, { builder, production }: Phase): Files {
  const lines = [
    `FROM ${base} AS builder`,
    'RUN echo built > /built',
    builder,
    `FROM ${base}`,
    production,
    'COPY --from=builder /built /built'
  ]
  return { Dockerfile: `${lines.filter((line) => line !== '').join('\n')}\n` }
}

const engines = sampled(availableEngines(), isNewest)
const settings = engines.flatMap((engine) =>
  phases.flatMap((phase) =>
    // the client of another store is the same
    (engine.store === 'containerd' ? (['SIGINT', 'SIGTERM'] as const) : (['SIGINT'] as const)).map((signal) => ({
      ...{ engine, phase, signal }
    }))
  )
)

function hanging(): string {
  try {
    return execFileSync('pgrep', ['--full', `^${HANG}`], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

async function until(condition: () => boolean, milliseconds: number): Promise<boolean> {
  for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(50)) if (condition()) return true
  return condition()
}

describe.each(settings)(
  'Docker $engine.version, $engine.store store: $signal in $phase.name',
  ({ engine, phase, signal }: { engine: EngineSpec; phase: Phase; signal: NodeJS.Signals }) => {
    it('stops all, leaves nothing and pushes nothing', async () => {
      const agent = await bed.agent(engine, phase.linkMbit === undefined ? {} : { linkMbit: phase.linkMbit })
      const source = new SourceRepository(bed.folder, application(base, phase))
      const repository = `octo/cancelled-${engine.version}-${engine.store}-${phases.indexOf(phase)}-${signal.toLowerCase()}`
      try {
        const action = new RunningAction(agent, {
          workspace: source.checkout(source.head()),
          event: pushEvent(source.head(), 'master'),
          inputs: { image: `127.0.0.1:5000/${repository}`, tests: phase.tests }
        })
        const reached = await until(() => phase.begun.test(action.log), 60_000)
        expect({ reached, log: reached ? '' : action.log }).toEqual({ reached: true, log: '' })
        const start = Date.now()
        action.kill(signal)
        const outcome = await action.end()
        expect(Date.now() - start).toBeLessThan(UNTIL_SIGTERM)

        expect(outcome.exitCode).toBe(1)
        expect(outcome.log).toContain('::error::The run was cancelled')
        expect(outcome.outputs).toMatchObject({ pushed: 'false', published: 'false', digest: '', tags: '' })
        expect(outcome.post).toEqual({ exitCode: 0, log: '' })
        // only the report is left
        expect(readdirSync(action.temp)).toEqual([expect.stringMatching(/^shared-docker-layers-report-.*\.json$/)])
        // the legacy builder's own container goes a moment after its client
        expect(await until(() => hanging() === '', 5_000)).toBe(true)
        expect(await agent.docker('ps', '--quiet')).toBe('')
        expect(await agent.docker('ps', '--all', '--quiet', '--filter', 'label=shared-docker-layers.run')).toBe('')
        await sleep(1_000)
        expect(await bed.registry.tags(repository)).toEqual([])
      } finally {
        await agent.stop()
      }
    })
  }
)

it('removes in the post step what a killed main step left', async () => {
  const [engine] = engines
  if (!engine) throw new Error('There is no engine')
  const agent = await bed.agent(engine)
  const source = new SourceRepository(bed.folder, application(base, { ...phases[0], builder: '' } as Phase))
  try {
    const action = new RunningAction(agent, {
      workspace: source.checkout(source.head()),
      event: pushEvent(source.head(), 'master'),
      inputs: { image: '127.0.0.1:5000/octo/killed', tests: `${MARK}; ${HANG}` }
    })
    expect(await until(() => action.log.includes('reached 42'), 60_000)).toBe(true)
    action.kill('SIGKILL')
    const outcome = await action.end()
    expect(outcome.exitCode).toBeNull()
    expect(outcome.post).toEqual({ exitCode: 0, log: '' })
    expect(readdirSync(action.temp)).toEqual([])
    expect(await agent.docker('ps', '--all', '--quiet')).toBe('')
    expect(hanging()).toBe('')
  } finally {
    await agent.stop()
  }
})

describe('A run that is cancelled as the runner does it, at points of its whole course', () => {
  const POINTS = process.env.CASES === 'long' ? 20 : 10
  const dockerfile = (): string =>
    [
      `FROM ${base} AS builder`,
      'ARG NUMBER',
      'RUN echo $NUMBER > /number; sleep 0.4',
      `FROM ${base}`,
      'ARG NUMBER',
      'RUN head -c 100000 /dev/urandom > /blob; sleep 0.4',
      'COPY --from=builder /number /number',
      ''
    ].join('\n')

  it('leaves nothing, and nothing half published', async () => {
    const [engine] = engines.slice(-1)
    if (!engine) throw new Error('There is no engine')
    const agent = await bed.agent(engine)
    const source = new SourceRepository(bed.folder, { Dockerfile: dockerfile() })
    const sha = source.head()
    const start = (number: number): RunningAction =>
      new RunningAction(agent, {
        workspace: source.checkout(sha),
        event: pushEvent(sha, 'master'),
        inputs: {
          image: `127.0.0.1:5000/octo/point-${number}`,
          'build-args': `NUMBER=${number}`,
          tests: 'sleep 0.5\nsleep 1'
        }
      })
    const ends = { done: 0, pushed: 0, 'nothing pushed': 0 }
    try {
      // the first one fetches the base image, too
      await start(0).end()
      const whole = await start(POINTS + 1).end()
      expect(whole.outputs.published).toBe('true')
      for (let point = 1; point <= POINTS; point++) {
        const action = start(point)
        await sleep((point / POINTS) * whole.seconds * 1_000)
        const hasEnded = await action.cancel()
        const { exitCode, outputs, log, post } = await action.end()
        const tags = await bed.registry.tags(`octo/point-${point}`)
        const context = { point, tags, log: log.slice(-2_000) }
        const told = String(outputs.tags)
          .split('\n')
          .filter((line) => line !== '')

        // it was never killed
        expect({ ...context, hasEnded }).toEqual({ ...context, hasEnded: true })
        if (exitCode === null && log === '') {
          // Node had not begun with us: there was nothing to stop, and nothing to tell
          expect({ outputs, tags, left: readdirSync(action.temp) }).toEqual({ outputs: {}, tags: [], left: [] })
          ends['nothing pushed']++
          continue
        }
        const isDone = exitCode === 0
        // a cancellation may arrive after the promotion, which is told
        const promoted = ['latest', 'builder'].filter((tag) => told.some((reference) => reference.endsWith(`:${tag}`)))
        const published = String(isDone || promoted.length === 2)
        expect({ ...context, published: outputs.published }).toEqual({ ...context, published })
        if (!isDone) expect(log).toContain('::error::The run was cancelled')
        // what is told is there; what moves comes last
        for (const reference of told) expect(tags).toContain(reference.replace(/.*:/, ''))
        if (tags.includes('latest') || tags.includes('builder')) expect(tags).toContain(sha.slice(0, 7))
        for (const tag of tags) {
          expect((await bed.registry.config(`octo/point-${point}`, tag)).rootfs.diff_ids.length).toBeGreaterThan(1)
        }
        expect({ ...context, post }).toEqual({ ...context, post: { exitCode: 0, log: '' } })
        expect(readdirSync(action.temp)).toEqual([expect.stringMatching(/^shared-docker-layers-report-.*\.json$/)])
        expect(await agent.docker('ps', '--all', '--quiet')).toBe('')
        ends[isDone ? 'done' : tags.length > 0 ? 'pushed' : 'nothing pushed']++
      }
      // the points are all over the course, also if this machine is now faster and now slower
      expect(ends['nothing pushed']).toBeGreaterThan(POINTS / 5)
      expect(ends.done).toBeLessThan(POINTS / 2)
    } finally {
      await agent.stop()
    }
  })
})
