/**
 * A docker command without an engine. It appends each call to `calls.jsonl` in the folder above its own, and answers as
 * `answers.json` there says, else as an engine would on which all goes well. What it pushes goes to the server of which the
 * file `registry` there has the URL.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How to answer the calls whose words, joined by spaces, contain `to`. The first that fits counts. */
export interface Answer {
  to: string
  /** A character a byte, as in latin1. */
  stdout?: string
  stderr?: string
  exitCode?: number
  seconds?: number
  /** Never ends by itself. `run` ends when its container is killed or removed. */
  hangs?: boolean
  /** SIGTERM is recorded but does not end it, like a test that is process 1 of its container. */
  ignoresSigterm?: boolean
  /** Leaves a child with its standard output open, as docker before 25 leaves its plugin when it is killed. */
  leavesChild?: boolean
}

/** A line of `calls.jsonl`. */
export type CallEvent =
  | { id: number; at: number; what: 'start'; args: string[]; env: Record<string, string>; parent: number }
  | { id: number; at: number; what: 'end'; stdin: string }
  | { id: number; at: number; what: 'signal'; signal: string }

/** `docker info` of Docker 28.5 with the store overlay2 and buildx 0.29. */
export const INFO = {
  ServerVersion: '28.5.1',
  OSType: 'linux',
  Driver: 'overlay2',
  DriverStatus: [['Backing Filesystem', 'extfs']],
  // a stand-in without TLS answers for Docker Hub
  RegistryConfig: { IndexConfigs: { 'docker.io': { Secure: false } } },
  ClientInfo: { Context: 'default', Plugins: [{ Name: 'buildx', Version: 'v0.29.1' }] }
}

/** What buildx prints with `--progress=rawjson`: one step that the cache had, and one that prints `output`. */
export function rawJson(stage: string, output: string, error = ''): string {
  const time = '2026-01-01T00:00:00Z'
  const step = (digest: string, name: string, more: object): object => ({ digest, name, started: time, ...more })
  return [
    { vertexes: [step('sha256:1', `[${stage} 2/3] COPY a a`, { cached: true, completed: time })] },
    { vertexes: [step('sha256:2', `[${stage} 3/3] RUN make`, {})] },
    { logs: [{ vertex: 'sha256:2', stream: 1, data: Buffer.from(output, 'latin1').toString('base64') }] },
    { vertexes: [step('sha256:2', `[${stage} 3/3] RUN make`, { completed: time, ...(error && { error }) })] }
  ]
    .map((status) => `${JSON.stringify(status)}\n`)
    .join('')
}

export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** The config of the image that a build makes: one layer, of which BuildKit has a record. */
function configOf(args: string[]): string {
  const values = (name: string): string[] => args.filter((_, index) => args[index - 1] === name)
  const labels = values('--label').map((label) => [label.replace(/=.*/s, ''), label.replace(/^[^=]*=/, '')])
  return JSON.stringify({
    config: { Labels: Object.fromEntries(labels) },
    history: [],
    rootfs: { diff_ids: [] },
    'moby.buildkit.cache.v0': Buffer.from('[{"layers":[{"layer":0}]}]').toString('base64'),
    // no two builds make the same image
    builtBy: args.join(' ').replaceAll(/\S*iidfile \S+/g, '')
  })
}

/** The file with the config of the image that has a name. */
function imageFile(folder: string, name: string): string {
  return join(folder, `image-${name.replaceAll(/[^\w.-]/g, '_')}`)
}

function idOf(folder: string, name: string): string {
  const file = imageFile(folder, name)
  return existsSync(file) ? digestOf(readFileSync(file, 'utf8')) : digestOf(name)
}

/** Puts an image into the registry; returns its digest there. */
async function pushTo(folder: string, reference: string): Promise<string> {
  const file = imageFile(folder, reference)
  const config = existsSync(file) ? readFileSync(file, 'utf8') : configOf([])
  const response = await fetch(readFileSync(join(folder, 'registry'), 'utf8'), {
    method: 'POST',
    body: JSON.stringify({ reference, config })
  })
  return response.text()
}

/** What `docker container inspect` says of a container that `ended`, as its file in the folder tells. */
function inspected(folder: string, file: string): string {
  const { args, exitCode } = JSON.parse(readFileSync(file, 'utf8')) as { args: string[]; exitCode: number }
  const [image, ...words] = args.slice(-3)
  const state = { Status: 'exited', ExitCode: exitCode, StartedAt: '2026-01-01T00:00:00Z', OOMKilled: false, Error: '' }
  const text = JSON.stringify([
    { Image: idOf(folder, image ?? ''), Config: { Image: image }, Path: 'sh', Args: words, State: state }
  ])
  // answers are a character a byte
  return Buffer.from(text).toString('latin1')
}

