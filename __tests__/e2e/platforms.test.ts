import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { availableEngines, type EngineSpec, pushBaseOfPlatforms } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { bed } from '../support/bed.ts'
import { ending, isNewest, Project, type Step, sampled, short } from '../support/harness.ts'

const PLATFORMS = ['linux/amd64', 'linux/386'] as const
/** The class of an ELF program: 01 for 32 bits, 02 for 64. */
const CLASS = "head -c 5 /bin/busybox | tail -c 1 | od -An -tx1 | tr -d ' '"

/** A static program for linux/arm64 that ends with exit code 0: the headers of an ELF file, and three instructions. */
const ARM64_PROGRAM = Buffer.concat([
  Buffer.from('7f454c460201010000000000000000000200b70001000000', 'hex'),
  // entry, program headers, section headers
  Buffer.from('7800400000000000' + '4000000000000000' + '0000000000000000', 'hex'),
  Buffer.from('00000000' + '4000' + '3800' + '0100' + '4000' + '0000' + '0000', 'hex'),
  // one segment to load, readable and executable: offset, addresses, sizes, alignment
  Buffer.from('0100000005000000' + '0000000000000000' + '0000400000000000' + '0000400000000000', 'hex'),
  Buffer.from('8400000000000000' + '8400000000000000' + '0000010000000000', 'hex'),
  // mov x8, #93; mov x0, #0; svc #0
  Buffer.from('a80b80d2' + '000080d2' + '010000d4', 'hex')
])

let platforms: string

beforeAll(async () => {
  platforms = await pushBaseOfPlatforms(bed)
})

function files(text = 'one\n'): Record<string, string> {
  return {
    Dockerfile: [
      `FROM ${platforms} AS builder`,
      `RUN ${CLASS} > /class`,
      'COPY app.txt /app.txt',
      'RUN cat /class /app.txt > /built',
      `FROM ${platforms}`,
      'COPY --from=builder /built /built',
      'CMD ["cat", "/built"]',
      ''
    ].join('\n'),
    'app.txt': text
  }
}

/** The steps that each platform executed, `builder: RUN …`. */
function executedOn({ report }: Outcome): Record<string, string[]> {
  const { platforms: all = [] } = report as { platforms?: Reported[] }
  return Object.fromEntries(all.map((one) => [one.platform, executedOf(one)]))
}

interface Reported {
  platform: string
  digest: string
  builder?: { steps: Step[] }
  production?: { steps: Step[] }
}

function executedOf({ builder, production }: Pick<Reported, 'builder' | 'production'>): string[] {
  return [...(builder?.steps ?? []), ...(production?.steps ?? [])]
    .filter(({ cached }) => !cached)
    .map(({ stage, instruction }) => `${stage}: ${instruction}`)
}

/** What the index of a tag has, by platform. */
async function indexOf({ repository }: Project, tag: string): Promise<Record<string, string>> {
  const { body } = (await bed.registry.manifest(repository, tag)) ?? {}
  const manifests = (body?.manifests ?? []) as { digest: string; platform: { os: string; architecture: string } }[]
  return Object.fromEntries(
    manifests.map(({ digest, platform: { os, architecture } }) => [`${os}/${architecture}`, digest])
  )
}

/** What the image of a tag prints, on a brand-new machine of each platform. */
async function printed(project: Project, tag: string): Promise<string[]> {
  const all: string[] = []
  for (const platform of PLATFORMS) {
    all.push(
      await project.onAgent((agent) =>
        agent.docker('run', '--rm', '--pull', 'always', '--platform', platform, `${project.image}:${tag}`)
      )
    )
  }
  return all
}

const newest = sampled(availableEngines().filter(isNewest), isNewest)

