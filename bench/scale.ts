/** `npm run scale`: measures how the time of a run without changes grows with layers, tests, stages and files, and the action's own share of it: the content keys, and the look-ups of cache tags before the first build. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Span } from '../src/lib/timeline.ts'
import { availableEngines, pushBaseImages, TestBed } from '../testbed/index.ts'
import { type Outcome, pushEvent, runAction } from '../testbed/runner.ts'
import { type Files, SourceRepository } from '../testbed/source-repository.ts'
import { covered } from './account.ts'
import { median } from './results.ts'

interface Case {
  name: string
  files: Files
  tests?: string[]
}

const engine = availableEngines().at(-1)
if (!engine) throw new Error('No engine is available for this machine.')
const bed = await TestBed.start({ name: 'scale' })
try {
  const base = (await pushBaseImages(bed, ['busybox'])).busybox
  console.log(
    `Docker ${engine.version}, ${engine.store} store; each row shows the second run of a commit, on a brand-new engine`
  )
  console.log(
    row([
      'case',
      'seconds',
      'no docker',
      'keys',
      'keys/docker',
      'look-ups',
      'calls',
      'MB pulled',
      'log KB',
      'report KB'
    ])
  )
  for (const one of cases(base)) await play(one)
} finally {
  await bed.stop()
}
console.log(`start-up time of the bundle: ${startRatio().toFixed(2)} × that of a bundle with @actions/core alone`)

function cases(base: string): Case[] {
  const files = (dockerfile: string, more: Files = {}): Files => ({
    Dockerfile: dockerfile,
    '.dockerignore': '.git\nDockerfile\n',
    'a.txt': 'a\n',
    ...more
  })
  const two = (builder: string, copies = 'COPY --from=builder /a.txt /a.txt'): string =>
    `FROM ${base} AS builder\n${builder}COPY a.txt /a.txt\nFROM ${base}\n${copies}\n`
  const megabytes = (count: number): string => `RUN head -c ${count}000000 /dev/urandom > /noise\n`
  const stages = (count: number): string => {
    const names = Array.from({ length: count }, (_, number) => `part${number}`)
    const parts = names.map((name) => `FROM ${base} AS ${name}\nRUN echo ${name} > /${name}\n`)
    return `${parts.join('')}${two('', names.map((name) => `COPY --from=${name} /${name} /${name}`).join('\n'))}`
  }
  const tree = (count: number): Files =>
    Object.fromEntries(
      Array.from({ length: count }, (_, number) => [`src/${number % 100}/${number}.txt`, `${number}\n`])
    )
  const commands = (count: number): string[] => Array.from({ length: count }, (_, number) => `test ${number} -ge 0`)
  return [
    { name: 'minimal Dockerfile', files: files(two('')) },
    ...[10, 100, 1_000].map((count) => ({
      name: `${count} MB of builder layers`,
      files: files(two(megabytes(count)))
    })),
    ...[1, 8, 64].map((count) => ({ name: `${count} tests`, files: files(two('')), tests: commands(count) })),
    ...[1, 4, 12].map((count) => ({ name: `${count} further stages`, files: files(stages(count)) })),
    ...[10, 1_000, 50_000].map((count) => ({
      name: `${count} files in the context`,
      files: files(two('COPY src /src\n'), tree(count))
    })),
    { name: '100 MB of test output', files: files(two('')), tests: ["yes 'a line of the log' | head -c 100000000"] }
  ]
}

async function play({ name, files, tests = [] }: Case): Promise<void> {
  if (!engine) return
  const source = new SourceRepository(bed.folder, files)
  const sha = source.head()
  const inputs = {
    image: `${bed.registry.host}/scale/${name.replaceAll(/\W+/g, '-').toLowerCase()}`,
    tests: tests.join('\n')
  }
  const runs: { outcome: Outcome; pulled: number }[] = []
  for (let time = 0; time < 2; time++) {
    const agent = await bed.agent(engine)
    try {
      const outcome = await runAction(agent, {
        workspace: source.checkout(sha),
        event: pushEvent(sha, 'master'),
        inputs
      })
      if (outcome.exitCode !== 0) throw new Error(`${name}: ${outcome.log}`)
      runs.push({ outcome, pulled: agent.traffic().pulled })
    } finally {
      await agent.stop()
    }
  }
  const [, second] = runs
  if (!second) return
  const { outcome, pulled } = second
  const { timeline } = outcome.report as { timeline: Span[] }
  const calls = timeline.filter((span) => span.name.startsWith('docker '))
  const keys = timeline.filter((span) => span.name === 'Content keys')
  const firstBuild = timeline.find(({ kind }) => kind === 'build')?.start ?? 0
  const lookUps = timeline.filter(({ name: what, start }) => /:cache-[0-9a-f]{16}$/.test(what) && start < firstBuild)
  console.log(
    row([
      name,
      outcome.seconds.toFixed(1),
      (outcome.seconds - covered(calls)).toFixed(2),
      covered(keys).toFixed(2),
      `${((100 * covered(keys)) / covered(calls)).toFixed(1)} %`,
      covered(lookUps).toFixed(2),
      String(calls.length),
      (pulled / 1e6).toFixed(1),
      (outcome.log.length / 1e3).toFixed(0),
      (JSON.stringify(outcome.report).length / 1e3).toFixed(0)
    ])
  )
}

/** The start-up time of the action's bundle, as a multiple of that of a bundle with @actions/core alone (ratio of medians). */
function startRatio(): number {
  const root = join(import.meta.dirname, '..')
  const folder = mkdtempSync(join(tmpdir(), 'start-'))
  try {
    writeFileSync(join(folder, 'index.js'), "import * as core from '@actions/core'\ncore.info('')\n")
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const built = spawnSync('ncc', ['build', join(folder, 'index.js'), '--out', join(folder, 'dist')], {
      encoding: 'utf8'
    })
    if (built.status !== 0) throw new Error(built.stderr)
    const [ours, bare]: [number[], number[]] = [[], []]
    for (let time = 0; time < 21; time++) {
      ours.push(secondsOf(join(root, 'dist', 'index.js'), folder))
      bare.push(secondsOf(join(folder, 'dist', 'index.js'), folder))
    }
    return median(ours) / median(bare)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The seconds of a run that ends at once: the action fails immediately without inputs. */
function secondsOf(script: string, cwd: string): number {
  const start = performance.now()
  spawnSync(process.execPath, [script], { cwd, env: { PATH: process.env.PATH ?? '', RUNNER_TEMP: cwd } })
  return (performance.now() - start) / 1_000
}

function row([name = '', ...cells]: string[]): string {
  return [name.padEnd(28), ...cells.map((cell) => cell.padStart(12))].join('')
}
