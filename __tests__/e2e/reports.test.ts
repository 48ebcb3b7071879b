import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { markdown } from '../../src/report/markdown.ts'
import type { Report } from '../../src/report/report.ts'
import { makeSummary } from '../../src/report/summary.ts'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { application } from '../support/application.ts'
import { base, bed } from '../support/bed.ts'
import { ending, isNewest, Project, sampled, short } from '../support/harness.ts'
import { schemaErrors } from '../support/report-schema.ts'

/** The report is as its schema says, and the summary is made of it alone. */
function expectConsistent({ report, summary }: Outcome): void {
  expect(schemaErrors(report)).toEqual([])
  expect(summary).toBe(markdown(makeSummary(report as Report)))
}

const JUNIT =
  '<testsuite><testcase classname="units" name="converts"><failure message="1 is not 2"/></testcase></testsuite>'

/** Each way to read a manifest, and both kinds of store to pull into. */
const engines = sampled(
  availableEngines().filter(({ version }) => version !== '26.1'),
  isNewest
)

describe.each(engines)('Docker $version, $store store', (engine) => {
  it('tells beforehand how much a host must pull', async () => {
    const files = application(base)
    const [blob, other] = ['RUN head -c 3000000 /dev/urandom > /blob', 'COPY --from=builder /other /other']
    const dockerfile = String(files.Dockerfile)
      .replace('RUN cat src/*', 'RUN head -c 1000000 /dev/urandom > /other\nRUN cat src/*')
      .replace('COPY --from=builder /app', `${blob}\n${other}\nCOPY --from=builder /app`)
    const source = new SourceRepository(bed.folder, { ...files, Dockerfile: dockerfile })
    const project = new Project(bed, engine, 'pull')
    const inputs = { tests: 'true' }
    const first = source.head()
    const second = source.commit({ 'src/main.txt': 'version 1\n' })
    await project.onAgent(async (host) => {
      const one = await project.play(source, first, inputs)
      expect(ending(one)).toEqual({ exitCode: 0, log: '' })
      expectConsistent(one)
      expect(one.outputs['pull-bytes']).toBe(one.outputs['pull-bytes-full'])
      expect(one.summary).toContain(':latest before: a host pulls all of this image, ')

      const before = host.traffic().pulled
      await host.docker('pull', `${project.image}:latest`)
      const full = host.traffic().pulled - before
      const two = await project.play(source, second, inputs)
      expect(ending(two)).toEqual({ exitCode: 0, log: '' })
      expectConsistent(two)
      // no wall of layer ids, but how many there were
      expect(two.log).not.toMatch(/^[0-9a-f]{12}: /m)
      expect(two.log).toMatch(/^\d+ layers: .*\d+ layer already exists/m)
      await host.docker('pull', `${project.image}:${short(second)}`)
      const rest = host.traffic().pulled - before - full
      // beside the contents there are only the headers of a few answers
      const [told, toldFull] = [Number(two.outputs['pull-bytes']), Number(one.outputs['pull-bytes-full'])]
      expect(full - toldFull).toBeGreaterThanOrEqual(0)
      expect(full - toldFull).toBeLessThan(20_000)
      expect(rest - told).toBeGreaterThanOrEqual(0)
      expect(rest - told).toBeLessThan(20_000)
      // the builder made /other anew, and /blob came from the cache
      expect(told).toBeGreaterThan(1_000_000)
      expect(told).toBeLessThan(1_020_000)
      expect(toldFull).toBeGreaterThan(4_000_000)
      expect(two.summary).toMatch(/A host that has \S+:latest pulls 1\.0 MB of \d\.\d MB: it has \d+ of \d+ layers/)
    })
  })
})

