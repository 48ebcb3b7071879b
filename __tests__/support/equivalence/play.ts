import { type Agent, type EngineSpec, pushBaseImages, type TestBed } from '../../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../../testbed/runner.ts'
import { SourceRepository } from '../../../testbed/source-repository.ts'
import { droppingCache } from '../dropping-cache.ts'
import { Project } from '../harness.ts'
import { dockerArgs, type Example, type ExampleImages } from './example.ts'
import { describeImage, differences } from './image.ts'

/** An engine, and what happens to it. */
export interface Setting {
  engine: EngineSpec
  /** Variables of the job. */
  env?: Record<string, string>
  /** Whether the engine loses its local cache before production is built. */
  dropsCache?: true
}

export function describeSetting({ engine, env = {}, dropsCache }: Setting): string {
  const more = [...Object.entries(env).map((pair) => pair.join('=')), ...(dropsCache ? ['dropping its cache'] : [])]
  return [`Docker ${engine.version}, ${engine.store} store`, ...more].join(', ')
}

export interface Verdict {
  name: string
  /** `built`: both built the same images; `refused`: both failed. */
  ending: 'built' | 'refused' | 'different'
  faults: string[]
}

/** How many examples are played on an agent at once. */
const AT_ONCE = 2

/** Plays examples on one brand-new agent: builds each with the action and with docker, and compares. */
export async function playAll(bed: TestBed, setting: Setting, examples: readonly Example[]): Promise<Verdict[]> {
  const base = (await pushBaseImages(bed, ['busybox'])).busybox
  const { digest = '' } = (await bed.registry.manifest('base/busybox', '1')) ?? {}
  const images = { base, pinned: `${base}@${digest}` }
  const verdicts: Verdict[] = []
  const project = new Project(bed, setting.engine, 'equivalence')
  await project.onAgent(async (agent) => {
    const left = [...examples.entries()]
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [number, example] = next
        verdicts[number] = await play(bed, agent, { setting, images, number }, example)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  })
  return verdicts
}

interface DockerBuild {
  /** Its tag; '' if the build failed. */
  id: string
  output: string
}

interface Played {
  setting: Setting
  images: ExampleImages
  number: number
}

async function play(
  bed: TestBed,
  agent: Agent,
  { setting, images, number }: Played,
  example: Example
): Promise<Verdict> {
  const { name, files = {} } = example
  const inputs: Partial<Record<string, string>> = example.inputs ?? {}
  const dockerfile = example.dockerfile(images)
  const source = new SourceRepository(bed.folder, {
    // the docker client adds a random line to it for the legacy builder, if the Dockerfile is not in the context
    '.dockerignore': '.git\n.dockerignore\n',
    'app.txt': 'app\n',
    'src/main.txt': 'main\n',
    ...files,
    [inputs.file ?? 'Dockerfile']: dockerfile
  })
  const sha = source.head()
  const workspace = source.checkout(sha)
  const image = `${bed.registry.host}/octo/equal-${number}`
  const env = { ...setting.env, ...example.env }
  const dropping = setting.dropsCache ? droppingCache(agent, `${image}:${sha.slice(0, 7)}`, `dropping-${number}`) : {}
  const project = new Project(bed, setting.engine, 'equivalence', { ...env, ...dropping })
  const outcome = await project.runOn(
    agent,
    workspace,
    { image, push: 'never', ...example.inputs },
    pushEvent(sha, 'master')
  )

  const { strategy } = JSON.parse(outcome.outputs.engine || '{}') as { strategy?: string }
  // the docker client of 20.10 uses the legacy builder unless told otherwise: what that cannot build, BuildKit must
  const own = setting.engine.version === '20.10' && strategy === 'inline' ? { ...env, DOCKER_BUILDKIT: '1' } : env
  const builderTarget = inputs['builder-target'] ?? 'builder'
  const build = async (target: string | undefined, more: string[]): Promise<DockerBuild> => {
    const tag = `equal-${number}:${target === undefined ? 'production' : `target-${target.toLowerCase()}`}`
    const args = [
      ...dockerArgs(target === builderTarget ? { ...inputs, labels: '' } : inputs),
      ...(target === undefined ? [] : ['--target', target]),
      '--tag',
      tag
    ]
    const built = await agent.run('docker', ['build', ...more, ...args, '.'], {
      ...{ cwd: workspace, env: own, allowFailure: true }
    })
    return { id: built.exitCode === 0 ? tag : '', output: built.stderr + built.stdout }
  }
  const production = await build(inputs.target, ['--no-cache'])
  // docker takes no numbers
  const builder = /^\d/.test(builderTarget) ? undefined : await build(builderTarget, [])
  const faults =
    production.id === ''
      ? faultsOfRefusal(outcome, production.output, example.failsAt)
      : await faultsOfImages(agent, outcome, production.id, builder?.id)
  if (example.failsAt !== undefined && production.id !== '') faults.push('docker builds it')
  const ending = faults.length > 0 ? 'different' : production.id === '' ? 'refused' : 'built'
  return { name, ending, faults: faults.length > 0 ? [...faults, `strategy ${strategy}`, dockerfile] : [] }
}

async function faultsOfImages(
  agent: Agent,
  { exitCode, outputs, log }: Outcome,
  production: string,
  builder: string | undefined
): Promise<string[]> {
  if (exitCode !== 0) return ['docker builds it, the action does not', log]
  const { 'image-id': image = '', 'builder-image': builderImage = '' } = outputs
  const pairs = [[production, image], ...(builder ? [[builder, builderImage]] : [])]
  const faults: string[] = []
  for (const [docker = '', ours = ''] of pairs) {
    const found = differences(await describeImage(agent, docker), await describeImage(agent, ours))
    faults.push(...found.map((one) => `${docker}: ${one}`))
  }
  return faults.length > 0 ? [...faults, log] : []
}

/** Both must fail, and at the same line. */
function faultsOfRefusal({ exitCode, log }: Outcome, output: string, failsAt: number | undefined): string[] {
  if (exitCode === 0) return ['docker refuses it, the action does not', output]
  const [, named] = /Dockerfile:(\d+)\n-{5}/.exec(output) ?? /parse error (?:on |at )?line (\d+)/i.exec(output) ?? []
  const line = failsAt ?? named
  if (line === undefined || new RegExp(`^::error .*\\bline[= ]${line}\\b`, 'm').test(log)) return []
  return [`the error does not name line ${line}`, log, output]
}