function usual(folder: string, args: string[]): { stdout?: string; stderr?: string; exitCode?: number } {
  const option = (name: string): string => args[args.indexOf(name) + 1] ?? ''
  switch (args[0]) {
    case 'info':
      return { stdout: JSON.stringify(INFO) }
    case 'buildx':
      if (args[1] === 'imagetools') return { exitCode: 1, stderr: 'ERROR: the client has no access\n' }
      return { stderr: rawJson(args.includes('--target') ? option('--target') : 'stage-1', 'made\n') }
    case 'run':
      return { stdout: 'tested\n' }
    case 'container': {
      const file = join(folder, `ended-${args.at(-1)}`)
      return existsSync(file)
        ? { stdout: inspected(folder, file) }
        : { exitCode: 1, stderr: 'Error: No such container\n' }
    }
    case 'image': {
      const isIdAsked = args.includes('{{.Id}}')
      const ids = args.slice(isIdAsked ? 4 : 2).map((name) => idOf(folder, name))
      if (isIdAsked) return { stdout: ids.map((id) => `${id}\n`).join('') }
      return args.includes('--format') ? {} : { stdout: JSON.stringify(ids.map((Id) => ({ Id }))) }
    }
    default:
      return {}
  }
}

async function main(folder: string, args: string[]): Promise<void> {
  const record = (event: object): void =>
    appendFileSync(join(folder, 'calls.jsonl'), `${JSON.stringify({ id: process.pid, at: Date.now(), ...event })}\n`)
  const text = args.join(' ')
  const answers = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8')) as Answer[]
  const answer: Omit<Answer, 'to'> = { ...usual(folder, args), ...answers.find(({ to }) => text.includes(to)) }

  process.on('SIGTERM', () => {
    record({ what: 'signal', signal: 'SIGTERM' })
    if (!answer.ignoresSigterm) process.exit(143)
  })
  record({ what: 'start', args, env: process.env, parent: process.ppid })

  let stdin = ''
  for await (const chunk of process.stdin) stdin += String(chunk)
  if (answer.leavesChild) spawn('sleep', ['15'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).unref()
  process.stdout.write(Buffer.from(answer.stdout ?? '', 'latin1'))
  process.stderr.write(Buffer.from(answer.stderr ?? '', 'latin1'))
  let exitCode = answer.exitCode ?? 0
  const stopped = join(folder, `stopped-${args[args.indexOf('--name') + 1]}`)
  if (args[0] === 'run' && existsSync(stopped)) exitCode = 137
  const until = answer.hangs ? Number.POSITIVE_INFINITY : Date.now() + (answer.seconds ?? 0) * 1_000
  while (Date.now() < until && exitCode !== 137) {
    await sleep(20)
    if (args[0] === 'run' && existsSync(stopped)) exitCode = 137
  }
  if (exitCode === 0 && args[0] === 'kill') writeFileSync(join(folder, `stopped-${args[1]}`), '')
  if (exitCode === 0 && args[0] === 'rm') {
    for (const name of args.slice(3)) writeFileSync(join(folder, `stopped-${name}`), '')
  }
  // 125: docker has made no container
  if (args[0] === 'run' && exitCode !== 125) {
    writeFileSync(join(folder, `ended-${args[args.indexOf('--name') + 1]}`), JSON.stringify({ args, exitCode }))
  }
  const idFile = args[args.indexOf('--iidfile') + 1]
  if (exitCode === 0 && args.includes('--iidfile') && idFile) {
    const config = configOf(args)
    writeFileSync(idFile, digestOf(config))
    for (const tag of args.filter((_, index) => args[index - 1] === '--tag'))
      writeFileSync(imageFile(folder, tag), config)
  }
  if (exitCode === 0 && args[0] === 'push' && answer.stdout === undefined) {
    process.stdout.write(`x: digest: ${await pushTo(folder, args[1] ?? '')} size: 1\n`)
  }
  record({ what: 'end', stdin })
  process.exitCode = exitCode
}

if (process.argv[1]?.endsWith('/bin/docker')) await main(dirname(dirname(process.argv[1])), process.argv.slice(2))