describe.each(availableEngines().filter((_, index, { length }) => index === 0 || index === length - 1))(
  'What tests leave, Docker $version',
  (engine) => {
    it('is copied out of their containers, failed or not, and nothing of the runner with it', async () => {
      const source = new SourceRepository(bed.folder, application(base))
      const project = new Project(bed, engine, 'junit')
      const workspace = source.checkout(source.head())
      const write = `mkdir -p out/deep && echo '${JUNIT}' > out/deep/junit.xml`
      const tests = [
        `${write} && ln -s /etc/hostname out/link && ln -s / out/root && ln /etc/passwd out/hard; mkfifo out/pipe; exit 4`,
        'mkdir -p out; echo fine > out/note.txt',
        'true'
      ]
      const inputs = { tests: tests.join('\n'), 'test-reports': 'out\n/nowhere' }
      const outcome = await project.onAgent((agent) =>
        project.runOn(agent, workspace, inputs, pushEvent(source.head(), 'master'))
      )
      expect(outcome.exitCode).toBe(1)
      expectConsistent(outcome)
      const directory = join(workspace, 'test-reports')
      const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()
      const files = entries.filter((entry) => lstatSync(join(directory, entry)).isFile())
      expect(entries.filter((entry) => lstatSync(join(directory, entry)).isSymbolicLink())).toEqual([])
      const [failing = ''] = readdirSync(directory).toSorted()
      expect(failing).toMatch(/^1-mkdir-p-out-deep-/)
      expect(files).toEqual(
        expect.arrayContaining([`${failing}/out/deep/junit.xml`, '2-mkdir-p-out-echo-fine-out-note-txt/out/note.txt'])
      )
      expect(readFileSync(join(directory, failing, 'out/deep/junit.xml'), 'utf8')).toBe(`${JUNIT}\n`)
      // a hard link is a file of the container
      if (files.includes(`${failing}/out/hard`)) {
        expect(readFileSync(join(directory, failing, 'out/hard'), 'utf8')).not.toBe(readFileSync('/etc/passwd', 'utf8'))
      }
      expect(outcome.log).toMatch(/^::error title=Test mkdir.*::units › converts: 1 is not 2$/m)
      expect(outcome.summary).toContain('| units › converts | 1 is not 2 |')
      expect(outcome.log).toMatch(/^No report \/nowhere of the test true: .*(Could not find|No such)/m)
      expect(outcome.outputs.pushed).toBe('false')
    })

    it('a step that fails is shown at its line', async () => {
      const files = application(base)
      const dockerfile = String(files.Dockerfile).replace('RUN cat src/*', 'RUN echo out of luck && exit 9 #')
      const source = new SourceRepository(bed.folder, { ...files, Dockerfile: dockerfile })
      const outcome = await new Project(bed, engine, 'line').play(source, source.head(), { tests: 'true' })
      expect(outcome.exitCode).toBe(1)
      expectConsistent(outcome)
      expect(outcome.log).toMatch(
        /^::error title=Stage builder,file=Dockerfile,line=6::Building .* failed: RUN echo out/m
      )
      expect(outcome.summary).toMatch(/^### ❌ The run failed: nothing was pushed$/m)
    })

    it('a dry run says what would be done, and does none of it', async () => {
      const source = new SourceRepository(bed.folder, application(base))
      const project = new Project(bed, engine, 'dry')
      await project.onAgent(async (agent) => {
        const before = agent.traffic()
        const inputs = { tests: 'cat app.txt', 'dry-run': 'true' }
        const outcome = await project.runOn(
          agent,
          source.checkout(source.head()),
          inputs,
          pushEvent(source.head(), 'master')
        )
        expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
        expectConsistent(outcome)
        expect(agent.traffic()).toEqual(before)
        expect(await agent.docker('image', 'ls', '--quiet')).toBe('')
        expect(await project.tags()).toEqual([])
        const { commands } = outcome.report as Report
        expect(commands?.at(-1)).toBe(
          `# in the registry: ${project.image}:${short(source.head())} also becomes ${project.image}:latest`
        )
        expect(commands).toContainEqual(expect.stringMatching(/^docker run .* -c 'cat app.txt'$/))
        expect(outcome.outputs).toMatchObject({ image: '', pushed: 'false', published: 'false' })
        expect(outcome.outputs['publish-reason']).toMatch(/^Nothing was pushed: this is a dry run/)
      })
    })
  }
)
