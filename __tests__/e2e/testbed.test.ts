import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import { availableEngines, pushBaseImages, TestBed } from '../../testbed/index.ts'

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
