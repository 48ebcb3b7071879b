import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import {
  availableEngines,
  type EngineSpec,
  type ProcessorSeconds,
  pushBaseImages,
  TestBed
} from '../../testbed/index.ts'

jest.setTimeout(300_000)

const MODULE = join(import.meta.dirname, '../../testbed/index.ts')

/** What a bed leaves on the machine: processes that name its folder, and the network namespaces of its agents. */
function remains(folder: string, namespaces: string[]): { folder: boolean; processes: string; namespaces: string[] } {
  const present = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  let processes = ''
  try {
    processes = execFileSync('pgrep', ['--full', '--list-full', folder], { encoding: 'utf8' })
  } catch {
    // pgrep found none
  }
  return { folder: existsSync(folder), processes, namespaces: namespaces.filter((name) => present.includes(name)) }
}

function namespaceOf(prefix: string[]): string {
  return /netns\/(\S+)/.exec(prefix.join(' '))?.[1] ?? ''
}

const NOTHING = { folder: false, processes: '', namespaces: [] }

describe.each(availableEngines())('Docker $version, $store store', (engine) => {
  it('is a brand-new engine of that version and store, and leaves nothing', async () => {
    const bed = await TestBed.start()
    const { busybox } = await pushBaseImages(bed, ['busybox'])
    const agent = await bed.agent(engine)
    const info = JSON.parse(await agent.docker('info', '--format', '{{json .}}'))
    expect(await agent.docker('images', '--quiet')).toBe('')
    if (engine.version !== 'host') expect(info.ServerVersion).toMatch(new RegExp(`^${engine.version}\\.`))
    expect(JSON.stringify(info.DriverStatus).includes('io.containerd.snapshotter')).toBe(engine.store === 'containerd')
    expect(await agent.docker('run', '--rm', busybox, 'echo', 'it runs')).toBe('it runs')
    expect(agent.traffic().pulled).toBeGreaterThan(100_000)
    const namespaces = [namespaceOf(agent.prefix)]
    expect(remains(agent.folder, namespaces)).toMatchObject({ folder: true, namespaces })
    await bed.stop()
    expect(remains(agent.folder, namespaces)).toEqual(NOTHING)
    expect(existsSync(bed.folder)).toBe(false)
  })
})

describe('an agent that counts', () => {
  it('tells the processor time of engine, steps, tests, clients and other processes apart', async () => {
    const bed = await TestBed.start()
    const { busybox } = await pushBaseImages(bed, ['busybox'])
    const agent = await bed.agent(availableEngines().at(-1) as EngineSpec, { counted: true })
    const busy = 'for i in $(seq 300000); do :; done'
    // sh would drop the variable
    const env = { 'INPUT_BUILD-ARGS': 'kept' }
    expect((await agent.run('env', [], { env })).stdout).toContain('INPUT_BUILD-ARGS=kept')
    const start = agent.usage()
    expect(start.seconds.action).toBeGreaterThan(0)
    await agent.docker('run', '--rm', busybox, 'sh', '-c', busy)
    const tested = agent.usage()
    await agent.run('docker', ['build', '-'], { input: `FROM ${busybox}\nRUN ${busy}\n` })
    const built = agent.usage()
    const used = (part: keyof ProcessorSeconds, from: typeof start, to: typeof start): number =>
      to.seconds[part] - from.seconds[part]
    expect(used('tests', start, tested)).toBeGreaterThan(0.1)
    expect(used('steps', start, tested)).toBeLessThan(0.1)
    expect(used('tests', tested, built)).toBe(0)
    expect(used('steps', tested, built)).toBeGreaterThan(0.1)
    expect(used('engine', start, built)).toBeGreaterThan(0)
    expect(used('clients', start, built)).toBeGreaterThan(0)
    expect(used('action', start, built)).toBeLessThan(used('clients', start, built))
    expect(built.clientStarts - start.clientStarts).toBe(2)
    await bed.stop()
    expect(remains(agent.folder, [namespaceOf(agent.prefix)])).toEqual(NOTHING)
  })
})

describe('a bed that was killed', () => {
  it('is removed by the next one', async () => {
    const [engine] = availableEngines()
    const script = `
      import { TestBed } from ${JSON.stringify(MODULE)}
      const bed = await TestBed.start()
      const agent = await bed.agent(${JSON.stringify(engine)})
      console.log(JSON.stringify({ folder: agent.folder, prefix: agent.prefix }))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const line = await new Promise<Buffer>((resolve, reject) => {
      child.stdout.once('data', resolve)
      child.once('exit', () => reject(new Error('it ended at once')))
    })
    const { folder, prefix } = JSON.parse(line.toString())
    const namespaces = [namespaceOf(prefix)]
    const killed = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await killed
    expect(remains(folder, namespaces)).toMatchObject({ folder: true, namespaces })
    const bed = await TestBed.start()
    await bed.stop()
    expect(remains(folder, namespaces)).toEqual(NOTHING)
  })
})
