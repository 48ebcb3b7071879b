import { describe, expect, it } from '@jest/globals'
import type { Span } from '../../src/lib/timeline.ts'
import { availableEngines } from '../../testbed/index.ts'
import { pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { ending, executedRuns, Project, sharesWithBuildKit } from '../support/harness.ts'

const MEGABYTE = 1_000_000

const DOCKERFILE = `FROM BASE AS builder
RUN head -c ${3 * MEGABYTE} /dev/urandom > noise
COPY src ./src
RUN cat src/* > app.txt

FROM BASE
RUN head -c ${4 * MEGABYTE} /dev/urandom > noise
COPY --from=builder /app.txt ./
RUN grep version app.txt
CMD ["md5sum", "noise"]
`

/** The newest engine: the others fetch alike. */
const engines = availableEngines().filter(sharesWithBuildKit).slice(-1)

describe.each(engines)('Docker $version, $store store', (engine) => {
  it("fetches production's own layers while the builder is built: once, and they are its cache", async () => {
    const project = new Project(bed, engine, 'prefetch')
    const source = new SourceRepository(bed.folder, {
      Dockerfile: DOCKERFILE.replaceAll('BASE', base),
      'src/a.txt': 'version 0\n'
    })
    const printed: string[] = []
    const runs: { pulled: number; log: string; starts: Map<string, number> }[] = []
    for (let number = 0; number < 3; number++) {
      const sha = number === 0 ? source.head() : source.commit({ 'src/a.txt': `version ${number}\n` })
      await project.onAgent(async (agent) => {
        const inputs = { tests: 'grep version app.txt' }
        const outcome = await project.runOn(agent, source.checkout(sha), inputs, pushEvent(sha, 'master'))
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        const { timeline } = outcome.report as { timeline: Span[] }
        const starts = new Map(timeline.map(({ name, start }) => [name, start]))
        runs.push({ pulled: agent.traffic().pulled, log: outcome.log, starts })
        printed.push(await agent.docker('run', '--rm', String(outcome.outputs.image)))
        if (number > 0) {
          expect(executedRuns(outcome)).toEqual([
            'builder: RUN cat src/* > app.txt',
            'stage-1: RUN grep version app.txt'
          ])
        }
      })
    }
    const [first, ...later] = runs
    expect(first?.log).not.toMatch(/etched/)
    for (const { log, pulled, starts } of later) {
      expect(log).toMatch(new RegExp(`^::group::Prefetch ${project.image}:cache-[0-9a-f]{16}( \\(|$)`, 'm'))
      expect(starts.get('Prefetch')).toBeLessThan(Number(starts.get('Test grep version app.txt')))
      // base, both noises and what is small
      expect(pulled).toBeGreaterThan(8 * MEGABYTE)
      expect(pulled).toBeLessThan(9.5 * MEGABYTE)
    }
    expect(new Set(printed).size).toBe(1)
  })
})
