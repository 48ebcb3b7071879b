import { spawn } from 'node:child_process'
import type { Agent } from '../../../testbed/index.ts'
import { treeOf } from './tree.ts'

/** All of an image that somebody who runs it can see. */
export interface DescribedImage {
  config: Record<string, unknown>
  tree: ReadonlyMap<string, string>
}

const FIELDS = [
  ...['Env', 'Cmd', 'Entrypoint', 'WorkingDir', 'User', 'ExposedPorts', 'Volumes', 'Healthcheck', 'StopSignal'],
  ...['Shell', 'OnBuild', 'Labels']
]

export async function describeImage(agent: Agent, image: string): Promise<DescribedImage> {
  const format = '{{json .Config}} {{json .Os}}/{{json .Architecture}}'
  const inspected = await agent.docker('image', 'inspect', '--format', format, image)
  const end = inspected.lastIndexOf('} ') + 1
  const config = JSON.parse(inspected.slice(0, end)) as Record<string, unknown>
  const container = await agent.docker('create', image, 'none')
  try {
    const fields = FIELDS.map((name) => [name, plain(config[name])])
    return {
      config: { ...Object.fromEntries(fields), platform: inspected.slice(end + 1) },
      tree: treeOf(await exported(agent, container))
    }
  } finally {
    await agent.docker('rm', '--volumes', container)
  }
}

/** The builders write what is empty in several ways: the legacy one leaves out the working directory `/`. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined || value === '' || value === '/') return undefined
  return Object.keys(value).length === 0 ? undefined : value
}

async function exported(agent: Agent, container: string): Promise<Buffer> {
  const [enter = '', ...prefix] = agent.prefix
  const args = [...prefix, 'docker', 'export', container]
  const child = spawn(enter, args, { env: agent.env, stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const exitCode = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (exitCode !== 0) throw new Error(`docker export ended with ${exitCode}`)
  return Buffer.concat(chunks)
}

/** Labels that the action adds to every image, whatever the Dockerfile says. */
const OUR_LABELS = /^(?:shared-docker-layers\.|org\.opencontainers\.image\.(?:created|revision|source|base\.\w+)$)/

/** Returns what differs between the image that docker builds and ours, one thing a line; nothing for equal images. */
export function differences(docker: DescribedImage, ours: DescribedImage): string[] {
  const found: string[] = []
  for (const name of Object.keys(docker.config)) {
    const [right, is] = [docker, ours].map(({ config }) =>
      JSON.stringify(name === 'Labels' ? users(config) : config[name])
    )
    if (right !== is) found.push(`${name}: ${right} is ${is}`)
  }
  for (const path of new Set([...docker.tree.keys(), ...ours.tree.keys()])) {
    const [right, is] = [docker.tree.get(path), ours.tree.get(path)]
    if (right !== is) found.push(`/${path}: ${right ?? 'nothing'} is ${is ?? 'nothing'}`)
  }
  return found
}

function users({ Labels }: DescribedImage['config']): unknown {
  const labels = Object.entries((Labels ?? {}) as Record<string, string>).filter(([key]) => !OUR_LABELS.test(key))
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1)))
}