describe.each(newest)('Several platforms on one machine, Docker $version, $store store', (engine) => {
  it('are built, tested and published as one index; an unchanged step is executed on none of them', async () => {
    const source = new SourceRepository(bed.folder, files())
    const project = new Project(bed, engine, 'platforms')
    const inputs = { platforms: PLATFORMS.join(', '), tests: 'test -s /built', 'production-tests': 'test -s /built' }
    const first = source.head()
    const built = await project.play(source, first, { ...inputs, tags: 'v1' })
    expect(ending(built)).toEqual({ exitCode: 0, log: '' })
    expect(JSON.parse(String(built.outputs.tests))).toHaveLength(4)
    expect(String(built.outputs.tags).split('\n')).toEqual(
      [short(first), 'v1', 'latest'].map((tag) => `${project.image}:${tag}`)
    )
    expect(await printed(project, 'latest')).toEqual(['02\none', '01\none'])
    const index = await indexOf(project, short(first))
    expect(Object.keys(index)).toEqual([...PLATFORMS])
    expect(await project.digest('latest')).toBe(await project.digest(short(first)))
    expect(await project.digest(`${short(first)}-linux-386`)).toBe(index['linux/386'])
    expect(new Set(await project.imageTags())).toEqual(
      new Set([
        ...[short(first), `${short(first)}-linux-386`, `${short(first)}-linux-amd64`, 'builder-linux-386'],
        ...['builder-linux-386-next', 'builder-linux-amd64', 'builder-linux-amd64-next', 'latest', 'v1']
      ])
    )
    expect(built.summary).toMatch(/\| *\| linux\/amd64 \| linux\/386 \|/)

    const second = source.commit({ 'app.txt': 'two\n' })
    const next = await project.play(source, second, inputs)
    const changed = ['builder: COPY app.txt /app.txt', 'builder: RUN cat /class /app.txt > /built']
    const all = [...changed, 'stage-1: COPY --from=builder /built /built']
    expect(executedOn(next)).toEqual({ 'linux/amd64': all, 'linux/386': all })
    expect(await printed(project, 'latest')).toEqual(['02\ntwo', '01\ntwo'])

    const skip = { ...inputs, 'skip-unchanged-tests': 'true' }
    const last = source.commit({ 'README.md': 'nothing that the image reads\n' })
    source.commit({ '.dockerignore': 'README.md\n.dockerignore\n' })
    const same = await project.play(source, source.head(), skip)
    expect(ending(same)).toEqual({ exitCode: 0, log: '' })
    expect(executedOn(same)).toEqual({ 'linux/amd64': [], 'linux/386': [] })
    expect(last).not.toBe(source.head())
    expect(await indexOf(project, 'latest')).toEqual(await indexOf(project, short(second)))
  })

  it('are not published if one of them fails', async () => {
    const source = new SourceRepository(bed.folder, files())
    const project = new Project(bed, engine, 'platforms-fail')
    const inputs = { platforms: PLATFORMS.join('\n'), tests: `test "$(${CLASS})" = 02` }
    const failed = await project.play(source, source.head(), inputs)
    expect(failed.exitCode).toBe(1)
    expect(failed.log).toMatch(/^::error .*linux\/386: The test .* did not pass/m)
    const tags = await project.imageTags()
    expect(tags.filter((tag) => tag === 'latest' || tag === short(source.head()))).toEqual([])
    expect(failed.summary).toContain('failed')
  })

  it('are cross-compiled by a builder of the own platform, and it is said which tests did not run', async () => {
    const source = new SourceRepository(bed.folder, {
      Dockerfile: [
        `FROM --platform=$BUILDPLATFORM ${platforms} AS builder`,
        'ARG TARGETARCH',
        'RUN echo "for $TARGETARCH" > /built && cp /bin/busybox /program',
        // in place of a cross-compiler
        `RUN test $TARGETARCH = amd64 || echo ${ARM64_PROGRAM.toString('base64')} | base64 -d > /program`,
        'FROM scratch',
        'COPY --from=builder /built /built',
        'COPY --from=builder /program /bin/sh',
        'CMD ["/bin/sh"]',
        ''
      ].join('\n')
    })
    const project = new Project(bed, engine, 'platforms-cross')
    const inputs = {
      platforms: 'linux/amd64,linux/arm64',
      tests: `test "$(${CLASS})" = 02`,
      'production-tests': 'test -s /built'
    }
    const sha = source.head()
    const built = await project.play(source, sha, inputs)
    expect(ending(built)).toEqual({ exitCode: 0, log: '' })
    expect(built.log).toContain('Not tested: this engine cannot run linux/arm64, so 1 production test did not run')
    expect(built.summary).toContain('1 test did not run on linux/arm64')
    const { 'linux/arm64': arm = '' } = await indexOf(project, 'latest')
    expect(await bed.registry.config(project.repository, arm)).toMatchObject({ architecture: 'arm64', os: 'linux' })
    await project.onAgent(async (agent) => {
      await agent.docker('create', '--name', 'arm', '--platform', 'linux/arm64', `${project.image}:latest`)
      await agent.docker('cp', 'arm:/built', join(agent.folder, 'built'))
      expect(readFileSync(join(agent.folder, 'built'), 'utf8')).toBe('for arm64\n')
    })
    const again = await project.play(source, source.commit({ 'docs.txt': '1\n' }), inputs)
    expect(executedOn(again)).toEqual({ 'linux/amd64': [], 'linux/arm64': [] })
  })
})

const native = sampled(
  availableEngines().filter(({ version }) => version === '28.5'),
  ({ store }) => store === 'overlay2'
)

