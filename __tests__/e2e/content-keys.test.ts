import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { computeContentKeys, contextSelections, identityOf, type KeyFacts } from '../../src/cache/content-keys.ts'
import { type ContextDescription, describeContext } from '../../src/cache/context-entries.ts'
import { RawJsonProgress } from '../../src/docker/progress/buildkit.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { parseConfig } from '../../src/registry/image.ts'
import type { Agent } from '../../testbed/index.ts'
import { base, bed } from '../support/bed.ts'
import { type JudgedBuild, judgeKeys } from '../support/judge-keys.ts'
import { RandomBuild } from '../support/random-build.ts'

const SEED = Number(process.env.SEED ?? 1)
/** Series of edits that are built at the same time. */
const SERIES = 4
const EDITS = process.env.CASES === 'long' ? 50 : 25

/** The same builds judged with other keys: those must be found to be wrong. */
interface Judged {
  right: JudgedBuild
  /** Keys that do not contain the content of files. */
  coarse: JudgedBuild
  /** Keys that differ in every build. */
  fine: JudgedBuild
}

let agent: Agent

beforeAll(async () => {
  agent = await bed.agent({ version: '28.5', store: 'overlay2' })
})

afterAll(async () => {
  await agent.stop()
})

async function build(random: RandomBuild, folder: string, what: string): Promise<Judged> {
  random.write(folder)
  const text = random.dockerfile()
  const file = `${folder}.Dockerfile`
  writeFileSync(file, text)
  const dockerfile = parseDockerfile(text, Object.fromEntries(random.buildArgs))
  const config = await bed.registry.config('base/busybox', '1')
  const facts: Omit<KeyFacts, 'context'> = {
    buildArgs: random.buildArgs,
    platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
    runOptions: { addHosts: random.hosts },
    images: new Map([[base, identityOf(parseConfig(config))]]),
    chainsConfig: false
  }
  const context = await describeContext(folder, random.dockerignore, contextSelections(dockerfile, [2], facts))
  const judged = (context: ContextDescription): Omit<JudgedBuild, 'steps' | 'hasFailed'> => {
    return { what, dockerfile, keys: computeContentKeys(dockerfile, [2], { ...facts, context }) }
  }
  const [right, coarse, fine] = [
    judged(context),
    judged({ take: (selection) => ({ hash: '0', files: [], ...(selection.parents && { hash: '1' }) }) }),
    judged({ take: () => ({ hash: what, files: [] }) })
  ]
  const options = [
    ...[...random.buildArgs].map(([name, value]) => `--build-arg=${name}=${value}`),
    ...random.hosts.map((host) => `--add-host=${host}`)
  ]
  const output = ['--progress=rawjson', '--output=type=cacheonly', '--provenance=false']
  const { stderr, exitCode } = await agent.run(
    'docker',
    ['buildx', 'build', ...output, ...options, '--file', file, folder],
    {
      allowFailure: true
    }
  )
  const progress = new RawJsonProgress(() => {})
  progress.write(Buffer.from(stderr), 'stderr')
  progress.end()
  const steps = progress.steps()
  const hasFailed = exitCode !== 0
  const done = { steps, hasFailed }
  return { right: { ...right, ...done }, coarse: { ...coarse, ...done }, fine: { ...fine, ...done } }
}

interface Series {
  random: RandomBuild
  /** A folder that the engine has seen before would hide that only the mode of a folder in it has changed. */
  folder: (edit: number) => string
  judged: Judged[]
}

async function start(series: number): Promise<Series> {
  const random = new RandomBuild(SEED * 1_000 + series, `series-${series}`, base)
  const folder = (edit: number): string => join(agent.folder, `series-${series}-${edit}`)
  return { random, folder, judged: [await build(random, folder(0), `${series}.0`)] }
}

async function play({ random, folder, judged }: Series, series: number): Promise<void> {
  for (let edit = 1; edit <= EDITS; edit++) {
    const undo = random.save()
    const one = await build(random, folder(edit), `${series}.${edit} (${random.edit()})`)
    judged.push(one)
    if (one.right.hasFailed) undo()
  }
}

describe('BuildKit', () => {
  it('executes a step if and only if its content key is new', async () => {
    const series: Series[] = []
    // one after the other: of four builds that pulled the base image at the same time, one was not found in the cache later
    for (let index = 0; index < SERIES; index++) series.push(await start(index))
    await Promise.all(series.map(play))
    const judge = (which: keyof Judged) => series.map(({ judged }) => judgeKeys(judged.map((one) => one[which])))
    const sum = (of: ReturnType<typeof judge>, what: 'executed' | 'cached' | 'unknown' | 'excused'): number =>
      of.reduce((total, one) => total + one[what], 0)
    const right = judge('right')
    const failed = series.flatMap(({ judged }) => judged.filter((one) => one.right.hasFailed))
    expect(right.flatMap(({ faults }) => faults)).toEqual([])
    expect(failed.length).toBeLessThan((SERIES * EDITS) / 3)
    const [executed, cached] = [sum(right, 'executed'), sum(right, 'cached')]
    expect(executed).toBeGreaterThan((SERIES * EDITS) / 2)
    expect(cached).toBeGreaterThan(SERIES * EDITS)
    expect(sum(right, 'unknown')).toBeLessThan((executed + cached) / 10)
    expect(sum(right, 'excused')).toBeLessThan(cached / 4)
    // the test would find wrong keys
    expect(
      judge('coarse').flatMap(({ faults }) => faults.filter((one) => one.startsWith('executed again')))
    ).not.toEqual([])
    expect(judge('fine').flatMap(({ faults }) => faults.filter((one) => one.startsWith('cached, but')))).not.toEqual([])
  })
})