/** Plays the jobs of a commit, one machine for each platform and one that joins. */
class PlatformJobs {
  readonly project: Project
  readonly results: string
  readonly #source: SourceRepository
  readonly #sha: string
  readonly #inputs: Record<string, string>

  constructor(engine: EngineSpec, name: string, source: SourceRepository, inputs: Record<string, string>, run = '1') {
    this.project = new Project(bed, engine, name, { GITHUB_RUN_ID: run })
    this.#source = source
    this.#sha = source.head()
    this.#inputs = { platforms: PLATFORMS.join(), ...inputs }
    this.results = join(bed.folder, `results-${name}-${engine.store}-${this.#sha}`)
    mkdirSync(this.results)
  }

  async build(platform: string, inputs: Record<string, string> = {}): Promise<Outcome> {
    return this.project.onAgent(async (agent) => {
      const all = { ...this.#inputs, platform, ...inputs }
      const event = pushEvent(this.#sha, 'master')
      const outcome = await this.project.runOn(agent, this.#source.checkout(this.#sha), all, event)
      const { 'platform-result': folder = '' } = outcome.outputs
      if (folder !== '') cpSync(folder, this.results, { recursive: true })
      return outcome
    })
  }

  join(): Promise<Outcome> {
    return this.project.onAgent((agent) =>
      this.project.runOn(
        agent,
        this.#source.checkout(this.#sha),
        { ...this.#inputs, results: this.results },
        pushEvent(this.#sha, 'master'),
        {},
        'publish'
      )
    )
  }

  /** Changes what a machine handed on. */
  forge(platform: string, change: (result: { digest: string; tests: { status: string }[] }) => void): () => void {
    const file = join(this.results, `platform-${platform.replace('/', '-')}.json`)
    const text = readFileSync(file, 'utf8')
    const result = JSON.parse(text)
    change(result)
    writeFileSync(file, JSON.stringify(result))
    return () => writeFileSync(file, text)
  }
}

describe.each(native)('A machine for each platform, Docker $version, $store store', (engine) => {
  it('publishes an index only if all platforms passed, and what is handed on is true', async () => {
    const source = new SourceRepository(bed.folder, files())
    const inputs = { tests: 'test -s /built' }
    const jobs = new PlatformJobs(engine, 'native', source, inputs)
    const { project } = jobs
    const amd64 = await jobs.build('linux/amd64')
    expect(ending(amd64)).toEqual({ exitCode: 0, log: '' })
    const missing = await jobs.join()
    expect(missing.exitCode).toBe(1)
    expect(missing.log).toContain('There is no result of linux/386')
    await jobs.build('linux/386')
    const tag = short(source.head())
    for (const [change, why] of [
      [(result: { digest: string }) => Object.assign(result, { digest: amd64.outputs.digest }), 'names another image'],
      [(result: object) => Object.assign(result, { tests: [] }), 'did not pass on linux/386']
    ] as const) {
      const undo = jobs.forge('linux/386', change)
      const refused = await jobs.join()
      expect({ exitCode: refused.exitCode, log: refused.log }).toEqual({
        exitCode: 1,
        log: expect.stringContaining(why)
      })
      undo()
    }
    expect((await project.imageTags()).filter((one) => one === 'latest' || one === tag)).toEqual([])

    const joined = await jobs.join()
    expect(ending(joined)).toEqual({ exitCode: 0, log: '' })
    expect(Object.keys(await indexOf(project, 'latest'))).toEqual([...PLATFORMS])
    expect(await printed(project, tag)).toEqual(['02\none', '01\none'])
    expect(joined.summary).toContain('linux/386')

    source.commit({ 'app.txt': 'two\n' })
    const next = new PlatformJobs(engine, 'native', source, inputs, '2')
    for (const platform of PLATFORMS) {
      const { report } = await next.build(platform)
      expect(executedOf(report as Reported)).not.toContain(`builder: RUN ${CLASS} > /class`)
    }
    expect(ending(await next.join())).toEqual({ exitCode: 0, log: '' })
    expect(await printed(project, 'latest')).toEqual(['02\ntwo', '01\ntwo'])
  })

  it.each(native.filter(({ store }) => store === 'overlay2').map(({ store }) => ({ store })))(
    'is what the error names if one machine cannot have several: $store',
    async () => {
      const source = new SourceRepository(bed.folder, files())
      const project = new Project(bed, engine, 'platforms-refused')
      const refused = await project.play(source, source.head(), { platforms: PLATFORMS.join() })
      expect(refused.exitCode).toBe(1)
      expect(refused.log).toMatch(/^::error::Input platforms has several platforms, and this engine cannot build them/m)
      expect(await project.tags()).toEqual([])
    }
  )
})
